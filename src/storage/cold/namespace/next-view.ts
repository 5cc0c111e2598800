import { byTable, TABLE_NAMES, type TableName } from '../rows/table-name.js';
import { headOf } from './head.js';
import { filesOf, type NamespaceView, type Snapshots, type TableView } from './view.js';

/** The view of a found state, which may be the one before. `readMs`: see `NamespaceView`. */
export function nextView(before: NamespaceView, snapshots: Snapshots, readMs: number): NamespaceView {
  const isAsBefore = (table: TableName) => snapshots[table]?.version === before.snapshots[table]?.version;
  if (TABLE_NAMES.every(isAsBefore)) return { ...before, snapshots, readMs };
  const tableOf = (table: TableName): TableView =>
    isAsBefore(table) ? before.tables[table] : { table, files: filesOf(snapshots[table]) };
  return {
    ...headOf(snapshots.ledger),
    snapshots,
    tables: byTable(tableOf),
    readMs,
  };
}
