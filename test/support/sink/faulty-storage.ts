import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import type { BackendStorage } from '../../../src/storage/backend-storage.js';

/** Methods of a storage that can be made to fail. */
export type Operation = OperationOf<BackendStorage>;
type OperationOf<S> = S extends unknown
  ? { [K in keyof S]: S[K] extends (...args: never[]) => Promise<unknown> ? K : never }[keyof S]
  : never;

/** A real storage that fails when it is told to: fault injection around it, nothing in place of it. */
export interface FaultyStorage<S extends BackendStorage = BackendStorage> {
  readonly storage: S;
  /** From now on these operations (default: all but close) throw `error` without reaching the storage. */
  fail(operations?: readonly Operation[], error?: Error): void;
  /** From now on everything works again. */
  heal(): void;
  /** Calls of this operation wait until the returned function is called. */
  hold(operation: Operation): () => void;
  /** How often each operation was called, failed calls included. */
  calls(operation: Operation): number;
  /** Runs `work` before each call of this operation reaches the storage, until `heal`. */
  before(operation: Operation, work: (...args: unknown[]) => Promise<void> | void): void;
}

/** `durable` makes a memory take a database's place in the order of writes, for tests that need no database. */
export function createFaultyStorage<S extends BackendStorage>(
  storage: S,
  options: { readonly durable?: boolean } = {},
): FaultyStorage<S> {
  const counts = new Map<string, number>();
  const failing = new Map<string, Error>();
  const gates = new Map<string, Promise<void>>();
  const hooks = new Map<string, (...args: unknown[]) => Promise<void> | void>();
  let failingAll: Error | null = null;

  const wrap = (name: string, method: (...args: unknown[]) => unknown) => {
    const isAsync = !['coverage', 'appliedPosition', 'subscribe', 'window', 'rebase', 'close'].includes(name);
    if (!isAsync) return method;
    return (...args: unknown[]): unknown => {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      const error = failing.get(name) ?? failingAll;
      if (error) return Promise.reject(error);
      const gate = gates.get(name);
      const hook = hooks.get(name);
      // without a fault the call goes through in this very turn
      if (!gate && !hook) return method(...args);
      return (async () => {
        await gate;
        await hook?.(...args);
        return await method(...args);
      })();
    };
  };
  const wrapped = new Map<string, unknown>();
  const proxy = new Proxy(storage, {
    get(target, property) {
      if (property === 'durable') return options.durable ?? target.durable;
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function' || typeof property !== 'string') return value;
      if (!wrapped.has(property)) wrapped.set(property, wrap(property, value.bind(target)));
      return wrapped.get(property);
    },
  });

  return {
    storage: proxy,
    fail(operations, error = new StorageUnavailableError(storage.name, 'answer (injected)')) {
      if (operations) for (const operation of operations) failing.set(operation, error);
      else failingAll = error;
    },
    heal() {
      failing.clear();
      hooks.clear();
      failingAll = null;
    },
    hold(operation) {
      let open: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => {
        open = resolve;
      });
      gates.set(operation, gate);
      return () => {
        if (gates.get(operation) === gate) gates.delete(operation);
        open();
      };
    },
    calls: (operation) => counts.get(operation) ?? 0,
    before: (operation, work) => void hooks.set(operation, work),
  };
}
