import type { ColumnSpec } from '../parquet/columns.js';
import type { Action, Transaction } from './actions.js';
import { DAY_COLUMN, tableSchemaString } from './schema.js';
import { PROTOCOL } from './snapshot.js';

const HOUR_MS = 60 * 60 * 1000;

/** The actions of a table's first commit. */
export function newTable(parts: {
  /** A GUID. */
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly columns: readonly ColumnSpec[];
  readonly transactions: readonly Transaction[];
  readonly createdMs: number;
  readonly checkpointEvery: number;
  readonly keptMs: { readonly files: number; readonly log: number };
}): Action[] {
  const { id, name, description, columns, transactions, createdMs, checkpointEvery, keptMs } = parts;
  const metaData = {
    ...{ id, name, description, createdTime: createdMs },
    schemaString: tableSchemaString(columns),
    partitionColumns: [DAY_COLUMN],
    configuration: {
      'delta.checkpointInterval': String(checkpointEvery),
      'delta.deletedFileRetentionDuration': hoursOf(keptMs.files),
      'delta.logRetentionDuration': hoursOf(keptMs.log),
    },
  };
  return [{ protocol: PROTOCOL }, { metaData }, ...transactions.map((txn) => ({ txn }))];
}

function hoursOf(durationMs: number): string {
  return `interval ${Math.ceil(durationMs / HOUR_MS)} hours`;
}
