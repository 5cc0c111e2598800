/** Lets so many pieces of work run at a time, the others wait in order. */
export interface Turns {
  /** Pieces of work that wait for their turn. */
  readonly waiting: number;
  run<T>(work: () => Promise<T>): Promise<T>;
}

export function createTurns(most: number): Turns {
  let running = 0;
  const waiting: (() => void)[] = [];
  return {
    get waiting() {
      return waiting.length;
    },
    async run(work) {
      // a turn that ends is handed over: it cannot be taken in between
      if (running < most) running += 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else running -= 1;
      }
    },
  };
}
