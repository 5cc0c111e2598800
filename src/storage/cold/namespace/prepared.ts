import type { TableName } from '../rows/table-name.js';
import type { DataFile } from './data-file.js';
import type { NamespaceHead } from './head.js';

/** A flush whose files are stored and checked, ready to become part of the namespace. */
export interface PreparedFlush {
  readonly head: NamespaceHead;
  readonly added: Readonly<Record<TableName, readonly DataFile[]>>;
  /** Files whose rows are in the added ones, or are in the lists no more. */
  readonly removed: Readonly<Record<TableName, readonly DataFile[]>>;
}

/** The files of a compaction, and those that they stand for. */
export interface Replacement {
  readonly table: TableName;
  readonly removed: readonly DataFile[];
  readonly added: readonly DataFile[];
}

/** The figures of a flush in the commit to one table, as Delta's history shows them (texts). */
export function flushMetrics({ added, removed }: PreparedFlush, table: TableName): Readonly<Record<string, string>> {
  return {
    numFiles: String(added[table].length),
    numRemovedFiles: String(removed[table].length),
    numOutputRows: String(sum(added[table], 'rows')),
    numOutputBytes: String(sum(added[table], 'sizeBytes')),
  };
}

/** The same of a compaction. */
export function compactionMetrics({ added, removed }: Pick<Replacement, 'added' | 'removed'>) {
  return {
    numAddedFiles: String(added.length),
    numRemovedFiles: String(removed.length),
    numAddedBytes: String(sum(added, 'sizeBytes')),
    numRemovedBytes: String(sum(removed, 'sizeBytes')),
  };
}

function sum(files: readonly DataFile[], of: 'rows' | 'sizeBytes'): number {
  return files.reduce((total, file) => total + file[of], 0);
}
