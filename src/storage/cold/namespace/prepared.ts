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
