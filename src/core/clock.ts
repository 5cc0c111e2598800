import { setTimeout as delay } from 'node:timers/promises';
import { AbortedError } from './errors.js';

/** The only source of time and timers. Pass another one to replay or simulate a run. */
export interface Clock {
  /** Wall-clock time in unix milliseconds. */
  nowMs(): number;
  /** Monotonic time in milliseconds from an arbitrary start; for durations. */
  monotonicMs(): number;
  /**
   * Resolves after `durationMs`.
   * @throws AbortedError as soon as `signal` aborts.
   */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
  /** Runs `callback` once after `durationMs`; the returned function cancels it. Does not keep the process alive. */
  after(durationMs: number, callback: () => void): () => void;
  /** Runs `callback` every `periodMs` until cancelled. Does not keep the process alive. */
  every(periodMs: number, callback: () => void): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(durationMs, signal) {
    try {
      await delay(durationMs, undefined, signal ? { signal } : {});
    } catch (cause) {
      throw new AbortedError('sleep', { cause });
    }
  },
  after(durationMs, callback) {
    const timer = setTimeout(callback, durationMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  every(periodMs, callback) {
    const timer = setInterval(callback, periodMs);
    timer.unref();
    return () => clearInterval(timer);
  },
};
