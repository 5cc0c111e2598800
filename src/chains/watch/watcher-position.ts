import type { Clock } from '../../core/clock.js';
import type { CursorMove, WriteBatch } from '../../model/batch.js';
import type { BatchWriter, ChainCursor, ChainStore } from '../chain-port.js';
import type { Anchor } from './header-chain.js';
import { KnownRecords } from './known-records.js';
import { isEmpty } from './record-batch.js';
import type { WatcherJournal } from './watcher-journal.js';

/** The word of the store. */
export interface LoadedPosition {
  /** The block to go on from. */
  readonly anchor: Anchor;
  /** The cursor stands lower than this watcher saw it: a person set it back. */
  readonly isSetBack: boolean;
  /** The lowest block of a record that is not stored although it was taken to be; null when there is none. */
  readonly lostFrom: number | null;
}

/**
 * Where the watcher stands in the store: the stored cursor and the records above it.
 *
 * The cursor moves in the same commit as the records below it, compared with the cursor that this watcher last saw.
 * A cursor that has nothing to go with is stored every `cursorEveryMs` only; until then a restart reads these blocks
 * again.
 */
export class WatcherPosition {
  readonly records = new KnownRecords();
  readonly #store: ChainStore;
  readonly #writer: BatchWriter;
  readonly #sourceIds: readonly string[];
  readonly #clock: Clock;
  readonly #journal: WatcherJournal;
  readonly #cursorEveryMs: number;
  #cursor: ChainCursor | null = null;
  #certain = false;
  #lastMoveMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly store: ChainStore;
    readonly writer: BatchWriter;
    /** Of the ramps of `store`: their cursors move together. */
    readonly sourceIds: readonly string[];
    readonly clock: Clock;
    readonly journal: WatcherJournal;
    readonly cursorEveryMs: number;
  }) {
    this.#store = options.store;
    this.#writer = options.writer;
    this.#sourceIds = options.sourceIds;
    this.#clock = options.clock;
    this.#journal = options.journal;
    this.#cursorEveryMs = options.cursorEveryMs;
  }

  get cursor(): ChainCursor | null {
    return this.#cursor;
  }

  /** False until `load`, and again after a commit that failed: it may have been stored all the same. */
  get isCertain(): boolean {
    return this.#certain;
  }

  /** The cursor may have been moved from elsewhere. */
  doubt(): void {
    this.#certain = false;
  }

  /** Reads the store. */
  async load(startBlock: number): Promise<LoadedPosition> {
    const before = this.#cursor;
    const cursor = await this.#store.cursor();
    const height = cursor?.height ?? -1n;
    const stored = [...(await this.#store.messagesAbove(height)), ...(await this.#store.executionsAbove(height))];
    const lostFrom = this.records.load(stored, Number(height));
    this.#cursor = cursor;
    this.#certain = true;
    const isSetBack = before !== null && height < before.height;
    if (!cursor) return { anchor: { number: startBlock - 1, hash: null }, isSetBack, lostFrom };
    return { anchor: { number: Number(cursor.height), hash: cursor.hash }, isSetBack, lostFrom };
  }

  /**
   * Stores the records of `batch` and moves the cursors up to `finalThrough`, through which blocks are final then.
   * Cursors alone may wait for company. `following`: the blocks are near the head. Throws the writer's errors; nothing
   * is stored then.
   */
  async commit(batch: WriteBatch, finalThrough: Anchor, following: boolean): Promise<void> {
    const cursors = this.#movesTo(finalThrough);
    const [moved] = cursors;
    if (!isEmpty(batch) || (moved && this.#clock.monotonicMs() - this.#lastMoveMs >= this.#cursorEveryMs)) {
      this.#certain = false;
      const outcome = await this.#writer.insertBatch({ ...batch, cursors });
      this.#certain = true;
      if (moved?.hash) {
        this.#cursor = { height: moved.height, hash: moved.hash };
        this.#lastMoveMs = this.#clock.monotonicMs();
      }
      this.#journal.committed(batch, outcome, following);
    }
    this.records.apply(batch, finalThrough.number);
    if (this.#cursor) this.#journal.finalized(Number(this.#cursor.height));
  }

  #movesTo({ number, hash }: Anchor): readonly CursorMove[] {
    const expectedHeight = this.#cursor?.height ?? null;
    if (hash === null || (expectedHeight !== null && BigInt(number) <= expectedHeight)) return [];
    return this.#sourceIds.map((sourceId) => ({ sourceId, height: BigInt(number), hash, expectedHeight }));
  }
}
