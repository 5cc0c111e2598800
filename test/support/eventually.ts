import { setTimeout as delay } from 'node:timers/promises';
import { PATIENCE_MS } from './patience.js';

const LONGEST_PAUSE_MS = 250;

/** Polls until `check` holds. For what happens in the background; fails with the last value when patience ends. */
export async function eventually(what: string, check: () => unknown): Promise<void> {
  const startMs = performance.now();
  const endMs = startMs + PATIENCE_MS;
  let last: unknown;
  do {
    last = await check();
    if (last === true) return;
    // to ask on and on would slow down what is waited for
    await delay(Math.min(LONGEST_PAUSE_MS, (performance.now() - startMs) / 10));
  } while (performance.now() < endMs);
  throw new Error(`${what}: still ${JSON.stringify(last)} after ${PATIENCE_MS} ms`);
}
