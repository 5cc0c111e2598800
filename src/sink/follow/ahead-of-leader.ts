import type { FollowerAheadError } from '../sink-errors.js';
import type { ReadRequests } from './read-requests.js';

/** The commits that a durable follower holds and its leader lacks, until a read of the leader shows the two equal. */
export class AheadOfLeader {
  readonly #reads: ReadRequests;
  #error: FollowerAheadError | null = null;
  /** An earlier read of the leader does not say that it has caught up. */
  #untilRead = 0;

  constructor(reads: ReadRequests) {
    this.#reads = reads;
  }

  get error(): FollowerAheadError | null {
    return this.#error;
  }
  found(error: FollowerAheadError | null): void {
    this.#error = error;
    this.#untilRead = this.#reads.latest + 1;
  }
  /** A read that began when `latest` was the latest request found the two equal. */
  equal(latest: number): void {
    if (latest >= this.#untilRead) this.#error = null;
  }
  forget(): void {
    this.#error = null;
  }
}
