import type { Clock } from '../core/clock.js';
import { AbortedError } from '../core/errors.js';

/** The limits behind which reads of a store in use are held back; null: no such limit. */
export interface ThrottleLimits {
  readonly rowsPerSecond: number | null;
  /** An answer that takes longer shows a store under load: the next page waits, longer with each such answer. */
  readonly latencyMs: number | null;
  /** While a standby is further behind than this, no page is read. */
  readonly lagMs: number | null;
}

/** The limit that holds a page back now. */
export type Brake = 'rows' | 'latency' | 'lag';

/**
 * Holds back the pages of a pass over a store that serves others meanwhile. One pass at a time: a page is taken, read,
 * answered, and the next is taken.
 */
export interface Throttle {
  /**
   * Resolves when a page of so many rows may be read. A page is never cut: one above the rate is paid for by the wait
   * of the next.
   * @throws AbortedError as soon as `signal` aborts.
   */
  take(rows: number, signal?: AbortSignal): Promise<void>;
  /** Tells how long the store took for the page. */
  answered(durationMs: number): void;
  /** The limit for which `take` waits at this moment; null while it does not. */
  brake(): Brake | null;
}

/** The first rest after a slow answer is at least this. */
const LEAST_REST_MS = 50;
const MOST_REST_MS = 30_000;
/** A lag that holds is asked for again after this. */
const LAG_PERIOD_MS = 1_000;

/**
 * @param options.lag how far the furthest of the store's standbys is behind, in ms; null: none is, or there is no
 * telling. It is asked at most once a second; one that fails is as one that does not know.
 */
export function createThrottle(options: {
  readonly limits: ThrottleLimits;
  readonly lag?: () => Promise<number | null>;
  readonly clock: Clock;
}): Throttle {
  const { limits, lag, clock } = options;
  const perRowMs = limits.rowsPerSecond === null ? 0 : 1_000 / limits.rowsPerSecond;
  /** When the rows that were taken are paid for. */
  let dueMs = 0;
  let restMs = 0;
  let restedMs = 0;
  let lagAskedMs = Number.NEGATIVE_INFINITY;
  let isLagging = false;
  let brake: Brake | null = null;

  async function wait(untilMs: number, why: Brake, signal?: AbortSignal): Promise<void> {
    const waitMs = untilMs - clock.monotonicMs();
    if (waitMs <= 0) return;
    brake = why;
    try {
      await clock.sleep(waitMs, signal);
    } finally {
      brake = null;
    }
  }

  async function isBehind(limitMs: number, probe: () => Promise<number | null>): Promise<boolean> {
    if (clock.monotonicMs() - lagAskedMs < LAG_PERIOD_MS) return isLagging;
    const lagMs = await probe().catch(() => null);
    lagAskedMs = clock.monotonicMs();
    isLagging = lagMs !== null && lagMs > limitMs;
    return isLagging;
  }

  return {
    async take(rows, signal) {
      await wait(dueMs, 'rows', signal);
      await wait(restedMs, 'latency', signal);
      if (lag && limits.lagMs !== null)
        while (await isBehind(limits.lagMs, lag)) await wait(lagAskedMs + LAG_PERIOD_MS, 'lag', signal);
      if (signal?.aborted) throw new AbortedError('a page');
      dueMs = Math.max(dueMs, clock.monotonicMs()) + rows * perRowMs;
    },
    answered(durationMs) {
      if (limits.latencyMs === null) return;
      restMs =
        durationMs > limits.latencyMs
          ? Math.min(MOST_REST_MS, Math.max(LEAST_REST_MS, durationMs, 2 * restMs))
          : restMs / 2;
      // the last halves of a rest are nothing that the store would notice
      if (restMs < 1) restMs = 0;
      restedMs = clock.monotonicMs() + restMs;
    },
    brake: () => brake,
  };
}
