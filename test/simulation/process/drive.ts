import type { ManualClock } from '../../support/manual-clock.js';
import { calm } from './under-way.js';

const NUDGE_MS = 250;
const MOST_NUDGES = 200;
/** How long nothing is under way when the clock is moved first, and when it is moved again. */
const [FIRST_CALM_MS, NEXT_CALM_MS] = [50, 2];

/**
 * Waits for `work`. While a query or a call of a store is under way it takes its real time, however slow the machine is;
 * when nothing is, it waits for the clock, which is then moved on.
 * @throws Error when it has not ended after 50 s of that clock.
 */
export async function drive<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let done = false;
  const stop = new AbortController();
  const end = () => {
    done = true;
    stop.abort();
  };
  work.then(end, end);
  for (let nudges = 0; ; nudges += 1) {
    await calm(nudges === 0 ? FIRST_CALM_MS : NEXT_CALM_MS, stop.signal).catch(() => 'it has ended');
    if (done) return await work;
    if (nudges > MOST_NUDGES) throw new Error('the run is stuck');
    await clock.advance(NUDGE_MS);
  }
}
