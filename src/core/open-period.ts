import type { IBackoff } from 'cockatiel';
import type { Backoff } from './backoff.js';
import type { Clock } from './clock.js';

/**
 * How long a circuit stays open, doubling with every failed try, told by our clock. Cockatiel compares
 * `Date.now() - openedAt` with `duration`, so a duration that is infinite until the time has come, and then below
 * everything, takes its own clock out of the question. Its breaker and its bulkhead have no timers.
 */
export class OpenPeriod implements IBackoff<unknown> {
  readonly #options: { readonly clock: Clock; readonly backoff: Backoff };
  readonly #attempt: number;
  readonly #endsMs: number;

  constructor(options: { readonly clock: Clock; readonly backoff: Backoff }, attempt = 0) {
    this.#options = options;
    this.#attempt = attempt;
    const { baseMs, maxMs } = options.backoff;
    this.#endsMs = options.clock.monotonicMs() + Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 52));
  }

  get duration(): number {
    return this.#options.clock.monotonicMs() >= this.#endsMs ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }

  next(): OpenPeriod {
    return new OpenPeriod(this.#options, this.#attempt + 1);
  }
}
