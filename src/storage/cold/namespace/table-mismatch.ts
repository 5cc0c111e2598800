import { TABLE_NAMES, type TableName } from '../rows/table-name.js';
import type { DataFile } from './data-file.js';
import { headOf, type NamespaceView } from './view.js';

/** A table that does not go with the others. */
export interface Mismatch {
  readonly table: TableName;
  readonly what: string;
}

/**
 * The tables that do not go with the others, as when one of them was set back or deleted. A flush creates all of
 * them, commits to each, and to the ledger last; the next flush removes its torn files (see `Catalog`). So
 *
 * - no table stands below the ledger, and none exists alone;
 * - the files of a table beyond the ledger are of one flush, all of it newer than the ledger, and none is in the
 *   ledger's own table.
 *
 * `snapshots` must have been read while the ledger stood still, or after it. `torn`: the files beyond the ledger;
 * null when it did not stand still.
 */
export function mismatchesOf(
  snapshots: NamespaceView['snapshots'],
  torn: ((table: TableName) => readonly DataFile[]) | null,
): readonly Mismatch[] {
  const head = headOf(snapshots.ledger);
  const stands = `the ledger stands at ${head.position}`;
  const isWrittenTo = TABLE_NAMES.some((table) => (snapshots[table]?.version ?? 0) > 0);
  return TABLE_NAMES.flatMap((table): Mismatch[] => {
    const snapshot = snapshots[table];
    if (snapshot === null)
      return isWrittenTo
        ? [{ table, what: 'this table is not there or cannot be opened, and others were written to' }]
        : [];
    const { position } = headOf(snapshot);
    if (position < head.position) return [{ table, what: `${stands}, and this table at ${position}` }];
    const beyond = torn?.(table) ?? [];
    const isOfOne = beyond.every(
      ({ flushThrough, minPosition }) => flushThrough === beyond[0]?.flushThrough && minPosition > head.position,
    );
    return isOfOne && (table !== 'ledger' || beyond.length === 0)
      ? []
      : [{ table, what: `${stands}, and ${beyond.length} files of this table are of flushes that ended later` }];
  });
}
