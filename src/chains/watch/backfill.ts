import type { Common } from '../../core/common.js';
import { ChainMovedError } from '../chain-errors.js';
import { type RangeReaderOptions, type RangeReading, readRanges } from '../logs/range-reader.js';
import type { RangeSize } from '../logs/range-size.js';
import type { RpcPool } from '../rpc/rpc-pool.js';
import { type BackfillMeter, createBackfillMeter } from './backfill-progress.js';
import type { BackfillProgress } from './chain-status.js';
import type { ChainWindow } from './chain-window.js';
import type { CrossCheck } from './cross-check.js';
import { orphaningsOf } from './record-batch.js';
import { type GoneRecord, inUnchangedBlocks, type VanishedCheck } from './vanished-records.js';
import { DEFAULT_BLOOM_CHECK_BLOCKS, type WatchedChain } from './watched-chain.js';
import type { WatcherJournal } from './watcher-journal.js';
import type { WatcherPosition } from './watcher-position.js';

/** Ranges under way at once. */
export const PIPELINE_DEPTH = 3;

/** The parts of a watcher that a backfill works with. */
export interface BackfillOptions {
  readonly chain: WatchedChain;
  readonly rpc: RpcPool;
  readonly reading: RangeReaderOptions;
  readonly size: RangeSize;
  readonly position: WatcherPosition;
  readonly checkVanished: VanishedCheck;
  readonly crossCheck: CrossCheck;
  readonly journal: WatcherJournal;
  readonly common: Common;
  readonly onProgress: (progress: BackfillProgress) => void;
}

/** Reads blocks in ranges, several under way at once, and stores them range by range, the oldest first. */
export class Backfill {
  readonly #options: BackfillOptions;

  constructor(options: BackfillOptions) {
    this.#options = options;
  }

  /** Stores the finalized blocks from the anchor of `window`, of which no block is linked, up to `to`. */
  async readFinalized(window: ChainWindow, to: number, head: number, signal: AbortSignal): Promise<void> {
    const { chain, common } = this.#options;
    const from = window.anchor.number + 1;
    const meter = createBackfillMeter(chain.name, from, to, common.clock);
    common.log.info({ chain: chain.name, from, to }, 'backfill begins');
    for await (const range of this.#ranges(from, to, head, signal))
      await this.#storeFinalized(window, range, meter, signal);
    common.log.info({ chain: chain.name, from, to }, 'backfill done');
  }

  /** Stores some of the blocks between the mark of `window` and the linked ones, which are looked after meanwhile. */
  async readGap(
    window: ChainWindow,
    { finalized, head }: { readonly finalized: number; readonly head: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { position, size, crossCheck, journal } = this.#options;
    const { records } = position;
    const from = window.mark.number + 1;
    const to = Math.min(window.headers.base.number, from + PIPELINE_DEPTH * size.blocks - 1);
    for await (const range of this.#ranges(from, to, head, signal)) {
      window.checkFollows(range);
      const gone = await this.#gone(range, signal);
      const toStore = records.toStore(range);
      records.miss(gone);
      const edge = { number: range.to, hash: range.hash };
      const isFinal = range.to <= Math.min(finalized, records.missingAbove);
      await position.commit({ ...toStore, quarantine: range.quarantine }, isFinal ? edge : window.anchor, false);
      window.addRange(range);
      if (isFinal) {
        crossCheck.note({ ...range, urls: new Set([range.url]) });
        window.advance(edge);
      }
      journal.processed(range.to, range.timestampMs);
    }
  }

  async #storeFinalized(
    window: ChainWindow,
    range: RangeReading,
    meter: BackfillMeter,
    signal: AbortSignal,
  ): Promise<void> {
    const { chain, position, crossCheck, journal, onProgress } = this.#options;
    const { anchor } = window;
    if (anchor.hash !== null && range.parentHash !== anchor.hash)
      throw new ChainMovedError(chain.name, `block ${range.from} does not follow block ${anchor.number}`);
    const gone = await this.#gone(range, signal);
    const finalThrough = { number: range.to, hash: range.hash };
    const { quarantine } = range;
    const batch = { ...position.records.toStore(range), ...orphaningsOf(gone), quarantine };
    await position.commit(batch, finalThrough, false);
    window.advance(finalThrough);
    crossCheck.note({ ...range, urls: new Set([range.url]) });
    journal.processed(range.to, range.timestampMs);
    onProgress(meter.advance(range.to, range.logCount));
  }

  #ranges(from: number, to: number, head: number, signal: AbortSignal): AsyncGenerator<RangeReading> {
    const { chain, rpc, reading, size } = this.#options;
    const checkSilenceFrom = head - (chain.bloomCheckBlocks ?? DEFAULT_BLOOM_CHECK_BLOCKS);
    return readRanges({ ...reading, from, to, checkSilenceFrom, depth: PIPELINE_DEPTH, rpc, size }, signal);
  }

  /** Stored from the blocks of `range` and not found there, nor in their blocks when asked about again. */
  async #gone(range: RangeReading, signal: AbortSignal): Promise<readonly GoneRecord[]> {
    const { position, rpc, checkVanished } = this.#options;
    const gone = position.records.gone(range, [range]);
    if (gone.length > 0)
      await rpc.withNode(async (node) => checkVanished(node, await inUnchangedBlocks(node, gone), signal), signal);
    return gone;
  }
}
