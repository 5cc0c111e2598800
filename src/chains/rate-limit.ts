import type { Clock } from '../core/clock.js';

/** Spaces out requests: at most `perSecond` a second on average, and a second's worth at once. */
export interface RateLimit {
  /**
   * Resolves when one more request may be sent, in the order of the calls.
   * @throws AbortedError when `signal` aborts.
   */
  take(signal: AbortSignal): Promise<void>;
  /** Lets nothing through for `durationMs`. */
  pause(durationMs: number): void;
}

/**
 * A token bucket kept as one instant, the time at which it would be full again (the generic cell rate algorithm), so
 * that it needs no timer of its own. `perSecond` null: only pauses hold.
 */
export function createRateLimit({
  perSecond,
  clock,
}: {
  readonly perSecond: number | null;
  readonly clock: Clock;
}): RateLimit {
  const spacingMs = perSecond === null ? 0 : 1000 / perSecond;
  const burstMs = perSecond === null ? 0 : Math.max(0, 1000 - spacingMs);
  let fullAtMs = 0;
  let pausedUntilMs = 0;

  return {
    async take(signal) {
      const nowMs = clock.monotonicMs();
      const startMs = Math.max(fullAtMs, nowMs);
      fullAtMs = startMs + spacingMs;
      const readyMs = Math.max(startMs - burstMs, pausedUntilMs);
      if (readyMs > nowMs) await clock.sleep(readyMs - nowMs, signal);
    },
    pause(durationMs) {
      pausedUntilMs = Math.max(pausedUntilMs, clock.monotonicMs() + durationMs);
    },
  };
}
