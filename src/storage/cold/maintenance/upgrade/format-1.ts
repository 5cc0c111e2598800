import { cellsOfArray } from '../../parquet/column-cells.js';
import { type ColumnValue, column } from '../../parquet/columns.js';
import type { RowGroupData } from '../../parquet/row-group-reader.js';
import { cellsOf } from '../../rows/cells.js';
import { OWN_COLUMNS as LEDGER_COLUMNS, LEDGER_ROWS } from '../../rows/ledger.js';
import { MESSAGE_BYTES_COLUMNS, MESSAGE_ROWS } from '../../rows/messages.js';
import type { RowKind } from '../../rows/row-kind.js';
import { VERIFIER_RESULT_ROWS } from '../../rows/verifier-results.js';

/*
 * Rows of format 1, for reading. The tables of lists hold every state of a record, also orphaned ones: the one with the
 * highest position counts. Lists of addresses are joined by commas.
 */

const ORPHANED = column('orphaned', 'boolean');
const ADDRESSES = column('message_ccv_addresses', 'string');

/** The tag of files whose rows may stand in the place of others. */
export const SUPERSEDING_TAG = 'ccv.overlay';

export const FORMAT_1_MESSAGES = withOrphans(MESSAGE_ROWS, MESSAGE_BYTES_COLUMNS);
export const FORMAT_1_RESULTS = withOrphans(VERIFIER_RESULT_ROWS, VERIFIER_RESULT_ROWS.recordColumns);
export const FORMAT_1_LEDGER: typeof LEDGER_ROWS = { ...LEDGER_ROWS, recordColumns: LEDGER_COLUMNS };

function withOrphans<T extends object, K>(
  rows: RowKind<T, K>,
  recordColumns: RowKind<T, K>['recordColumns'],
): RowKind<T, K> {
  return {
    ...rows,
    recordColumns: [...recordColumns.map((spec) => (spec.name === ADDRESSES.name ? ADDRESSES : spec)), ORPHANED],
    records(data: RowGroupData) {
      const record = rows.records(withLists(data));
      const orphaned = cellsOf(data).boolean(ORPHANED.name);
      return (row) => ({ ...record(row), orphaned: orphaned(row) });
    },
  };
}

/** A row group whose addresses are lists. */
function withLists(data: RowGroupData): RowGroupData {
  const joined = data.column(ADDRESSES.name);
  const lists = Array.from({ length: data.rows }, (_, row): ColumnValue => {
    const text = joined.at(row);
    if (typeof text !== 'string') return text;
    return text === '' ? [] : text.split(',');
  });
  const cells = cellsOfArray(lists);
  return { ...data, column: (name) => (name === ADDRESSES.name ? cells : data.column(name)) };
}
