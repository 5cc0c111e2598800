import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Errors of a folder that is gone, or that something was put into. */
const NOT_EMPTY: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST']);

/** Removes a folder with those in it, where no file is left. */
export async function removeEmptyFolders(path: string): Promise<void> {
  try {
    for (const entry of await readdir(path, { withFileTypes: true }))
      if (entry.isDirectory()) await removeEmptyFolders(join(path, entry.name));
    await rmdir(path);
  } catch (thrown) {
    if (!NOT_EMPTY.has((thrown as NodeJS.ErrnoException).code)) throw thrown;
  }
}
