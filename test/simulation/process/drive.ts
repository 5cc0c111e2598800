import { setTimeout as delay } from 'node:timers/promises';
import type { ManualClock } from '../../support/manual-clock.js';

const NUDGE_MS = 250;
const MOST_NUDGES = 200;

/**
 * Waits for `work`. What it does over a socket takes its real time; only when it does not end within `patienceMs` the
 * clock is moved on, because then it waits for that.
 */
export async function drive<T>(clock: ManualClock, work: Promise<T>, patienceMs: () => number): Promise<T> {
  let done = false;
  const end = () => {
    done = true;
  };
  const settled = work.then(end, end);
  for (let nudges = 0; ; nudges += 1) {
    const stop = new AbortController();
    await Promise.race([settled, delay(patienceMs(), undefined, { signal: stop.signal }).catch(() => undefined)]);
    stop.abort();
    if (done) return await work;
    if (nudges > MOST_NUDGES) throw new Error('the run is stuck');
    await clock.advance(NUDGE_MS);
  }
}
