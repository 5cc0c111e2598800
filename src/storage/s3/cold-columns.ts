import type { TableName } from './cold-layout.js';
import { LEDGER_ROWS } from './cold-rows-ledger.js';
import { MESSAGE_ROWS } from './cold-rows-messages.js';
import { VERIFIER_RESULT_ROWS } from './cold-rows-verifier-results.js';
import type { ColumnSpec } from './parquet-columns.js';

/** The columns of each table's files. */
export const TABLE_COLUMNS: Readonly<Record<TableName, readonly ColumnSpec[]>> = {
  messages: MESSAGE_ROWS.columns,
  verifier_results: VERIFIER_RESULT_ROWS.columns,
  ledger: LEDGER_ROWS.columns,
};
