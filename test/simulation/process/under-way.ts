import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { ManualClock } from '../../support/manual-clock.js';

const NUDGE_MS = 250;
const MOST_NUDGES = 200;
/** How long nothing is under way when the clock is moved first, and when it is moved again. */
const [FIRST_CALM_MS, NEXT_CALM_MS] = [50, 2];
/** Work under way is looked at again after so long: each look wakes the process up, and `drive` hears of its own work at once. */
const LOOK_MS = 5;
/** A query that waits for a lock may wait for work that waits for the clock: when nothing ends for so long, it does. */
const LOCKED_MS = 10_000;

/**
 * Runs by their database: several go on beside each other, each over its own. An asynchronous context would tell them apart
 * as well, and slow down every promise of every test that the process has after them.
 */
const runs = new Map<string | undefined, UnderWay>();

/** The work of a run that is under way: calls of its stores, and those of the driver to its database. */
export class UnderWay {
  readonly #clock: ManualClock;
  #count = 0;
  #lastEndMs = performance.now();

  /** From now on the driver's calls to that database are this run's. */
  constructor(clock: ManualClock, database: string) {
    this.#clock = clock;
    runs.set(database, this);
  }

  /** Counts work as under way until the returned function is called. */
  begin(): () => void {
    this.#count += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#count -= 1;
      this.#lastEndMs = performance.now();
    };
  }

  /** Counts `work` as under way until it ends. */
  track<T>(work: Promise<T>): Promise<T> {
    const end = this.begin();
    work.then(end, end);
    return work;
  }

  /**
   * Waits for `work`. While a query or a call of a store is under way it takes its real time, however slow the machine is;
   * when nothing is, it waits for the clock, which is then moved on.
   * @throws Error when it has not ended after 50 s of that clock.
   */
  async drive<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const end = () => {
      done = true;
    };
    const ended = work.then(end, end);
    for (let nudges = 0; ; nudges += 1) {
      await Promise.race([ended, this.#calm(nudges === 0 ? FIRST_CALM_MS : NEXT_CALM_MS, () => done)]);
      if (done) return await work;
      if (nudges > MOST_NUDGES) throw new Error('the run is stuck');
      await this.#clock.advance(NUDGE_MS);
    }
  }

  /** Resolves when for so many milliseconds, one after the other, nothing was under way, or when it need not be known. */
  async #calm(forMs: number, isOver: () => boolean): Promise<void> {
    for (let calmMs = 0; calmMs < forMs && !isOver(); calmMs += 1) {
      await delay(this.#count > 0 ? LOOK_MS : 1);
      if (this.#count > 0 && performance.now() - this.#lastEndMs < LOCKED_MS) calmMs = -1;
    }
  }
}

type AnyCall = (this: pg.Client, ...args: unknown[]) => unknown;

// but for those of a store, the driver's calls are all that a simulated process waits for besides the clock
for (const name of ['connect', 'query', 'end'] as const) {
  const call = pg.Client.prototype[name] as unknown as AnyCall;
  const counted: AnyCall = function (...args) {
    const end = runs.get(this.database)?.begin();
    if (!end) return call.apply(this, args);
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
