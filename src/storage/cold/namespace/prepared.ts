import type { RowKey } from '../rows/row-kind.js';
import type { TableName } from '../rows/table-name.js';
import type { DataFile } from './data-file.js';
import type { NamespaceHead } from './head.js';

/** A flush whose files are stored and checked, ready to become part of the namespace. */
export interface PreparedFlush {
  readonly head: NamespaceHead;
  readonly files: Readonly<Record<TableName, readonly DataFile[]>>;
  /** Keys of the rows of its overlay files, so that they need not be read again. */
  readonly overlayKeys: ReadonlyMap<string, readonly RowKey[]>;
}

/** The files of a compaction, and those that they stand for. */
export interface Replacement {
  readonly table: TableName;
  readonly removed: readonly DataFile[];
  readonly added: readonly DataFile[];
}
