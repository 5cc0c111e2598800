import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';

/** Plain requests under way at once. */
export const PARALLEL = 4;

/** Bytes of a megabyte. */
export const MB = 1e6;

/** All objects whole, in the order of their keys. */
export async function getAll(store: ObjectStore, keys: readonly string[]): Promise<readonly Uint8Array[]> {
  return await inParallel(keys, (key) => store.get(key));
}

/** Stores objects under numbers in a folder. */
export async function putAll(store: ObjectStore, folder: string, objects: readonly Uint8Array[]): Promise<void> {
  await inParallel([...objects.entries()], ([index, bytes]) => store.putIfAbsent(`${folder}/${index}`, bytes));
}

async function inParallel<T, R>(all: readonly T[], work: (each: T) => Promise<R>): Promise<readonly R[]> {
  const done: R[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      while (next < all.length) {
        const at = next;
        next += 1;
        done[at] = await work(all[at]!);
      }
    }),
  );
  return done;
}
