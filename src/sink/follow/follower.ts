import type { Common } from '../../core/common.js';
import { assertNever, ClosedError, toError } from '../../core/errors.js';
import type { ChangeSet } from '../../model/batch.js';
import { BEGINNING } from '../../model/boundary.js';
import type { DivergedError } from '../../model/storage-errors.js';
import { type BackendStorage, startsAnywhere } from '../../storage/backend-storage.js';
import type { AdvanceEvent } from '../../storage/storage.js';
import { ChangeIntake } from './change-intake.js';
import type { FollowerAheadError } from './follower-ahead-error.js';
import { FollowerFailures } from './follower-failures.js';
import { FollowerLag } from './follower-lag.js';
import type { FollowerEvents, FollowerOptions, FollowerState } from './follower-options.js';
import { FollowerProgress, followedTo } from './follower-progress.js';
import { HistoryMismatch } from './history-mismatch.js';
import { type ChangesAfter, LeaderPages } from './leader-pages.js';
import { ReadRequests } from './read-requests.js';
import { type Failure, failureOf, ofSide } from './side-error.js';
import { Waiters } from './waiters.js';

/**
 * Keeps one backend equal to the leader.
 *
 * ```
 * starting ────── placed at its boundary ──────────────────▶ catching-up
 * catching-up ─── reached the leader's head ───────────────▶ current
 * current ─────── commit that continues where it stands ───▶ current   (no read: the event carries the changes)
 * current ─────── gap, 'advanced', heartbeat, confirm() ───▶ current   (reads the rest of the leader's changes)
 * any ─────────── an error of leader or follower ──────────▶ failing
 * failing ─────── backoff over, or a write needs it ───────▶ catching-up
 * any ─────────── another history than the leader's ───────▶ failing   (for good, unless its records can be read again)
 * any ─────────── close() ─────────────────────────────────▶ closed
 * ```
 *
 * Invariants: one attempt runs at a time. Changes are applied in position order without gaps.
 */
export class Follower {
  readonly progress: FollowerProgress;
  readonly #storage: BackendStorage;
  readonly #common: Common;
  readonly #options: FollowerOptions;
  readonly #events: FollowerEvents;
  readonly #pages: LeaderPages;
  readonly #waiters = new Waiters();
  readonly #reads = new ReadRequests();
  readonly #mismatch: HistoryMismatch;
  readonly #intake: ChangeIntake;

  #state: FollowerState = 'starting';
  readonly #failures: FollowerFailures;
  readonly #lag: FollowerLag;
  #hadContact = false;
  /** Cleared in the same turn in which an attempt finds nothing more to do, so that no request is lost in between. */
  #isRunning = false;
  #attempt: Promise<void> = Promise.resolve();
  #cancelRetry: (() => void) | null = null;
  #cancelHeartbeat: (() => void) | null = null;

  constructor(parts: {
    readonly leader: BackendStorage;
    readonly storage: BackendStorage;
    /** See `PagesSource.changesAfter`. */
    readonly changesAfter: ChangesAfter;
    readonly common: Common;
    readonly options: FollowerOptions;
    readonly events: FollowerEvents;
  }) {
    this.progress = new FollowerProgress(parts.common.clock);
    this.#lag = new FollowerLag(parts.storage, this.progress, parts.common.clock);
    this.#failures = new FollowerFailures(parts.options.retry, parts.common.random);
    this.#storage = parts.storage;
    this.#common = parts.common;
    this.#options = parts.options;
    this.#events = parts.events;
    this.#pages = new LeaderPages({
      leader: parts.leader,
      follower: parts.storage,
      changesAfter: parts.changesAfter,
      progress: this.progress,
      pageSize: parts.options.pageSize,
    });
    this.#mismatch = new HistoryMismatch(parts.storage, this.progress, this.#reads);
    this.#intake = new ChangeIntake({
      ...{ storage: parts.storage, progress: this.progress, pages: this.#pages },
      ...{ reads: this.#reads, mismatch: this.#mismatch },
      events: {
        isClosed: () => this.#isClosed(),
        onContact: () => this.#contacted(),
        onTook: (set) => this.#took(set),
        onHead: () => this.#waiters.settle(),
      },
    });
  }

  get state(): FollowerState {
    return this.#state;
  }
  /** The error that it failed with, until it has healed. */
  get lastError(): Error | null {
    return this.#failures.error;
  }
  /** Not null while a durable backend holds commits that the leader lacks, whatever else fails in between. */
  get ahead(): FollowerAheadError | null {
    return this.#mismatch.ahead;
  }
  /** Another history than the leader's: nothing but people can mend it. */
  get diverged(): DivergedError | null {
    return this.#mismatch.diverged;
  }
  /** Every change of the leader up to this position is applied; a storage that buffers answers for less. */
  get throughPosition(): bigint {
    return followedTo(this.#storage, this.progress);
  }
  /** The known distance between the leader and the coverage of the backend, in positions. */
  get lagPositions(): bigint {
    return this.#lag.positions;
  }
  /** Milliseconds since it was last known to hold all that it knows of, 0 while it does; `Infinity`: never whole. */
  get lagMs(): number {
    return this.#lag.ms(this.#state === 'current');
  }

  /** Begins to follow. */
  start(): void {
    // Without this an empty windowed store would speak as if it were complete from the beginning.
    if (startsAnywhere(this.#storage) && this.throughPosition === 0n) this.#storage.rebase(BEGINNING);
    const { clock } = this.#common;
    const { heartbeatMs } = this.#options;
    this.#cancelHeartbeat = clock.every(Math.max(1, Math.floor(heartbeatMs / 2)), () => {
      if (this.#state === 'current' && this.progress.newsAgeMs >= heartbeatMs) this.requestRead();
    });
    this.requestRead();
  }

  /** Takes an event of the leader. Events come in position order. */
  hear(event: AdvanceEvent): void {
    if (this.#isClosed()) return;
    switch (event.kind) {
      case 'committed':
        this.progress.know(event.changes.throughPosition);
        this.#hearCommit(event.changes);
        return;
      case 'advanced':
        this.progress.know(event.throughPosition);
        if (event.throughPosition > this.throughPosition && this.#failures.ownError === null) this.requestRead();
        return;
      case 'set-back':
        this.progress.setBack(event.head.position);
        this.#mismatch.foundAhead(this.#pages.aheadOf(event.head));
        this.requestRead();
        return;
      default:
        assertNever(event, 'advance event');
    }
  }

  /** Asks the leader for the changes after this position. */
  requestRead(): void {
    this.#reads.make();
    this.#run();
  }

  /**
   * Resolves when everything up to `position` is applied. A failing follower is tried again at once.
   * @throws the error of the attempt that failed before that.
   */
  async holds(position: bigint): Promise<void> {
    this.#checkOpen();
    if (this.throughPosition >= position) return;
    const held = this.#waiters.until(() => this.throughPosition >= position);
    if (!this.#isRunning) this.requestRead();
    await held;
  }

  /**
   * Resolves when everything that the leader had when this was called is applied.
   * @throws the error of the attempt that failed before that.
   */
  async confirm(): Promise<void> {
    this.#checkOpen();
    const read = this.#reads.latest + 1;
    const confirmed = this.#waiters.until(() => this.#reads.isServed(read));
    this.requestRead();
    await confirmed;
  }

  /** Resolves once the leader's head was compared with where this stands, or an attempt to do so failed. */
  async contact(): Promise<void> {
    if (this.#hadContact) return;
    await this.#waiters.until(() => this.#hadContact).catch(() => undefined);
  }

  /** Stops following; an attempt under way is awaited. */
  async close(): Promise<void> {
    this.#state = 'closed';
    this.#cancelHeartbeat?.();
    this.#cancelRetry?.();
    this.#intake.queue.clear();
    this.#waiters.fail(new ClosedError(`follower ${this.#storage.name}`));
    await this.#attempt;
  }

  #hearCommit(set: ChangeSet): void {
    const { ownError } = this.#failures;
    if (ownError !== null) {
      this.#events.onMissed(ownError, set.throughPosition);
      return;
    }
    this.#intake.queue.add(set);
    if (this.#isRunning) return;
    const next = this.#state === 'current' ? this.#intake.takeNext() : null;
    if (next) this.#takeNow(next);
    else if (this.#intake.hasWork) this.requestRead();
  }

  /** An in-process backend has the changes when this returns: the writer's promise then resolves after it. */
  #takeNow(set: ChangeSet): void {
    const applied = this.#storage.apply(set);
    if (this.throughPosition >= set.throughPosition) {
      this.#took(set);
      applied.catch((thrown: unknown) => this.#fail({ of: 'follower', error: toError(thrown) }));
    } else this.#run(applied.then(() => this.#took(set)).catch(ofSide('follower')));
  }

  /** Runs attempts, one at a time, for as long as there is something to do; `first` is work already begun. */
  #run(first?: Promise<void>): void {
    if (this.#isRunning || this.#isClosed()) return;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#isRunning = true;
    this.#attempt = this.#runAll(first);
  }

  async #runAll(first: Promise<void> | undefined): Promise<void> {
    try {
      await first;
      while (!this.#isClosed()) {
        if (this.progress.isPlaced) await this.#intake.drainQueue();
        if (!this.#intake.hasWork) return;
        if (this.diverged) throw this.diverged;
        if (this.#state !== 'current') this.#state = 'catching-up';
        await this.#intake.readToHead();
      }
    } catch (thrown) {
      this.#fail(await this.#takeWhatIsHere(failureOf(thrown)));
    } finally {
      this.#isRunning = false;
    }
  }

  /** A leader that cannot be read may still commit: announced commits count. */
  async #takeWhatIsHere(failure: Failure): Promise<Failure> {
    if (failure.of === 'follower' || !this.progress.isPlaced) return failure;
    try {
      await this.#intake.drainQueue();
      return failure;
    } catch (thrown) {
      return failureOf(thrown);
    }
  }

  #took(set: ChangeSet): void {
    if (this.progress.took(set) && !this.#isClosed()) {
      this.#state = 'current';
      if (this.#failures.clear()) this.#events.onHealed();
    }
    this.#waiters.settle();
    this.#events.onProgress();
  }

  #contacted(): void {
    if (this.#hadContact) return;
    this.#hadContact = true;
    this.#waiters.settle();
  }

  #fail(failure: Failure): void {
    if (this.#isClosed()) return;
    const wasFailing = this.#failures.ownError !== null;
    this.#state = 'failing';
    const delayMs = this.#failures.add(failure);
    if (failure.of === 'follower') this.#intake.queue.clear();
    this.#mismatch.failed(failure.error);
    this.#hadContact = true;
    if (failure.of === 'follower' && !wasFailing) this.#events.onMissed(failure.error, this.progress.leaderPosition);
    this.#waiters.fail(failure.error);
    this.#events.onProgress();
    this.#cancelRetry?.();
    this.#cancelRetry = this.#common.clock.after(delayMs, () => this.requestRead());
  }

  #checkOpen(): void {
    if (this.#isClosed()) throw new ClosedError(`follower ${this.#storage.name}`);
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }
}
