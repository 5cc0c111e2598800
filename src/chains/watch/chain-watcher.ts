import { type Alarm, createAlarm } from '../../core/alarm.js';
import { backoffMs } from '../../core/backoff.js';
import type { Common } from '../../core/common.js';
import { IndexerError, toError } from '../../core/errors.js';
import { FinalizedDisputedError, FinalizedReorgError } from '../chain-errors.js';
import { createChainMetrics } from '../chain-metrics.js';
import type { BatchWriter, ChainStore } from '../chain-port.js';
import { createRangeSize } from '../logs/range-size.js';
import type { RpcPool } from '../rpc/rpc-pool.js';
import { chainSourceId } from '../source-ids.js';
import { Backfill } from './backfill.js';
import type { BackfillProgress, ChainStatus } from './chain-status.js';
import { ChainViewer, type WindowView } from './chain-view.js';
import { ChainWindow } from './chain-window.js';
import { CrossCheck } from './cross-check.js';
import type { Anchor } from './header-chain.js';
import { createRangeReading } from './reader-options.js';
import { orphaningsOf } from './record-batch.js';
import { createVanishedCheck } from './vanished-records.js';
import { UNKNOWN } from './vouched-blocks.js';
import { firstBlockOf, rampsOf, type WatchedChain } from './watched-chain.js';
import { WatcherJournal } from './watcher-journal.js';
import { WatcherPosition } from './watcher-position.js';
import { WindowReader, type WindowReading } from './window-reader.js';

/** The parts of a watcher. */
export interface ChainWatcherOptions {
  readonly chain: WatchedChain;
  /** The watcher does not close it. */
  readonly rpc: RpcPool;
  readonly store: ChainStore;
  readonly writer: BatchWriter;
  readonly common: Common;
  readonly onProgress?: (progress: BackfillProgress) => void;
  /** How often a cursor is stored that has no records to go with. Default 5 s. */
  readonly cursorEveryMs?: number;
  /**
   * Blocks above the finalized one that are looked at one by one at once after a start; those below follow. Default
   * 512.
   */
  readonly linkBlocks?: number;
}

/** Watches one chain. */
export interface ChainWatcher {
  /**
   * Watches until `signal` aborts; resolves when nothing is under way any more. Failures of nodes and of the store are
   * retried for ever, with growing pauses; `status` tells of them.
   * @throws FinalizedReorgError when a finalized block changed, ClosedError when the store was closed.
   */
  run(signal: AbortSignal): Promise<void>;
  status(): ChainStatus;
}

/** Creates the watcher of one chain. */
export function createChainWatcher(options: ChainWatcherOptions): ChainWatcher {
  return new PollingChainWatcher(options);
}

/** Logs a range; bounds the size of a commit, and the time for which decoding keeps the thread. */
const TARGET_LOGS = 1_000;
const RETRY = { baseMs: 250, maxMs: 15_000 };

/**
 * The loop.
 *
 * Each turn asks one node where the chain stands and whether the anchor, the last finalized block that is done with, is
 * unchanged. Far behind: finalized blocks are read in ranges and stored range by range (*backfilling*). Else
 * (*following*) the blocks above the anchor are brought in line with the node (see `ChainWindow`), the logs of those
 * that are new or about to be final are read, and the difference to the store is stored:
 *
 * 1. found, not stored, or stored from another block: stored with its new place;
 * 2. stored, not found, its block is not on the chain any more: orphaned;
 * 3. stored, not found, though its block is still there: asked about again, elsewhere if possible; the turn fails if it
 *    turns up, else the message goes;
 * 4. stored from a block above the head, and nothing below it changed: left as it is;
 * 5. stored, not found, and not all is read that it may have moved to: it stays until then, and the cursor below it.
 *
 * The anchor then moves up to the finalized block, which never moves down: a node that says so is behind. A turn that
 * fails stores nothing, and the next one starts over.
 */
class PollingChainWatcher implements ChainWatcher {
  readonly #chain: WatchedChain;
  readonly #rpc: RpcPool;
  readonly #common: Common;
  readonly #store: ChainStore;
  /** Rung by new blocks. */
  readonly #alarm: Alarm;
  /** Never rung: a new block is no reason to try a failed turn again. */
  readonly #retry: Alarm;
  readonly #journal: WatcherJournal;
  readonly #position: WatcherPosition;
  readonly #viewer: ChainViewer;
  readonly #reader: WindowReader;
  readonly #crossCheck: CrossCheck;
  readonly #backfill: Backfill;
  #window: ChainWindow;

  constructor(options: ChainWatcherOptions) {
    const { chain, rpc, store, writer, common, onProgress, cursorEveryMs = 5_000, linkBlocks } = options;
    const metrics = createChainMetrics(common.metrics);
    const onLiar = (url: number) => this.#crossCheck.foundLying(url);
    const reading = createRangeReading({ chain, rpc, common, metrics, onLiar });
    const { blooms, askSilent } = reading;
    this.#chain = chain;
    this.#rpc = rpc;
    this.#common = common;
    this.#alarm = createAlarm(common.clock);
    this.#retry = createAlarm(common.clock);
    this.#store = store;
    this.#journal = new WatcherJournal(chain, common, metrics);
    const sourceIds = rampsOf(chain).map(({ address }) => chainSourceId(chain.selector, address));
    this.#position = new WatcherPosition({
      ...{ store, writer, sourceIds, clock: common.clock, journal: this.#journal, cursorEveryMs },
    });
    const checkVanished = createVanishedCheck({ chain: chain.name, log: common.log, askSilent });
    this.#viewer = new ChainViewer({
      chain,
      rpc,
      journal: this.#journal,
      mayHoldMessage: blooms.mayHoldMessage,
      checkVanished,
      clock: common.clock,
      linkBlocks,
    });
    const size = createRangeSize({
      maxBlocks: chain.maxBlockRange,
      targetLogs: TARGET_LOGS,
      onChange: (blocks) => metrics.rangeBlocks.set({ chain: chain.name }, blocks),
    });
    this.#window = new ChainWindow(chain.name, { number: firstBlockOf(rampsOf(chain)) - 1, hash: null });
    this.#reader = new WindowReader({ chain: chain.name, size, options: reading });
    this.#crossCheck = new CrossCheck({
      chain,
      rpc,
      store,
      writer,
      reading,
      metrics,
      common,
      storeEveryMs: cursorEveryMs,
    });
    this.#backfill = new Backfill({
      ...{ chain, rpc, reading, size, checkVanished, common, journal: this.#journal, crossCheck: this.#crossCheck },
      position: this.#position,
      onProgress: onProgress ?? (() => undefined),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    // another worker may have watched the chain since the last run
    this.#position.doubt();
    const unsubscribe = this.#rpc.onNewHead(() => this.#alarm.wake());
    const ending = new AbortController();
    const crossChecking = this.#crossCheck.run(AbortSignal.any([signal, ending.signal]));
    try {
      await this.#loop(signal);
    } finally {
      unsubscribe();
      ending.abort();
      await crossChecking;
    }
  }

  status(): ChainStatus {
    const { cursor } = this.#position;
    return {
      ...this.#journal.status(),
      selector: this.#chain.selector,
      cursor: cursor && { height: Number(cursor.height), hash: cursor.hash },
      crossCheck: this.#crossCheck.status(),
      rpc: this.#rpc.status(),
    };
  }

  async #loop(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        if (!this.#position.isCertain) await this.#load();
        const behind = await this.#turn(signal);
        failures = 0;
        this.#journal.succeeded();
        if (!behind) await this.#alarm.pause(this.#chain.pollIntervalMs, signal);
      } catch (thrown) {
        if (signal.aborted) break;
        const error = toError(thrown);
        this.#journal.failed(error);
        // a person may set the cursor back meanwhile
        if (error instanceof FinalizedDisputedError) this.#position.doubt();
        if (error instanceof FinalizedReorgError) await this.#noteHalt(error);
        if (error instanceof FinalizedReorgError || isClosed(error)) throw error;
        await this.#retry.pause(backoffMs(RETRY, failures++, this.#common.random), signal);
      }
    }
    this.#journal.enter('stopped');
  }

  /** Takes the store's word for where to go on; another watcher of this chain may have moved the cursor as well. */
  async #load(): Promise<void> {
    this.#viewer.noteLastHalt(await this.#store.lastHalt());
    const { anchor: stored, isSetBack, lostFrom } = await this.#position.load(firstBlockOf(rampsOf(this.#chain)));
    const { anchor } = this.#window;
    if (anchor.hash === null || isSetBack) this.#window = new ChainWindow(this.#chain.name, stored);
    else if (stored.number > anchor.number) {
      if (this.#window.holds(stored)) this.#window.advance(stored);
      else this.#window = new ChainWindow(this.#chain.name, stored);
    }
    if (lostFrom !== null) this.#window.rewind(lostFrom - 1);
    await this.#crossCheck.load(this.#window.anchor, isSetBack);
    this.#common.log.info({ chain: this.#chain.name, block: this.#window.anchor.number + 1 }, 'watching chain');
  }

  /** A halt that cannot be noted is one all the same: the next start takes as long to see it as this one did. */
  async #noteHalt({ blockNumber, actualHash }: FinalizedReorgError): Promise<void> {
    try {
      await this.#store.noteHalt({ height: BigInt(blockNumber), hash: actualHash });
    } catch (thrown) {
      this.#common.log.warn({ chain: this.#chain.name, err: toError(thrown) }, 'the halt could not be stored');
    }
  }

  /** True when there is more to read at once. */
  async #turn(signal: AbortSignal): Promise<boolean> {
    const known = { window: this.#window, reader: this.#reader, records: this.#position.records };
    const view = await this.#rpc.withNode((node) => this.#viewer.look(node, known, signal), signal);
    this.#journal.enter(view.kind === 'behind' ? 'backfilling' : 'following');
    switch (view.kind) {
      case 'nothing':
        // a cursor may be waiting
        await this.#position.commit({}, this.#window.anchor, true);
        return false;
      case 'behind':
        // records read above the anchor are read again: they are final by now
        this.#window = new ChainWindow(this.#chain.name, this.#window.anchor);
        await this.#backfill.readFinalized(this.#window, view.finalized, view.head, signal);
        return true;
      case 'window':
        await this.#storeWindow(view);
        if (!this.#window.isWhole) await this.#backfill.readGap(this.#window, view, signal);
        return !view.isLinkedThrough || !this.#window.isWhole;
    }
  }

  async #storeWindow({ reading, ranges, to, finalized, isLinkedThrough }: WindowView): Promise<void> {
    const window = this.#window;
    const { headers } = window;
    const { droppedCount } = headers;
    const known = this.#position.records;
    const found = known.toStore(reading, headers);
    const gone = known.gone(reading, ranges, headers);
    const isSettled = isLinkedThrough && window.isWhole;
    // until all is read that a record may have moved to, it stays
    const taken = gone.filter(
      ({ blockNumber, blockHash }) =>
        headers.isOnChain(blockNumber, blockHash) || isSettled || (isLinkedThrough && headers.isDropped(blockHash)),
    );
    known.miss(gone.filter((each) => !taken.includes(each)));
    const missing = isSettled ? known.stillMissing(found, headers) : [];
    const clear = isSettled ? finalized : Math.min(finalized, known.missingAbove);
    const finalThrough = window.finalThrough(clear, Math.max(to, headers.readThrough));
    const quarantine = this.#reader.newQuarantine(reading.quarantine);
    const batch = { ...found, ...orphaningsOf([...taken, ...missing]), quarantine };
    await this.#position.commit(batch, finalThrough, true);
    this.#reader.noteQuarantined(quarantine);
    headers.noteRead(to);
    if (isLinkedThrough) {
      if (droppedCount > 0) this.#journal.reorg(droppedCount, taken.length);
      headers.settle();
    }
    const last = headers.at(headers.readThrough);
    if (last && window.isWhole) this.#journal.processed(last.number, last.timestampMs);
    if (finalThrough.number > window.anchor.number) {
      this.#noteFinal(finalThrough, reading);
      window.advance(finalThrough);
    }
    this.#reader.prune(headers);
  }

  /** Linked blocks are read by one node when they become final; who read those below them is not known any more. */
  #noteFinal({ number: to, hash }: Anchor, { url, logs }: WindowReading): void {
    const { anchor, headers } = this.#window;
    const from = Math.max(anchor.number, headers.base.number) + 1;
    const final = new Map([...logs].filter(([, block]) => block >= from && block <= to));
    if (from <= to) this.#crossCheck.note({ from, to, hash, urls: new Set([url]), logs: final });
    else this.#crossCheck.note({ ...UNKNOWN, from: anchor.number + 1, to, hash });
  }
}

function isClosed(error: Error): boolean {
  return error instanceof IndexerError && error.code === 'CLOSED';
}
