import { type Clock, systemClock } from '../../src/core/clock.js';

/** The machine's timers, and a time of day that stands still until a test moves it. */
export interface StoppedClock extends Clock {
  advance(durationMs: number): void;
}

/** For code that compares times over a real socket: nothing grows old because the machine is busy. */
export function createStoppedClock(): StoppedClock {
  const startMs = Date.now();
  let elapsedMs = 0;
  return {
    ...systemClock,
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    advance(durationMs) {
      elapsedMs += durationMs;
    },
  };
}
