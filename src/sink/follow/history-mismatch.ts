import { DivergedError, PositionGapError } from '../../model/storage-errors.js';
import { type BackendStorage, startsAnywhere } from '../../storage/backend-storage.js';
import { FollowerAheadError } from './follower-ahead-error.js';
import type { FollowerProgress } from './follower-progress.js';
import type { ReadRequests } from './read-requests.js';

/**
 * The difference between the histories of a durable follower and its leader: commits that the leader lacks, until a
 * read of it shows the two equal, or other commits at the same positions, for good.
 */
export class HistoryMismatch {
  readonly #storage: BackendStorage;
  readonly #progress: FollowerProgress;
  readonly #reads: ReadRequests;
  #ahead: FollowerAheadError | null = null;
  /** An earlier read of the leader does not say that it has caught up. */
  #untilRead = 0;
  /** Only people can mend it; later reads prove nothing. */
  #diverged: DivergedError | null = null;

  constructor(storage: BackendStorage, progress: FollowerProgress, reads: ReadRequests) {
    this.#storage = storage;
    this.#progress = progress;
    this.#reads = reads;
  }

  get ahead(): FollowerAheadError | null {
    return this.#ahead;
  }
  get diverged(): DivergedError | null {
    return this.#diverged;
  }

  /** The leader was set back, or lacks commits of the follower; null: none beyond those that are known. */
  foundAhead(error: FollowerAheadError | null): void {
    if (error !== null) this.#ahead = error;
    this.#untilRead = this.#reads.latest + 1;
  }
  /** A read that began when `latest` was the latest request found the two equal. */
  equal(latest: number): void {
    if (latest >= this.#untilRead) this.#ahead = null;
  }

  /** Takes note of an error of following; one that concerns no history changes nothing. */
  failed(error: Error): void {
    if (error instanceof FollowerAheadError && this.#storage.durable) this.foundAhead(error);
    // a database that was set back: where it stands now is found out anew
    if (error instanceof PositionGapError && this.#storage.durable) this.#progress.displaced();
    if (error instanceof DivergedError && !startsAnywhere(this.#storage)) {
      this.#diverged = error;
      this.#ahead = null;
      this.#progress.displaced();
    }
  }
}
