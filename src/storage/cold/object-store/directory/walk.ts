import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { compareKeys, isObjectKey } from '../object-key.js';
import { isMissing } from './durable-files.js';

/**
 * The keys of a directory tree that start with `prefix` and come after `startAfter`, in byte order, lazily. Directories
 * that can hold no such key are not read.
 *
 * A directory sorts under its name with the slash, because all its keys go on with one: `a-b` < `a/b` < `a0`.
 */
export async function* walkKeys(root: string, prefix: string, startAfter: string): AsyncGenerator<string> {
  const deepest = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  // no key starts like that, and it may lead out of the tree
  if (deepest !== '' && !isObjectKey(deepest.slice(0, -1))) return;
  yield* walk(root, deepest, prefix, startAfter);
}

async function* walk(root: string, folder: string, prefix: string, startAfter: string): AsyncGenerator<string> {
  for (const key of await sortedEntries(root, folder)) {
    if (!key.startsWith(prefix)) continue;
    if (key.endsWith('/')) {
      // all its keys start with `key`: they come before `startAfter` unless that goes on from here or comes first
      if (compareKeys(key, startAfter) > 0 || startAfter.startsWith(key)) yield* walk(root, key, prefix, startAfter);
    } else if (compareKeys(key, startAfter) > 0 && isObjectKey(key)) {
      yield key;
    }
  }
}

/** The entries of a folder (empty, or ending with a slash): whole keys, and its folders with a slash at the end. */
async function sortedEntries(root: string, folder: string): Promise<string[]> {
  try {
    const entries = await readdir(join(root, folder), { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() || (entry.isDirectory() && isObjectKey(folder + entry.name)))
      .map((entry) => (entry.isDirectory() ? `${folder}${entry.name}/` : folder + entry.name))
      .sort(compareKeys);
  } catch (thrown) {
    if (isMissing(thrown)) return [];
    throw thrown;
  }
}
