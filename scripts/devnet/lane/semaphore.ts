/** Runs `task` once a place is free, and resolves or rejects as it does. */
export type Semaphore = <T>(task: () => Promise<T>) => Promise<T>;

/** At most `places` tasks at a time; the others wait in order. */
export function createSemaphore(places: number): Semaphore {
  const waiting: (() => void)[] = [];
  let free = places;
  return async (task) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
