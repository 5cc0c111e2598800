import type { Clock } from './clock.js';

/** Spaces calls out in time, in the order in which they were made. */
export interface RateLimiter {
  /**
   * Resolves when the caller may go on.
   * @throws AbortedError as soon as `signal` aborts.
   */
  take(signal?: AbortSignal): Promise<void>;
  /** Lets no call through for `durationMs` from now, because the other side asked for it. */
  pause(durationMs: number): void;
}

/**
 * Lets `perSecond` calls through a second on average, and up to `burst` (default: a second's worth) at once after a
 * rest. A token bucket kept as one instant, the time at which the next call would be exactly on schedule (the generic
 * cell rate algorithm), so that it needs no timer of its own. `perSecond` null: only pauses hold.
 */
export function createRateLimiter(options: {
  readonly perSecond: number | null;
  readonly burst?: number;
  readonly clock: Clock;
}): RateLimiter {
  const { clock, perSecond } = options;
  const intervalMs = perSecond === null ? 0 : 1_000 / perSecond;
  const toleranceMs = intervalMs * (Math.max(1, options.burst ?? perSecond ?? 1) - 1);
  let dueMs = 0;
  let pausedUntilMs = 0;

  return {
    async take(signal) {
      const nowMs = clock.monotonicMs();
      dueMs = Math.max(dueMs, nowMs);
      const waitMs = Math.max(dueMs - toleranceMs, pausedUntilMs) - nowMs;
      dueMs += intervalMs;
      if (waitMs > 0) await clock.sleep(waitMs, signal);
    },
    pause(durationMs) {
      pausedUntilMs = Math.max(pausedUntilMs, clock.monotonicMs() + durationMs);
    },
  };
}
