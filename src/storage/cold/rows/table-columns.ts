import type { ColumnSpec } from '../parquet/columns.js';
import { LEDGER_ROWS } from './ledger.js';
import { MESSAGE_ROWS } from './messages.js';
import type { TableName } from './table-name.js';
import { VERIFIER_RESULT_ROWS } from './verifier-results.js';

/** The columns of each table's files. */
export const TABLE_COLUMNS: Readonly<Record<TableName, readonly ColumnSpec[]>> = {
  messages: MESSAGE_ROWS.columns,
  verifier_results: VERIFIER_RESULT_ROWS.columns,
  ledger: LEDGER_ROWS.columns,
};
