import type { Clock } from './clock.js';
import { AbortedError } from './errors.js';

/** A pause of one loop that others can end. */
export interface Alarm {
  /** Ends the pause that is under way; without one, the next pause ends at once. */
  wake(): void;
  /** Resolves after `durationMs`, when woken, or when `signal` aborts. One pause at a time. */
  pause(durationMs: number, signal: AbortSignal): Promise<void>;
}

/** Creates the alarm of a loop. */
export function createAlarm(clock: Clock): Alarm {
  let woken = false;
  let ring: () => void = () => undefined;
  return {
    wake() {
      woken = true;
      ring();
    },
    async pause(durationMs, signal) {
      const waking = new AbortController();
      ring = () => waking.abort();
      signal.addEventListener('abort', ring, { once: true });
      if (signal.aborted || woken) ring();
      try {
        await clock.sleep(durationMs, waking.signal);
      } catch (thrown) {
        if (!(thrown instanceof AbortedError)) throw thrown;
      } finally {
        signal.removeEventListener('abort', ring);
        ring = () => undefined;
        woken = false;
      }
    },
  };
}
