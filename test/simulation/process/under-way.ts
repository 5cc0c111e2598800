import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

/** A query that waits for a lock may wait for work that waits for the clock: when nothing ends for so long, it does. */
const LOCKED_MS = 10_000;

interface Tally {
  count: number;
  lastEndMs: number;
}

/** Several runs may go on beside each other: each knows its own work by the asynchronous context that it began in. */
const runs = new AsyncLocalStorage<Tally>();

/** Runs `work` as a run of its own. */
export async function asRun<T>(work: () => Promise<T>): Promise<T> {
  return await runs.run({ count: 0, lastEndMs: performance.now() }, work);
}

/** Counts work of this run as under way until the returned function is called. */
function begin(): () => void {
  const run = runs.getStore();
  if (!run) return () => undefined;
  run.count += 1;
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    run.count -= 1;
    run.lastEndMs = performance.now();
  };
}

/** Counts `work` as under way until it ends. */
export function trackWork<T>(work: Promise<T>): Promise<T> {
  const end = begin();
  work.then(end, end);
  return work;
}

type AnyCall = (this: pg.Client, ...args: unknown[]) => unknown;

// but for those of a store, the driver's calls are all that a simulated process waits for besides the clock
for (const name of ['connect', 'query', 'end'] as const) {
  const call = pg.Client.prototype[name] as unknown as AnyCall;
  const counted: AnyCall = function (...args) {
    const end = begin();
    const callback = args.at(-1);
    if (typeof callback === 'function')
      args[args.length - 1] = (...told: unknown[]) => {
        end();
        callback(...told);
      };
    const result = call.apply(this, args);
    if (result instanceof Promise) result.then(end, end);
    else if (typeof callback !== 'function') end();
    return result;
  };
  Object.assign(pg.Client.prototype, { [name]: counted });
}

/** Resolves when for so many milliseconds, one after the other, nothing of this run was under way. */
export async function calm(forMs: number, signal: AbortSignal): Promise<void> {
  const run = runs.getStore();
  if (!run) throw new Error('only the work of a run is counted: begin it with asRun');
  for (let calmMs = 0; calmMs < forMs; calmMs += 1) {
    await delay(1, undefined, { signal });
    if (run.count > 0 && performance.now() - run.lastEndMs < LOCKED_MS) calmMs = -1;
  }
}
