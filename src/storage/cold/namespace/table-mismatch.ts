import { TABLE_NAMES, type TableName } from '../rows/table-name.js';
import { readFileEntry } from './data-file.js';
import { headOf, rowsByLedger, tablesOf } from './head.js';
import { addedFiles, dirtyTables } from './unnamed.js';
import { rowsIn, type Snapshots } from './view.js';

/** A table that does not go with the others. */
export interface Mismatch {
  readonly table: TableName;
  readonly what: string;
}

/** Said of a table that others were written beside. */
export const ABSENT = 'this table is not there or cannot be opened, and others were written to';

/**
 * The tables that do not go with the others, as when one of them was set back or deleted:
 *
 * - a table of the namespace is not there, or has not the rows that the ledger counts;
 * - more than one flush went to a table since the ledger was written, or one that is not newer.
 *
 * `named`: as the ledger names them, `tops`: as they are in the store; null when that was not looked at.
 */
export function mismatchesOf(named: Snapshots, tops: Snapshots | null): readonly Mismatch[] {
  const { ledger } = named;
  const isThere = TABLE_NAMES.some((table) => named[table] !== null);
  const tables: readonly TableName[] = ledger ? tablesOf(ledger) : TABLE_NAMES;
  const absent = isThere ? tables.filter((table) => named[table] === null) : [];
  if (absent.length > 0) return absent.map((table) => ({ table, what: ABSENT }));
  const { position } = headOf(ledger);
  const missing = (ledger ? tablesOf(ledger) : []).flatMap((table): Mismatch[] => {
    const rows = rowsIn(named[table]);
    const counted = ledger ? rowsByLedger(ledger, table) : rows;
    return counted === rows ? [] : [{ table, what: `the ledger counts ${counted} rows, and its files have ${rows}` }];
  });
  if (missing.length > 0) return missing;
  return dirtyTables({ view: { snapshots: named }, tops: tops ?? named }).flatMap((dirty): Mismatch[] => {
    const files = addedFiles(dirty).map(readFileEntry);
    const isOfOne = files.every(
      ({ flushThrough }) => flushThrough === files[0]?.flushThrough && flushThrough > position,
    );
    const later = `${files.length} files of this table are of flushes that ended later`;
    const what = `the ledger stands at ${position}, and ${later}`;
    return isOfOne ? [] : [{ table: dirty.table, what }];
  });
}
