import { setTimeout as sleep } from 'node:timers/promises';

/** What the process holds in the JavaScript heap and beside it once all garbage is collected. */
export async function settledBytes(): Promise<number> {
  if (!globalThis.gc) throw new Error('run with --expose-gc');
  // what a collection finalizes goes with the next one
  for (let pass = 0; pass < 3; pass += 1) {
    globalThis.gc();
    await sleep(20);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
