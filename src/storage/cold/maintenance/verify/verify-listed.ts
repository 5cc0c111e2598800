import type { DataFile } from '../../namespace/data-file.js';
import type { ScanParts } from '../../namespace/file-scan.js';
import type { TableName } from '../../rows/table-name.js';
import type { CheckedFile } from './verify-file.js';
import type { TellProblem } from './verify-log.js';

const RESTORE = 'restore the object from a copy of the bucket, or delete the namespace and let it be followed anew';

/** Bytes by path, of every object below the root of a table. */
export async function listedSizes({ store, keyOf }: ScanParts, table: TableName): Promise<ReadonlyMap<string, number>> {
  const root = keyOf(table, '');
  const sizes = new Map<string, number>();
  for (let startAfter: string | null = ''; startAfter !== null; ) {
    const page = await store.list(root, startAfter === '' ? {} : { startAfter });
    for (const { key, sizeBytes } of page.objects) sizes.set(key.slice(root.length), sizeBytes);
    startAfter = page.next;
  }
  return sizes;
}

/** Looks whether a file and its index are there with the sizes that the log has. */
export function verifyListed(
  { path, sizeBytes, rows, index }: DataFile,
  sizes: ReadonlyMap<string, number>,
  tell: TellProblem,
): CheckedFile {
  for (const object of [{ path, sizeBytes }, ...(index ? [index] : [])]) {
    const found = sizes.get(object.path);
    if (found === undefined) tell(object.path, 'it is not there', RESTORE);
    else if (found !== object.sizeBytes)
      tell(object.path, `it has ${found} bytes, and ${object.sizeBytes} by the log`, RESTORE);
  }
  return { rows, bytes: 0 };
}
