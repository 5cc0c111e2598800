import type { Clock } from '../../../src/core/clock.js';
import { ClosedError } from '../../../src/core/errors.js';
import {
  checkByteRange,
  checkListArguments,
  checkObjectKey,
  compareKeys,
} from '../../../src/storage/cold/object-store/object-key.js';
import {
  type ByteRange,
  type ListedObject,
  type ListOptions,
  MAX_PAGE_OBJECTS,
  type ObjectHead,
  type ObjectPage,
  type ObjectStore,
} from '../../../src/storage/cold/object-store/object-store.js';
import { ObjectNotFoundError, ObjectRangeError } from '../../../src/storage/cold/object-store/object-store-errors.js';

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
}

/** What stores of several processes have in common: the bucket. */
export class MemoryBucket {
  readonly objects = new Map<string, StoredObject>();
}

/**
 * The store of simulations: a bucket in memory, held to the same contract as S3 and the directory. Every call settles in a
 * later turn of the event loop, as one over a network does, so that callers interleave.
 */
export function createMemoryObjectStore(bucket: MemoryBucket, clock: Pick<Clock, 'nowMs'>): ObjectStore {
  let closed = false;

  async function call<T>(check: () => void, effect: () => T): Promise<T> {
    if (closed) throw new ClosedError('object store');
    check();
    await new Promise((resolve) => setImmediate(resolve));
    if (closed) throw new ClosedError('object store');
    return effect();
  }

  function find(key: string): StoredObject {
    const found = bucket.objects.get(key);
    if (!found) throw new ObjectNotFoundError(key);
    return found;
  }

  function read(key: string, range?: ByteRange): Uint8Array {
    const { bytes } = find(key);
    const { start, endExclusive } = range ?? { start: 0, endExclusive: bytes.length };
    if (endExclusive > bytes.length)
      throw new ObjectRangeError(key, { start, endExclusive }, { details: { sizeBytes: bytes.length } });
    return bytes.slice(start, endExclusive);
  }

  function page(prefix: string, { startAfter = '', limit = MAX_PAGE_OBJECTS }: ListOptions): ObjectPage {
    const wanted = Math.min(limit, MAX_PAGE_OBJECTS);
    const keys = [...bucket.objects.keys()]
      .filter((key) => key.startsWith(prefix) && compareKeys(key, startAfter) > 0)
      .sort(compareKeys);
    const objects = keys.slice(0, wanted).map((key): ListedObject => ({ key, ...headOf(find(key)) }));
    return { objects, next: keys.length > wanted ? (objects.at(-1)?.key ?? null) : null };
  }

  return {
    putIfAbsent: (key, bytes) =>
      call(
        () => checkObjectKey(key),
        () => {
          if (bucket.objects.has(key)) return 'exists';
          bucket.objects.set(key, { bytes: new Uint8Array(bytes), modifiedMs: clock.nowMs() });
          return 'created';
        },
      ),
    get: (key, range) =>
      call(
        () => {
          checkObjectKey(key);
          if (range) checkByteRange(range);
        },
        () => read(key, range),
      ),
    head: (key) =>
      call(
        () => checkObjectKey(key),
        () => headOf(find(key)),
      ),
    list: (prefix, options = {}) =>
      call(
        () => checkListArguments(prefix, options),
        () => page(prefix, options),
      ),
    deleteMany: (keys) =>
      call(
        () => keys.forEach((key) => checkObjectKey(key)),
        () => keys.forEach((key) => bucket.objects.delete(key)),
      ),
    async close() {
      closed = true;
    },
  };
}

function headOf({ bytes, modifiedMs }: StoredObject): ObjectHead {
  return { sizeBytes: bytes.length, modifiedMs };
}
