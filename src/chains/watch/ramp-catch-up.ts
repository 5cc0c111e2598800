import type { Common } from '../../core/common.js';
import type { WriteBatch } from '../../model/batch.js';
import { ChainMovedError } from '../chain-errors.js';
import { createChainMetrics, observeCommit } from '../chain-metrics.js';
import type { BatchWriter, ChainCursor, ChainStore } from '../chain-port.js';
import { type RangeReading, readRanges } from '../logs/range-reader.js';
import { createRangeSize } from '../logs/range-size.js';
import type { RpcPool } from '../rpc/rpc-pool.js';
import { chainSourceId } from '../source-ids.js';
import { PIPELINE_DEPTH } from './backfill.js';
import { KnownRecords } from './known-records.js';
import { createRangeReading } from './reader-options.js';
import { isEmpty, orphaningsOf } from './record-batch.js';
import { createVanishedCheck, inUnchangedBlocks } from './vanished-records.js';
import { DEFAULT_BLOOM_CHECK_BLOCKS, firstBlockOf, rampsOf, type WatchedChain } from './watched-chain.js';

const TARGET_LOGS = 1_000;
const CURSOR_EVERY_MS = 5_000;

/** The parts of catching up. */
export interface CatchUpOptions {
  /** With the ramps that are behind, and no others. */
  readonly chain: WatchedChain;
  readonly rpc: RpcPool;
  /** Of these ramps. */
  readonly store: ChainStore;
  readonly writer: BatchWriter;
  /** The cursor of the ramps that are ahead. */
  readonly to: ChainCursor;
  readonly common: Common;
  /** Called with each block up to which everything is stored. */
  readonly onStored: (through: number) => void;
}

/**
 * Reads ramps from their own cursor, or start block, up to the cursor of others of the chain, in ranges of finalized
 * blocks; each is stored with the cursor, so that a restart goes on where this ended. Resolves when their cursor is
 * `to`, in height and hash. Ramps that start above it only take it over.
 * @throws RpcError, ChainMovedError when the blocks do not lead from the one cursor to the other, the store's errors,
 * AbortedError.
 */
export async function catchUpRamps(options: CatchUpOptions, signal: AbortSignal): Promise<void> {
  const { chain, rpc, store, writer, to, common, onStored } = options;
  const metrics = createChainMetrics(common.metrics);
  const reading = createRangeReading({ chain, rpc, common, metrics });
  const checkVanished = createVanishedCheck({ chain: chain.name, log: common.log, askSilent: reading.askSilent });
  const sourceIds = rampsOf(chain).map(({ address }) => chainSourceId(chain.selector, address));
  const end = Number(to.height);
  let stored = await store.cursor();
  let storedMs = Number.NEGATIVE_INFINITY;

  async function commit(batch: WriteBatch, { height, hash }: ChainCursor): Promise<void> {
    const expectedHeight = stored?.height ?? null;
    const cursors = sourceIds.map((sourceId) => ({ sourceId, height, hash, expectedHeight }));
    observeCommit(
      metrics,
      { chain: chain.name, clock: common.clock },
      batch,
      await writer.insertBatch({ ...batch, cursors }),
    );
    stored = { height, hash };
    storedMs = common.clock.monotonicMs();
    onStored(Number(height));
  }

  async function storeRange(range: RangeReading): Promise<void> {
    // they may have been read before, and left out of the configuration for a while: records that vanished meanwhile
    // go
    const known = new KnownRecords();
    const [after, through] = [BigInt(range.from - 1), BigInt(range.to)];
    const held = [...(await store.messagesAbove(after, through)), ...(await store.executionsAbove(after, through))];
    known.load(held, range.from - 1);
    const gone = known.gone(range, [range]);
    if (gone.length > 0)
      await rpc.withNode(async (node) => checkVanished(node, await inUnchangedBlocks(node, gone), signal), signal);
    const { quarantine } = range;
    const batch = { ...known.toStore(range), ...orphaningsOf(gone), quarantine };
    if (isEmpty(batch) && common.clock.monotonicMs() - storedMs < CURSOR_EVERY_MS) return;
    await commit(batch, { height: BigInt(range.to), hash: range.hash });
    metrics.messages.inc({ chain: chain.name }, batch.messages.length);
    for (const { key, reason, detail } of quarantine) {
      metrics.quarantined.inc({ chain: chain.name, reason });
      common.log.warn({ chain: chain.name, key, reason, detail }, 'log quarantined');
    }
  }

  let hash = stored?.hash ?? null;
  const from = stored ? Number(stored.height) + 1 : firstBlockOf(rampsOf(chain));
  if (from <= end) {
    const size = createRangeSize({
      maxBlocks: chain.maxBlockRange,
      targetLogs: TARGET_LOGS,
      onChange: () => undefined,
    });
    const checkSilenceFrom = end - (chain.bloomCheckBlocks ?? DEFAULT_BLOOM_CHECK_BLOCKS);
    const plan = { ...reading, from, to: end, checkSilenceFrom, depth: PIPELINE_DEPTH, rpc, size };
    for await (const range of readRanges(plan, signal)) {
      const follows = hash === null || range.parentHash === hash;
      if (!follows || (range.to === end && range.hash !== to.hash))
        throw new ChainMovedError(chain.name, `blocks ${range.from} to ${range.to} do not lead to the cursor ${end}`);
      await storeRange(range);
      hash = range.hash;
    }
  }
  if (stored?.height !== to.height) await commit({}, to);
  else if (stored.hash !== to.hash)
    throw new ChainMovedError(chain.name, `the cursors of two ramps have different hashes at block ${end}`);
}
