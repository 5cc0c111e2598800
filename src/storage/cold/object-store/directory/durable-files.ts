import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemErrorCode } from './system-errors.js';

/*
 * A file appears under its name by link(2): whole and synced, and only if the name was free, whatever other processes
 * do. (rename(2) would replace an existing file.) Its directory entry is synced before the call returns, those of new
 * folders too.
 */

/** Writes a synced file under `temporaryPath`. */
export async function writeSynced(temporaryPath: string, bytes: Uint8Array): Promise<void> {
  const file = await open(temporaryPath, 'wx', 0o644);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Gives the file at `temporaryPath` the name `path` unless that exists; makes the name durable in both cases. */
export async function linkIfAbsent(temporaryPath: string, path: string): Promise<'created' | 'exists'> {
  let result: 'created' | 'exists' = 'created';
  try {
    await link(temporaryPath, path);
  } catch (thrown) {
    if (systemErrorCode(thrown) !== 'EEXIST' || (await isFolder(path))) throw thrown;
    result = 'exists';
  }
  // `exists` too must survive a power cut: the other writer may not have come to its sync yet
  await syncDirectory(dirname(path));
  return result;
}

/**
 * Creates folders and their missing parents, durably; a second call for the same path does nothing.
 *
 * A folder that exists already may have been made by a process that has not come to its sync yet, so the first time
 * each one is synced into its parent all the same.
 */
export class DurableFolders {
  readonly #durable = new Set<string>();

  async make(path: string): Promise<void> {
    if (this.#durable.has(path)) return;
    const parent = dirname(path);
    if (parent !== path && !(await makeFolder(path))) {
      await this.make(parent);
      await mkdir(path).catch(ignoreExisting);
    }
    if (parent !== path) await syncDirectory(parent);
    this.#durable.add(path);
  }
}

/** False when the parent is missing. */
async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (thrown) {
    if (systemErrorCode(thrown) === 'ENOENT') return false;
    ignoreExisting(thrown);
    return true;
  }
}

function ignoreExisting(thrown: unknown): void {
  if (systemErrorCode(thrown) !== 'EEXIST') throw thrown;
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Reads `[start, start + sizeBytes)` into memory of its own; undefined when the file ends earlier. */
export async function readExactly(file: FileHandle, start: number, sizeBytes: number): Promise<Uint8Array | undefined> {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  for (let filled = 0; filled < sizeBytes; ) {
    const { bytesRead } = await file.read(bytes, filled, sizeBytes - filled, start + filled);
    if (bytesRead === 0) return undefined;
    filled += bytesRead;
  }
  return bytes;
}

/** Removes the files of `directory` that were last written before `beforeMs`; those that vanish meanwhile are fine. */
export async function removeFilesOlderThan(directory: string, beforeMs: number): Promise<number> {
  let removed = 0;
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    try {
      if ((await stat(path)).mtimeMs >= beforeMs) continue;
      await unlink(path);
      removed++;
    } catch (thrown) {
      if (systemErrorCode(thrown) !== 'ENOENT') throw thrown;
    }
  }
  return removed;
}

/** True for the errors of a path at which nothing is: no such name, or a file where the path wants a folder. */
export function isMissing(thrown: unknown): boolean {
  const code = systemErrorCode(thrown);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Whether a folder is at `path`. */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (thrown) {
    if (isMissing(thrown)) return false;
    throw thrown;
  }
}

/** Removes a file; false when there is none. */
export async function unlinkIfPresent(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (thrown) {
    if (isMissing(thrown)) return false;
    throw thrown;
  }
}
