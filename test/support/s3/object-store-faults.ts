import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';

export type FaultyOperation = 'put' | 'get' | 'head' | 'list' | 'delete';

/** One failure to come. */
export interface Fault {
  readonly operation: FaultyOperation;
  /** Which of the calls from now on, 1 the next one; 1 when not given. Only calls that match `key` count. */
  readonly nth?: number;
  /** `before` its effect, or `after` it: done, but the caller is told that it failed. */
  readonly when: 'before' | 'after';
  /** Only calls about such a key (or prefix) count. */
  readonly key?: (key: string) => boolean;
  /** Thrown; an ObjectStoreUnavailableError when not given. A function is run instead and may throw, wait or kill. */
  readonly error?: Error | (() => Promise<void> | void);
}

/** A call that reached the store. */
export interface StoreCall {
  readonly operation: FaultyOperation;
  /** The key, the prefix of a list, or the first key of a delete. */
  readonly key: string;
}

/** A store that fails when told to. */
export interface FaultyObjectStore extends ObjectStore {
  /** Every call so far, failed ones too: their number is the number of points at which a run can be cut. */
  readonly calls: readonly StoreCall[];
  failOn(fault: Fault): void;
  /** Forgets all faults that have not happened. */
  heal(): void;
}

/** Puts fault injection in front of `store`. */
export function createFaultyObjectStore(store: ObjectStore): FaultyObjectStore {
  const calls: StoreCall[] = [];
  let pending: { readonly fault: Fault; left: number }[] = [];

  const around = async <T>(operation: FaultyOperation, key: string, effect: () => Promise<T>): Promise<T> => {
    calls.push({ operation, key });
    const due = pending.filter((entry) => {
      const { fault } = entry;
      if (fault.operation !== operation || !(fault.key?.(key) ?? true)) return false;
      entry.left--;
      return entry.left === 0;
    });
    pending = pending.filter(({ left }) => left > 0);
    for (const { fault } of due) if (fault.when === 'before') await strike(fault);
    const result = await effect();
    for (const { fault } of due) if (fault.when === 'after') await strike(fault);
    return result;
  };

  return {
    calls,
    failOn: (fault) => {
      pending.push({ fault, left: fault.nth ?? 1 });
    },
    heal: () => {
      pending = [];
    },
    putIfAbsent: (key, bytes) => around('put', key, () => store.putIfAbsent(key, bytes)),
    get: (key, range) => around('get', key, () => store.get(key, range)),
    head: (key) => around('head', key, () => store.head(key)),
    list: (prefix, options) => around('list', prefix, () => store.list(prefix, options)),
    deleteMany: (keys) => around('delete', keys[0] ?? '', () => store.deleteMany(keys)),
    close: () => store.close(),
  };
}

async function strike({ operation, when, error }: Fault): Promise<void> {
  if (typeof error === 'function') await error();
  else throw error ?? new ObjectStoreUnavailableError(`injected failure ${when} a ${operation}`);
}
