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

/** The meaning of each table, for people who look at its metadata. */
export const TABLE_DESCRIPTIONS: Readonly<Record<TableName, string>> = {
  messages:
    'Cross-chain messages: one row for each that lists show, in its present state. ' +
    'Those that a reorg removed are in ledger.',
  verifier_results:
    'Verifications of messages: one row for each message_id, verifier_source_address and verifier_dest_address.',
  ledger:
    'Progress of sources, quarantined input, conflicts, and records that a reorg removed. ' +
    'Of the rows of one identity that of the highest position counts.',
};
