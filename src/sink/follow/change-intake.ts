import type { ChangeSet } from '../../model/batch.js';
import { type BackendStorage, livesOnNews } from '../../storage/backend-storage.js';
import { CommitQueue } from './commit-queue.js';
import { type FollowerProgress, followedTo } from './follower-progress.js';
import type { HistoryMismatch } from './history-mismatch.js';
import type { LeaderPages, PageAhead } from './leader-pages.js';
import type { ReadRequests } from './read-requests.js';

const MAX_QUEUED_CHANGES = 10_000;
const MAX_QUEUED_BYTES = 32 << 20;

/** Calls of an intake to its follower. */
export interface IntakeEvents {
  /** Ends the intake between two sets. */
  isClosed(): boolean;
  /** The leader has answered with its changes. */
  onContact(): void;
  /** The set is applied. */
  onTook(set: ChangeSet): void;
  /** A read has reached the leader's head. */
  onHead(): void;
}

/** Brings a leader's changes into a backend, by position without gaps: announced commits, and pages that it reads. */
export class ChangeIntake {
  readonly queue = new CommitQueue(MAX_QUEUED_CHANGES, MAX_QUEUED_BYTES);
  readonly #storage: BackendStorage;
  readonly #progress: FollowerProgress;
  readonly #pages: LeaderPages;
  readonly #reads: ReadRequests;
  readonly #mismatch: HistoryMismatch;
  readonly #events: IntakeEvents;

  constructor(parts: {
    readonly storage: BackendStorage;
    readonly progress: FollowerProgress;
    readonly pages: LeaderPages;
    readonly reads: ReadRequests;
    readonly mismatch: HistoryMismatch;
    readonly events: IntakeEvents;
  }) {
    this.#storage = parts.storage;
    this.#progress = parts.progress;
    this.#pages = parts.pages;
    this.#reads = parts.reads;
    this.#mismatch = parts.mismatch;
    this.#events = parts.events;
  }

  /** Whether a commit was announced or a read is asked for. */
  get hasWork(): boolean {
    return !this.queue.isEmpty || this.#reads.isWaiting;
  }

  /**
   * Removes and returns the announced commit that continues where the backend stands; null: there is none. A commit on
   * top of another history than the one that is held is read, which finds that out.
   */
  takeNext(): ChangeSet | null {
    const next = this.queue.takeNext(followedTo(this.#storage, this.#progress));
    if (next === null || this.#progress.isSameHistory(next)) return next;
    this.#reads.make();
    return null;
  }

  /** Applies the announced commits up to the first gap. */
  async drainQueue(): Promise<void> {
    while (!this.#events.isClosed()) {
      const next = this.takeNext();
      if (next === null) return;
      await this.#apply(next);
    }
  }

  /**
   * Reads the leader from where the backend stands up to its head.
   * @throws DivergedError, FollowerAheadError, SideError
   */
  async readToHead(): Promise<void> {
    await this.#pages.place();
    let serves = this.#reads.latest;
    let ahead: PageAhead | null = null;
    try {
      for (let page = 0; !this.#events.isClosed(); page += 1) {
        const set = await this.#pages.next(ahead);
        ahead = null;
        this.#events.onContact();
        const isLast = set.throughPosition >= set.headPosition;
        if (page === 0 && !isLast && (await this.#pages.jumpAhead())) {
          serves = this.#reads.latest;
          continue;
        }
        if (isLast) {
          await this.#apply(set);
          this.#reads.serve(serves);
          this.#mismatch.equal(serves);
          this.#events.onHead();
          return;
        }
        serves = this.#reads.latest;
        ahead = this.#pages.ahead(set.throughPosition);
        await this.#apply(set);
      }
    } finally {
      // a leader is not closed below a read
      await ahead?.set;
    }
  }

  async #apply(set: ChangeSet): Promise<void> {
    const isNews = set.throughPosition > followedTo(this.#storage, this.#progress);
    if (!isNews) await this.#pages.compare(set);
    if (isNews || livesOnNews(this.#storage)) await this.#storage.apply(set);
    this.#events.onTook(set);
  }
}
