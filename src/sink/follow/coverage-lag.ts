import type { Clock } from '../../core/clock.js';

/**
 * For how long a backend that buffers has not answered for something it was told of: since the first commit above where
 * it stood when it last moved on.
 */
export class CoverageLag {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #uncovered: { readonly position: bigint; readonly sinceMs: number } | null = null;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** The lag in ms of a backend that answers up to `coveredPosition`; 0: nothing is missing. */
  measure(leaderPosition: bigint, coveredPosition: bigint): number {
    const nowMs = this.#clock.monotonicMs();
    if (this.#uncovered !== null && coveredPosition >= this.#uncovered.position) this.#uncovered = null;
    if (leaderPosition > coveredPosition) this.#uncovered ??= { position: leaderPosition, sinceMs: nowMs };
    return this.#uncovered === null ? 0 : nowMs - this.#uncovered.sinceMs;
  }
}
