import { setTimeout as sleep } from 'node:timers/promises';

/** Bytes that the process holds in the JavaScript heap and beside it, after all garbage is collected. */
export async function settledBytes(): Promise<number> {
  if (!globalThis.gc) throw new Error('run with --expose-gc');
  // objects that a collection finalizes go with the next one
  for (let pass = 0; pass < 3; pass += 1) {
    globalThis.gc();
    await sleep(20);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
