/** Work that ends when its signal aborts. */
interface Runs {
  run(signal: AbortSignal): Promise<void>;
}

/** Runs `main` and the others until `main` ends: all end together, and the others never end by themselves. */
export async function runBeside(main: Runs, others: readonly (Runs | null)[], signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const beside = others.map((other) => other?.run(AbortSignal.any([signal, stop.signal])));
  try {
    await main.run(signal);
  } finally {
    stop.abort();
    await Promise.all(beside);
  }
}
