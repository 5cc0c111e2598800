import { type Backoff, backoffMs } from '../../../core/backoff.js';
import type { Common } from '../../../core/common.js';
import { ClosedError, IndexerError, toError } from '../../../core/errors.js';
import type { ChangeSet } from '../../../model/batch.js';
import { DivergedError } from '../../../model/storage-errors.js';
import type { ColdStorageSettings } from '../namespace/cold-storage-options.js';
import type { NamespaceView } from '../namespace/view.js';
import type { Lookup } from '../read/lookup.js';
import { ChangeBuffer, type FlushContent } from './change-buffer.js';
import type { Committer } from './committer.js';
import type { FlushMetrics } from './flush-metrics.js';
import { checkWitness, type Witness, witnessOf } from './history-witness.js';

/**
 * While more changes are known to come, a flush would leave the tier without a whole state: it waits for this many
 * times the size.
 */
const PARTIAL_FACTOR = 4;
/**
 * A flush that writes more of the tables anew than this many times its size waits for more changes: until the buffer is
 * full, for this many intervals at most.
 */
const REWRITE_FACTOR = 64;
const REWRITE_INTERVALS = 12;
const RETRY: Backoff = { baseMs: 500, maxMs: 30_000 };

/** The cause of a flush. */
type Reason = 'asked' | 'full' | 'interval';

/**
 * Takes the changes that another storage committed, and flushes them
 *
 *     apply → buffered ── size, interval, flush(), close ──→ committed
 *                ↑                     └─ failed: kept, tried again after a while
 *                └── a restart begins again after the last commit
 *
 * The buffer is bounded: when flushes fail for long, `apply` fails with them. A follower beside a writer of another
 * history flushes and takes nothing any more.
 */
export class Follower {
  readonly #name: string;
  readonly #lookup: Lookup;
  readonly #common: Common;
  readonly #settings: ColdStorageSettings;
  readonly #writer: Committer;
  readonly #metrics: FlushMetrics;
  readonly #buffer: ChangeBuffer;
  readonly #advanced: (view: NamespaceView) => void;
  readonly #cancelTimer: () => void;
  #cancelRetry: (() => void) | null = null;
  #failures = 0;
  #flushing: Promise<void> | null = null;
  #lastCommitMs: number;
  #putOffUntilMs = Number.NEGATIVE_INFINITY;
  #seenPosition = 0n;
  /** Checked before anything is committed on top of another writer's commit. */
  #witness: Witness | null = null;
  #diverged: DivergedError | null = null;
  #isClosed = false;

  constructor(parts: {
    readonly name: string;
    readonly common: Common;
    readonly settings: ColdStorageSettings;
    readonly writer: Committer;
    readonly lookup: Lookup;
    readonly metrics: FlushMetrics;
    readonly advanced: (view: NamespaceView) => void;
  }) {
    this.#name = parts.name;
    this.#lookup = parts.lookup;
    this.#common = parts.common;
    this.#settings = parts.settings;
    this.#writer = parts.writer;
    this.#metrics = parts.metrics;
    this.#advanced = parts.advanced;
    this.#buffer = new ChangeBuffer(parts.name);
    this.#lastCommitMs = parts.common.clock.monotonicMs();
    this.#cancelTimer =
      parts.settings.role === 'follower'
        ? parts.common.clock.every(Math.max(1, Math.floor(parts.settings.flushIntervalMs / 4)), () => this.#onTimer())
        : () => undefined;
  }

  /** Every change up to this position was applied. */
  get position(): bigint {
    return this.#buffer.position;
  }

  get hasUnflushed(): boolean {
    return this.#buffer.records > 0;
  }

  /** The namespace stands at `view`, `isOwn`: by this instance; called whenever it is known to have moved. */
  stands(view: NamespaceView, isOwn = false): void {
    if (view.position > this.#seenPosition) {
      if (!isOwn) this.#witness = witnessOf(this.#buffer, view) ?? this.#witness;
      this.#seenPosition = view.position;
      this.#lastCommitMs = this.#common.clock.monotonicMs();
    }
    this.#buffer.committed(view);
    this.#metrics.stands(view);
    this.#metrics.buffered(this.#buffer);
  }

  /**
   * @throws PositionGapError, DivergedError, and the errors of a flush when the buffer is full or every change is
   * flushed at once.
   */
  async apply(set: ChangeSet): Promise<void> {
    if (this.#diverged) throw this.#diverged;
    // a full buffer takes nothing
    if (this.#isFull) await this.flush();
    if (this.#isClosed) throw new ClosedError(`storage ${this.#name}`);
    this.#buffer.add(set);
    // a reader needs the positions only: no gap
    if (this.#settings.role === 'reader') this.#buffer.clear();
    this.#metrics.buffered(this.#buffer);
    if (this.#settings.role === 'leader') await this.flush();
    else if (this.#isFull) await this.flush();
    else if (this.#buffer.sizeBytes >= this.#settings.flushBytes && this.#isWhole) this.#flushSoon('full');
  }

  /** Resolves when everything applied before is committed; for a reader others do that in their time. */
  async flush(): Promise<void> {
    if (this.#settings.role === 'reader') return;
    const position = this.#buffer.position;
    // a flush that began before may have left out later changes
    while (this.#flushing) await this.#flushing.catch(() => undefined);
    if (this.#seenPosition >= position) return;
    await this.#flushNow('asked');
  }

  /**
   * Flushes a whole buffer. A part is left to the leader, and so is everything when the store is away: a restart
   * begins again after the last commit. No flush begins afterwards: the buffer knows its position without its records.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#cancelRetry?.();
    try {
      if (this.#isWhole) await this.flush();
    } catch (thrown) {
      if (this.#settings.role !== 'follower' || !isAway(thrown)) throw thrown;
      const { namespace } = this.#settings;
      this.#common.log.warn({ err: thrown, storage: namespace }, 'closed without a last flush: it can be made up for');
    } finally {
      await this.#flushing?.catch(() => undefined);
      this.#buffer.clear();
    }
  }

  get #isFull(): boolean {
    return this.#buffer.sizeBytes >= this.#settings.flushBytes * PARTIAL_FACTOR;
  }

  get #isWhole(): boolean {
    return this.#buffer.position >= this.#buffer.headPosition;
  }

  #onTimer(): void {
    const ageMs = this.#common.clock.monotonicMs() - this.#lastCommitMs;
    if (ageMs >= this.#settings.flushIntervalMs && this.#buffer.position > this.#seenPosition && this.#isWhole)
      this.#flushSoon('interval');
  }

  #flushSoon(why: Reason): void {
    if (this.#isClosed || this.#flushing || this.#cancelRetry || this.#common.clock.monotonicMs() < this.#putOffUntilMs)
      return;
    this.#flushNow(why).catch((thrown: unknown) => {
      this.#common.log.warn({ err: toError(thrown), storage: this.#settings.namespace }, 'cold flush failed');
      if (this.#isClosed) return;
      const delayMs = backoffMs(RETRY, this.#failures, this.#common.random);
      this.#failures += 1;
      this.#cancelRetry = this.#common.clock.after(delayMs, () => {
        this.#cancelRetry = null;
        this.#flushSoon(why);
      });
    });
  }

  #flushNow(why: Reason): Promise<void> {
    this.#flushing ??= this.#run(why).finally(() => {
      this.#flushing = null;
    });
    return this.#flushing;
  }

  async #run(why: Reason): Promise<void> {
    // followers are many: each flush begins with the commits of the others
    if (this.#settings.role === 'follower') this.#writer.distrust();
    let content: FlushContent | null = null;
    const result = await this.#writer.write(async (base) => {
      content = null;
      const wasOvertaken = base.position > this.#seenPosition;
      this.stands(base);
      this.#advanced(base);
      await this.#checkHistory(base);
      // another follower has just flushed: later changes can wait for their turn
      if (why !== 'asked' && wasOvertaken && this.#buffer.sizeBytes < this.#settings.flushBytes / 2) return null;
      content = this.#buffer.contentAbove(base.position);
      return content && { content, rewriteBytes: this.#rewriteBytes(why) };
    });
    this.#failures = 0;
    const { clock } = this.#common;
    if (content && !result) this.#putOffUntilMs = clock.monotonicMs() + this.#settings.flushIntervalMs;
    if (!result) return;
    this.stands(result.view, true);
    this.#advanced(result.view);
  }

  #rewriteBytes(why: Reason): number {
    const { flushBytes, flushIntervalMs } = this.#settings;
    const ageMs = this.#common.clock.monotonicMs() - this.#lastCommitMs;
    const mayWait = why !== 'asked' && !this.#isFull && ageMs < REWRITE_INTERVALS * flushIntervalMs;
    return mayWait ? REWRITE_FACTOR * flushBytes : Number.POSITIVE_INFINITY;
  }

  async #checkHistory(base: NamespaceView): Promise<void> {
    if (this.#diverged) throw this.#diverged;
    const witness = this.#witness;
    if (witness === null || this.#settings.role !== 'follower') return;
    try {
      await checkWitness(this.#name, this.#lookup, base, witness);
      if (this.#witness === witness) this.#witness = null;
    } catch (thrown) {
      if (thrown instanceof DivergedError) this.#diverged = thrown;
      throw thrown;
    }
  }
}

/** The store cannot be reached, or its owner has closed it. */
function isAway(thrown: unknown): thrown is IndexerError {
  return thrown instanceof ClosedError || (thrown instanceof IndexerError && thrown.retryable);
}
