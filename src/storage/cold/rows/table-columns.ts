import type { Action } from '../delta/actions.js';
import { tableSchemaString } from '../delta/schema.js';
import type { DeltaSnapshot } from '../delta/snapshot.js';
import type { ColumnSpec } from '../parquet/columns.js';
import { EXECUTION_ROWS } from './executions.js';
import { LEDGER_ROWS } from './ledger.js';
import { MESSAGE_ROWS } from './messages.js';
import { byTable, type TableName } from './table-name.js';
import { VERIFIER_RESULT_ROWS } from './verifier-results.js';

/** The columns of each table's files. */
export const TABLE_COLUMNS: Readonly<Record<TableName, readonly ColumnSpec[]>> = {
  messages: MESSAGE_ROWS.columns,
  verifier_results: VERIFIER_RESULT_ROWS.columns,
  executions: EXECUTION_ROWS.columns,
  ledger: LEDGER_ROWS.columns,
};

/** `metaData.schemaString` of each table. */
const TABLE_SCHEMAS = byTable((table) => tableSchemaString(TABLE_COLUMNS[table]));

/** The action after which a table has the columns that files are written with; none when it has them. */
export function schemaActions(table: TableName, { metadata }: DeltaSnapshot): readonly Action[] {
  const schemaString = TABLE_SCHEMAS[table];
  return metadata.schemaString === schemaString ? [] : [{ metaData: { ...metadata, schemaString } }];
}

/** The meaning of each table, for people who look at its metadata. */
export const TABLE_DESCRIPTIONS: Readonly<Record<TableName, string>> = {
  messages:
    'Cross-chain messages: one row for each that lists show, in its present state. ' +
    'Those that a reorg removed are in ledger.',
  verifier_results:
    'Verifications of messages: one row for each message_id, verifier_source_address and verifier_dest_address.',
  executions:
    'State changes of messages on their destination chain: one row for each log of ExecutionStateChanged. ' +
    'Those that a reorg removed are in ledger.',
  ledger:
    'Progress of sources, quarantined input, conflicts, and records that a reorg removed. ' +
    'Of the rows of one identity that of the highest position counts.',
};
