import { TABLE_NAMES } from './cold-layout.js';
import type { LoggedState, TellOf } from './cold-verify-state.js';
import { headOf } from './cold-view.js';

const SET_BACK =
  'a table was set back or deleted: restore it from a copy of the bucket, or let the namespace be followed anew';

/**
 * Checks that the three tables go together. A flush creates all of them, commits to each, and to the ledger last; the one
 * after it removes what it left behind in a table (see `ColdCatalog`). So
 *
 * - no table stands below the ledger, and none exists alone;
 * - what lies beyond the ledger in a table is of one flush, all of it is newer than the ledger, and none of it is in the
 *   ledger's own table.
 */
export function verifyStanding({ head, snapshots, torn }: LoggedState, tellOf: TellOf): void {
  const stands = `the ledger stands at ${head.position}`;
  const isWrittenTo = TABLE_NAMES.some((table) => (snapshots[table]?.version ?? 0) > 0);
  for (const table of TABLE_NAMES) {
    const tell = (what: string) => tellOf(table)('', what, SET_BACK);
    const snapshot = snapshots[table];
    if (snapshot === null) {
      if (isWrittenTo) tell('this table is not there or cannot be opened, and others were written to');
      continue;
    }
    const { position } = headOf(snapshot);
    if (position < head.position) tell(`${stands}, and this table at ${position}`);
    const beyond = torn?.[table] ?? [];
    const flushes = new Set(beyond.map(({ flushThrough }) => flushThrough));
    const isOfOne = flushes.size <= 1 && beyond.every(({ minPosition }) => minPosition > head.position);
    if (!isOfOne || (table === 'ledger' && beyond.length > 0))
      tell(`${stands}, and ${beyond.length} files of this table are of flushes that ended later`);
  }
}
