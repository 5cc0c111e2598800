import type { AsOf } from '../../../model/coverage.js';
import type { DeltaSnapshot } from '../delta/snapshot.js';
import { byTable, type TableName } from '../rows/table-name.js';
import { type DataFile, readFileEntry } from './data-file.js';
import type { NamespaceHead } from './head.js';

/** The files of one table. */
export interface TableView {
  readonly table: TableName;
  readonly files: readonly DataFile[];
}

/** The tables as of one version of the ledger; null: it does not name that table. */
export type Snapshots = Readonly<Record<TableName, DeltaSnapshot | null>>;

/** The whole namespace as of one flush. Immutable: a query holds one from beginning to end. */
export interface NamespaceView extends NamespaceHead {
  readonly snapshots: Snapshots;
  readonly tables: Readonly<Record<TableName, TableView>>;
  /** Time of the last look at the store, unix ms; -1 = never. */
  readonly readMs: number;
}

/** The view of an empty namespace. */
export function emptyView(): NamespaceView {
  return {
    position: 0n,
    headMs: -1,
    headPosition: 0n,
    movePosition: 0n,
    snapshots: byTable(() => null),
    tables: byTable((table) => ({ table, files: [] })),
    readMs: -1,
  };
}

/** The files of a snapshot. */
export function filesOf(snapshot: DeltaSnapshot | null): DataFile[] {
  return Array.from(snapshot?.files.values() ?? [], readFileEntry);
}

/** The number of rows in the files of a snapshot. */
export function rowsIn(snapshot: DeltaSnapshot | null): number {
  return filesOf(snapshot).reduce((sum, { rows }) => sum + rows, 0);
}

/** The highest ingestion time of any row of a table; -1 without any. */
export function ceilingMs({ files }: TableView): number {
  return files.reduce((highest, { maxMs }) => Math.max(highest, maxMs), -1);
}

export function asOf({ position, movePosition }: NamespaceHead): AsOf {
  return { position, movePosition };
}
