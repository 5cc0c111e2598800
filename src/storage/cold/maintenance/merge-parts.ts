import type { DataFile } from '../namespace/data-file.js';
import type { FileScan } from '../namespace/file-scan.js';
import { fileColumns } from '../parquet/columns.js';
import { ROW_GROUP_LIMITS } from '../parquet/file-writer.js';
import type { FileFooter } from '../parquet/footer.js';
import { MAX_TERM_ENTRIES } from '../rows/data-file-encoder.js';
import type { RowKind } from '../rows/row-kind.js';

/** Bytes of an index for one entry, at least. */
const INDEX_ENTRY_BYTES = 12;

/** Files of a compaction: one that is copied as it is, or some that are merged row by row. */
export type MergePart<T, K> =
  | { readonly kind: 'copied'; readonly file: DataFile; readonly scan: FileScan<T, K> }
  | { readonly kind: 'merged'; readonly files: readonly DataFile[] };

/**
 * Files of records in the order of time, those that need not be read row by row as parts of their own. The rows of such
 * a file lie between those of the others, in row groups that are large enough, with the columns and index of today.
 * @throws ParquetFormatError, and the errors of the object store.
 */
export async function partsOf<T, K>(
  rows: RowKind<T, K>,
  files: readonly DataFile[],
  scan: (file: DataFile) => FileScan<T, K>,
): Promise<readonly MergePart<T, K>[]> {
  const inOrder = [...files].sort((a, b) => a.minMs - b.minMs || a.maxMs - b.maxMs);
  const indexBytes = files.reduce((sum, { index }) => sum + (index?.sizeBytes ?? 0), 0);
  // an index of more entries has ids alone, and those of stored ones cannot be told from terms
  if (indexBytes > MAX_TERM_ENTRIES * INDEX_ENTRY_BYTES) return [{ kind: 'merged', files }];
  const parts: MergePart<T, K>[] = [];
  let merged: DataFile[] = [];
  let highestMs = Number.NEGATIVE_INFINITY;
  for (const [place, file] of inOrder.entries()) {
    const isApart = file.minMs > highestMs && file.maxMs < (inOrder[place + 1]?.minMs ?? Number.POSITIVE_INFINITY);
    highestMs = Math.max(highestMs, file.maxMs);
    const source = isApart && hasWholeIndex(rows, file) ? scan(file) : null;
    if (source && isCopyable(rows, file, await source.footer())) {
      if (merged.length > 0) parts.push({ kind: 'merged', files: merged });
      merged = [];
      parts.push({ kind: 'copied', file, scan: source });
    } else merged.push(file);
  }
  return merged.length > 0 ? [...parts, { kind: 'merged', files: merged }] : parts;
}

function hasWholeIndex<T, K>({ termKinds }: RowKind<T, K>, { index }: DataFile): boolean {
  return index !== null && termKinds.every((kind) => index.termKinds.includes(kind));
}

function isCopyable<T, K>({ columns }: RowKind<T, K>, { sizeBytes }: DataFile, footer: FileFooter): boolean {
  // row groups that other engines find small as well stay so for good: half of the size is enough
  const isFull = sizeBytes >= (footer.groups * ROW_GROUP_LIMITS.targetBytes) / 2;
  const wanted = fileColumns(columns);
  const isSame = wanted.every(({ name, path }, place) => {
    const found = footer.columns[place];
    return found?.name === name && found.path.length === path.length;
  });
  const hasFilters = columns.every(({ bloomFilter }, place) => !bloomFilter || footer.filterRange(0, place) !== null);
  return isFull && isSame && wanted.length === footer.columns.length && hasFilters;
}
