import type { Common } from '../../../core/common.js';
import { toError } from '../../../core/errors.js';
import { CoverageGapError } from '../../../model/storage-errors.js';
import { isWanted } from './feed-changes.js';
import type { FeedReads } from './feed-reads.js';
import type { FeedFilter } from './feed-request.js';

/** A silent connection is told that it is alive: proxies close those that say nothing for a minute. */
const HEARTBEAT_MS = 15_000;
/** The time after which a reader that lost its connection comes back. */
const RETRY_MS = 1_000;

/**
 * The events of one reader, as text (https://html.spec.whatwg.org/multipage/server-sent-events.html). It is read only
 * as fast as it is taken, so a slow reader holds one set of changes and nothing else. An id without an event tells a
 * reader that all up to there was not for it. It ends with `signal`, or after an event `failure` with the reason.
 */
export async function* feedEvents({
  reads,
  filter,
  after,
  common,
  signal,
  told,
}: {
  readonly reads: FeedReads;
  readonly filter: FeedFilter;
  readonly after: bigint;
  readonly common: Common;
  readonly signal: AbortSignal;
  /** Called with the number of events of each set. */
  readonly told: (events: number) => void;
}): AsyncGenerator<string> {
  let position = after;
  yield `retry: ${RETRY_MS}\nid: ${position}\n\n`;
  while (!signal.aborted) {
    try {
      const { changes, throughPosition, headPosition } = await reads.after(position);
      const wanted = changes.filter((change) => isWanted(filter, change));
      told(wanted.length);
      const events = wanted.map(({ position: id, kind, json }) => `id: ${id}\nevent: ${kind}\ndata: ${json}\n\n`);
      const isPassed = throughPosition > (wanted.at(-1)?.position ?? position);
      position = throughPosition;
      if (isPassed) events.push(`id: ${position}\n\n`);
      if (events.length > 0) yield events.join('');
      if (position < headPosition) continue;
    } catch (thrown) {
      const reason = thrown instanceof CoverageGapError ? await whyGap(reads, position) : 'storage cannot answer now';
      common.log.warn({ err: toError(thrown), position: String(position) }, 'feed ended');
      yield `event: failure\ndata: ${JSON.stringify({ detail: reason })}\n\n`;
      return;
    }
    // after each beat it reads again: a storage that other processes bring forward may tell no one of it
    const beat = new AbortController();
    const cancel = common.clock.after(HEARTBEAT_MS, () => beat.abort());
    await reads.news(position, AbortSignal.any([signal, beat.signal]));
    cancel();
    if (beat.signal.aborted && !signal.aborted) yield ': alive\n\n';
  }
}

/** The reason why nothing can be told after a position. */
export async function whyGap(reads: Pick<FeedReads, 'head'>, position: bigint): Promise<string> {
  const head = await reads.head().catch(() => null);
  if (head === null || position <= head) return `changes after position ${position} cannot be told now`;
  const reason = 'the database was set back, or the position is of another';
  return `position ${position} is above the last one, ${head}: ${reason}`;
}
