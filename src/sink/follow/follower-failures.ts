import { type Backoff, backoffMs } from '../../core/backoff.js';
import type { Random } from '../../core/random.js';
import type { Failure } from './side-error.js';

/** The failures since a follower was last current, and its wait after them. */
export class FollowerFailures {
  readonly #retry: Backoff;
  readonly #random: Random;
  #last: Failure | null = null;
  #inARow = 0;

  constructor(retry: Backoff, random: Random) {
    this.#retry = retry;
    this.#random = random;
  }

  /** The last error, until the follower has healed. */
  get error(): Error | null {
    return this.#last?.error ?? null;
  }

  /** The follower's own: it refuses the changes that it is told. A leader that cannot be read is not its failure. */
  get ownError(): Error | null {
    return this.#last?.of === 'follower' ? this.#last.error : null;
  }

  /** Returns for how many milliseconds to wait before the next attempt. */
  add(failure: Failure): number {
    this.#last = failure;
    const delayMs = backoffMs(this.#retry, this.#inARow, this.#random);
    this.#inARow += 1;
    return delayMs;
  }

  /** It holds everything. Returns whether there was anything to heal. */
  clear(): boolean {
    const wasFailing = this.#last !== null;
    this.#last = null;
    this.#inARow = 0;
    return wasFailing;
  }
}
