import type { ChangeSet } from '../../src/storage/batch.js';
import type { BufferedStorage } from '../../src/storage/buffered-storage.js';
import type { Coverage } from '../../src/storage/coverage.js';
import { nothingIfNotFound } from '../../src/storage/held.js';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../src/storage/storage.js';

/** Stands in for a cold tier: takes changes at once and is complete for them only when they are flushed. */
export interface LaggingStorage {
  readonly storage: BufferedStorage;
  /** Takes over what is buffered, up to the last point at which it was whole. */
  flush(): Promise<void>;
  /** Loses what is buffered, as a restart does. */
  drop(): void;
  readonly buffered: number;
}

/**
 * `settles`: takes over what is buffered before it tells its changes. Whoever reads changes below a leader's floor can
 * otherwise meet an old state of a record, and its last in a later set (see `changesFrom`).
 */
export function createLaggingStorage(name: string, options: { readonly settles?: boolean } = {}): LaggingStorage {
  const inner = createMemoryStorage({ name, maxStalenessMs: 1e15 });
  let buffer: ChangeSet[] = [];
  let throughMs = -1;
  let flushing = Promise.resolve();
  const position = () => inner.coverage().throughPosition;
  const applied = () => buffer.at(-1)?.throughPosition ?? position();
  const range = () => ({ afterPosition: 0n, throughPosition: position() });

  const own: Partial<BufferedStorage> = {
    ready: async () => undefined,
    refresh: async () => undefined,
    flush: () => flush(),
    durable: true,
    async apply(set) {
      if (set.throughPosition <= applied()) return;
      if (set.afterPosition > applied()) throw new Error(`gap: ${set.afterPosition} after ${applied()}`);
      buffer.push(set);
    },
    appliedPosition: applied,
    async changesAfter(afterPosition, limit) {
      if (options.settles) await flush();
      return await inner.changesAfter(afterPosition, limit);
    },
    coverage: (): Coverage => ({ ...inner.coverage(), afterMs: -1, throughMs }),
    heldCCVData: async (id) => ({ value: await nothingIfNotFound(inner.getCCVData(id), []), ...range() }),
    heldMessage: async (id) => ({ value: await nothingIfNotFound(inner.getMessage(id), null), ...range() }),
  };
  const storage = new Proxy<Storage>(inner, {
    get(target, property) {
      if (property in own) return Reflect.get(own, property);
      if (property === 'rebase' || property === 'window') return undefined;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    has: (target, property) =>
      property !== 'rebase' && property !== 'window' && (property in own || property in target),
  }) as BufferedStorage;

  async function flushOnce(): Promise<void> {
    const whole = buffer.findLastIndex((set) => set.throughPosition === set.headPosition);
    const sets = buffer.slice(0, whole + 1);
    for (const set of sets) await inner.apply(set);
    const last = sets.at(-1);
    if (last) throughMs = Math.max(throughMs, last.headMs);
    buffer = buffer.filter((set) => !sets.includes(set));
  }

  function flush(): Promise<void> {
    flushing = flushing.then(flushOnce);
    return flushing;
  }

  return {
    storage,
    flush,
    drop() {
      buffer = [];
    },
    get buffered() {
      return buffer.length;
    },
  };
}
