import { createChainMetrics } from '../../chains/chain-metrics.js';
import { type RangeReading, readRanges } from '../../chains/logs/range-reader.js';
import { createRangeSize } from '../../chains/logs/range-size.js';
import type { RpcPool } from '../../chains/rpc/rpc-pool.js';
import { chainSourceId } from '../../chains/source-ids.js';
import { KnownRecords } from '../../chains/watch/known-records.js';
import { createRangeReading } from '../../chains/watch/reader-options.js';
import { isEmpty } from '../../chains/watch/record-batch.js';
import { DEFAULT_BLOOM_CHECK_BLOCKS, rampsOf, type WatchedChain } from '../../chains/watch/watched-chain.js';
import type { Common } from '../../core/common.js';
import { IndexerError } from '../../core/errors.js';
import type { VerifierResult } from '../../model/records.js';
import type { Storage } from '../../storage/storage.js';
import { recoveryOutcomes } from '../recovery/execution-recovery.js';
import { type RecoverOptions, recoverVerifications } from '../recovery/recover-verifications.js';
import { patiently } from './patience.js';
import type { ReplaySource, ReplayStep } from './replay-source.js';

/** The parts of the replay of a chain. */
export interface ChainReplayOptions {
  readonly chain: WatchedChain;
  readonly rpc: RpcPool;
  readonly from: number;
  readonly to: number;
  /** About so many logs are read at once. */
  readonly batch: number;
  readonly common: Common;
  /** Recovers the verifications of the executions in these blocks; null: leaves them. */
  readonly recovering: RecoverOptions | null;
}

/**
 * Refuses blocks that the chain's watcher is not done with: it reads those itself, and only it knows which are final.
 * @throws IndexerError naming the last block that can be read again.
 */
export async function checkReplayedBlocks(
  chain: Pick<WatchedChain, 'name' | 'selector' | 'onRamps' | 'offRamps'>,
  to: number,
  storage: Pick<Storage, 'getCursor'>,
): Promise<void> {
  const { name, selector } = chain;
  const cursors = await Promise.all(
    rampsOf(chain).map(({ address }) => storage.getCursor(chainSourceId(selector, address))),
  );
  const heights = cursors.map((cursor) => Number(cursor?.height ?? -1));
  const last = Math.min(...heights);
  if (to <= last) return;
  throw new IndexerError(
    'REPLAY_ABOVE_CURSOR',
    last < 0
      ? `chain ${name} has not been read yet: start a worker, it reads the chain from its StartBlock`
      : `chain ${name} is read up to block ${last} so far, a worker reads on from there: write --to ${last} or less`,
    false,
    { details: { chain: name, to, last } },
  );
}

/**
 * Reads final blocks of one chain again, with the requests and the checks of a backfill. The chain's cursor stays, and
 * so do stored messages: one that is not in its block any more is the business of `chain resume`.
 */
export function createChainReplay(options: ChainReplayOptions): ReplaySource {
  const { chain, rpc, from, to, batch, common, recovering } = options;
  const outcomes = recoveryOutcomes(common);
  const reading = createRangeReading({ chain, rpc, common, metrics: createChainMetrics(common.metrics) });
  const size = createRangeSize({ maxBlocks: chain.maxBlockRange, targetLogs: batch, onChange: () => undefined });
  // the blooms of blocks without logs are looked at in the last part: each is a block to fetch
  const checkSilenceFrom = to - (chain.bloomCheckBlocks ?? DEFAULT_BLOOM_CHECK_BLOCKS);

  async function read(first: number, last: number, signal: AbortSignal): Promise<readonly RangeReading[]> {
    const ranges: RangeReading[] = [];
    const plan = { ...reading, from: first, to: last, checkSilenceFrom, depth: 1, rpc, size };
    for await (const range of readRanges(plan, signal)) ranges.push(range);
    return ranges;
  }

  /** Executions whose messages are of the same blocks are told by the next replay: these are not stored yet. */
  async function recovered(range: RangeReading, signal: AbortSignal): Promise<readonly VerifierResult[]> {
    const results: VerifierResult[] = [];
    if (recovering === null) return results;
    for (const execution of range.executions.filter(({ state }) => state === 'success')) {
      const found = await patiently(common, signal, () => recoverVerifications(execution, recovering, signal));
      for (const outcome of found.outcomes) outcomes.inc({ chain: chain.name, outcome });
      results.push(...found.verifierResults);
    }
    return results;
  }

  return {
    unit: 'blocks',
    total: to - from + 1,
    async *steps(cursor, signal) {
      let next = cursor === null ? from : Number(cursor) + 1;
      while (next <= to) {
        const first = next;
        const last = Math.min(to, first + size.blocks - 1);
        for (const range of await patiently(common, signal, () => read(first, last, signal)))
          yield stepOf(range, await recovered(range, signal));
        next = last + 1;
      }
    },
  };
}

function stepOf(range: RangeReading, verifierResults: readonly VerifierResult[]): ReplayStep {
  const { from, to, quarantine } = range;
  // of two logs of one message the first counts
  const batch = { ...new KnownRecords().toStore(range), verifierResults, quarantine };
  return { batch: isEmpty(batch) ? null : batch, cursor: String(to), read: to - from + 1 };
}
