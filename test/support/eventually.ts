import { setTimeout as delay } from 'node:timers/promises';
import { PATIENCE_MS } from './patience.js';

/** Polls until `check` holds. For what happens in the background; fails with the last value when patience ends. */
export async function eventually(what: string, check: () => unknown): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  let last: unknown;
  do {
    last = await check();
    if (last === true) return;
    await delay(2);
  } while (performance.now() < endMs);
  throw new Error(`${what}: still ${JSON.stringify(last)} after ${PATIENCE_MS} ms`);
}
