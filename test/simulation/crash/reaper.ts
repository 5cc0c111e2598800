import { AbortedError } from '../../../src/core/errors.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import type { ManualClock } from '../../support/manual-clock.js';

/** Which write the process does not survive: the `index`-th, from 0; before it took effect, or after, unheard of. */
export interface Death {
  readonly index: number;
  readonly when: 'before' | 'after';
}

/**
 * Counts all writes of a process, to the database and to the bucket, and ends it at one of them: from then on nothing that
 * it does reaches anything.
 */
export class Reaper {
  /** Every write so far, by what it is. */
  readonly writes: string[] = [];
  readonly #death: Death | null;
  readonly #onDeath: (() => void)[] = [];
  #counts = false;
  #isDead = false;

  constructor(death: Death | null) {
    this.#death = death;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** From now on writes count; before, nobody dies. */
  begin(): void {
    this.#counts = true;
  }

  end(): void {
    this.#counts = false;
  }

  onDeath(end: () => void): void {
    this.#onDeath.push(end);
  }

  /** A write is about to be made. Null: let it through; else the process ends at it, in this way. */
  next(what: string): Death['when'] | null {
    if (!this.#counts || this.#isDead) return null;
    this.writes.push(what);
    return this.#death?.index === this.writes.length - 1 ? this.#death.when : null;
  }

  kill(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    for (const end of this.#onDeath) end();
  }
}

/** The clock as the process sees it: for one that has ended no time passes, so that it neither tries again nor closes. */
export function mortalClock(clock: ManualClock, reaper: Reaper): ManualClock {
  return {
    ...clock,
    get pending() {
      return clock.pending;
    },
    async advance(durationMs) {
      if (reaper.isDead) throw new AbortedError('the process');
      await clock.advance(durationMs);
    },
  };
}

/** The bucket as the process sees it. */
export function mortalStore(store: ObjectStore, reaper: Reaper): ObjectStore {
  async function call<T>(effect: () => Promise<T>): Promise<T> {
    if (reaper.isDead) throw new ObjectStoreUnavailableError('the process has ended');
    const value = await effect();
    if (reaper.isDead) throw new ObjectStoreUnavailableError('the process has ended');
    return value;
  }
  async function write<T>(what: string, effect: () => Promise<T>): Promise<T> {
    const end = reaper.isDead ? null : reaper.next(what);
    if (end === 'before') reaper.kill();
    return await call(async () => {
      const value = await effect();
      if (end === 'after') reaper.kill();
      return value;
    });
  }
  return {
    putIfAbsent: (key, bytes) => write(`put ${nameOf(key)}`, () => store.putIfAbsent(key, bytes)),
    get: (key, range) => call(() => store.get(key, range)),
    head: (key) => call(() => store.head(key)),
    list: (prefix, options) => call(() => store.list(prefix, options)),
    deleteMany: (keys) => write(`delete ${keys.length} objects`, () => store.deleteMany(keys)),
    close: async () => undefined,
  };
}

/** A key without what is random in it. */
function nameOf(key: string): string {
  return key
    .replace(/^[^/]+\//, '')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '…')
    .replace(/day=[0-9-]+\//, '')
    .replace(/\d{20}/, '…');
}
