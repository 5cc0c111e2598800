import { setTimeout as delay } from 'node:timers/promises';

/** Polls until `check` holds. For what happens in the background; fails with the last value after `deadlineMs`. */
export async function eventually(what: string, check: () => unknown, deadlineMs = 15_000): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  let last: unknown;
  do {
    last = await check();
    if (last === true) return;
    await delay(2);
  } while (performance.now() < endMs);
  throw new Error(`${what}: still ${JSON.stringify(last)} after ${deadlineMs} ms`);
}
