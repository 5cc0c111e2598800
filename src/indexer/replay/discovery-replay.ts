import type { Common } from '../../core/common.js';
import { IndexerError } from '../../core/errors.js';
import type { RateLimiter } from '../../core/rate-limiter.js';
import type { DiscoveryClient } from '../../discovery/discovery-client.js';
import { arrangePage, LEAST_PAGE, MAX_SEQUENCE, type Page } from '../../discovery/page.js';
import { batchOf, type EntryContext, readJudgedEntries } from '../../discovery/read-entries.js';
import { resultIdentity } from '../../model/identity.js';
import type { VerifierResult } from '../../model/records.js';
import { patiently } from './patience.js';
import type { ReplaySource, ReplayStep } from './replay-source.js';

/** One aggregator to read again. */
export interface ReplayedAggregator {
  readonly client: DiscoveryClient;
  /** Without the time. */
  readonly entries: Omit<EntryContext, 'nowMs'>;
  readonly limiter: RateLimiter;
}

/** The parts of the replay of discovery. */
export interface DiscoveryReplayOptions {
  /** By name, in the order of the request: one is read after the other. */
  readonly aggregators: readonly ReplayedAggregator[];
  /** The first sequence of each. */
  readonly since: bigint;
  /** Stored results are replaced: of several of one identity in a page the last counts. */
  readonly replaces: boolean;
  readonly common: Common;
}

/** A place among the aggregators: the index of one, and its next sequence. */
interface Place {
  readonly index: number;
  readonly sequence: bigint;
}

/** Pages looked at beyond one without entries. */
const PAGES_AHEAD = 20;

/**
 * Reads aggregators again, from a sequence up to the end that each has when it is reached. Their cursors stay: the live
 * worker reads on as it was. An aggregator leaves entries out of a page that it cannot show: one without entries is not
 * yet its end, and the pages behind it are looked at, as the live worker does.
 */
export function createDiscoveryReplay({ aggregators, since, replaces, common }: DiscoveryReplayOptions): ReplaySource {
  async function page({ client, limiter }: ReplayedAggregator, sequence: bigint, signal: AbortSignal): Promise<Page> {
    return await patiently(common, signal, async () => {
      await limiter.take(signal);
      return arrangePage(await client.messagesSince(sequence, signal), sequence);
    });
  }

  /** The next page with entries; without one, the page that was asked for. `length`: the most entries of a page. */
  async function nextPage(aggregator: ReplayedAggregator, sequence: bigint, length: number, signal: AbortSignal) {
    const first = await page(aggregator, sequence, signal);
    let at = sequence;
    for (let ahead = 1; first.placed.length === 0 && ahead <= PAGES_AHEAD; ahead += 1) {
      at += BigInt(length);
      if (at > MAX_SEQUENCE) break;
      const next = await page(aggregator, at, signal);
      if (next.placed.length > 0) return { ...next, misplaced: [...first.misplaced, ...next.misplaced] };
    }
    return first;
  }

  return {
    unit: 'entries',
    total: null,
    async *steps(cursor, signal) {
      let place: Place = cursor === null ? { index: 0, sequence: since } : readPlace(cursor);
      let length = LEAST_PAGE;
      for (let aggregator = aggregators[place.index]; aggregator; aggregator = aggregators[place.index]) {
        const { placed, misplaced, size } = await nextPage(aggregator, place.sequence, length, signal);
        length = Math.max(length, placed.length);
        const last = placed.at(-1);
        if (last) place = { ...place, sequence: last.sequence + 1n };
        else place = { index: place.index + 1, sequence: since };
        const context = { ...aggregator.entries, nowMs: common.clock.nowMs() };
        const records = await patiently(common, signal, () => readJudgedEntries({ placed, misplaced }, context));
        const verifierResults = replaces ? lastOfEach(records.verifierResults) : records.verifierResults;
        const step: ReplayStep = {
          batch: batchOf({ ...records, verifierResults }),
          cursor: `${place.index}:${place.sequence}`,
          read: size,
        };
        yield step;
      }
    },
  };
}

/** An aggregator that gave a result twice means the later one. */
function lastOfEach(results: readonly VerifierResult[]): readonly VerifierResult[] {
  return [...new Map(results.map((result) => [resultIdentity(result), result])).values()];
}

function readPlace(cursor: string): Place {
  const [, index, sequence] = /^(\d+):(\d+)$/.exec(cursor) ?? [];
  if (index === undefined || sequence === undefined)
    throw new IndexerError('REPLAY_CURSOR', `the cursor of the job is ${cursor}: it is of another version`, false);
  return { index: Number(index), sequence: BigInt(sequence) };
}
