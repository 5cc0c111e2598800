import type { Clock } from '../core/clock.js';

/** Whether `work` succeeded within `durationMs`. The work itself is not ended, and its failure is the answer false. */
export async function succeedsWithin(clock: Clock, durationMs: number, work: Promise<unknown>): Promise<boolean> {
  let cancel: (() => void) | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    cancel = clock.after(durationMs, () => resolve(false));
  });
  const done = work.then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([done, timeout]);
  } finally {
    cancel?.();
  }
}
