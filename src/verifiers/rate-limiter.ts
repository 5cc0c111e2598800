import type { Clock } from '../core/clock.js';

/** Spaces calls out in time. */
export interface RateLimiter {
  /**
   * Resolves when the caller may go on.
   * @throws AbortedError as soon as `signal` aborts.
   */
  take(signal?: AbortSignal): Promise<void>;
  /** Lets nobody through for `durationMs` from now, because the other side said so. */
  pause(durationMs: number): void;
}

/** Lets `perSecond` calls through a second on average, and up to `burst` of them at once after a rest. */
export function createRateLimiter(options: {
  readonly perSecond: number;
  readonly burst: number;
  readonly clock: Clock;
}): RateLimiter {
  const { clock } = options;
  const intervalMs = 1_000 / options.perSecond;
  const toleranceMs = intervalMs * (Math.max(1, options.burst) - 1);
  // The generic cell rate algorithm: the time at which the next call would be exactly on schedule.
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
