import type { AddFile } from '../delta/actions.js';
import type { DeltaSnapshot } from '../delta/snapshot.js';
import { NAMED_TABLES, type NamedTable } from '../rows/table-name.js';
import type { NamespaceView, Snapshots } from './view.js';

/*
 * Versions of a table beyond the one that the ledger names. They are of a compaction or a fence that is about to be
 * named, or never was: then the next writer goes on top of them. Or of a flush: that one has not ended, or has died,
 * and the table is dirty until the next writer takes its commit back.
 */

/** A view, and the tables as they are in the store: equal to those of the view, or beyond them. */
export interface Survey {
  readonly view: NamespaceView;
  readonly tops: Snapshots;
}

/** A table with rows of a flush that the ledger does not name. */
export interface DirtyTable {
  readonly table: NamedTable;
  readonly named: DeltaSnapshot;
  readonly top: DeltaSnapshot;
}

/** True when other rows are in `top` than in `named`, and not only in other files. */
export function isDirty(named: DeltaSnapshot, top: DeltaSnapshot): boolean {
  if (named.version === top.version) return false;
  for (const [uri, { dataChange }] of top.files) if (dataChange && !named.files.has(uri)) return true;
  for (const uri of named.files.keys())
    if (!top.files.has(uri) && top.tombstones.get(uri)?.dataChange !== false) return true;
  return false;
}

/** The tables of a survey in which a flush has not ended. */
export function dirtyTables(survey: { readonly view: { readonly snapshots: Snapshots }; readonly tops: Snapshots }) {
  const { view, tops } = survey;
  return NAMED_TABLES.flatMap((table): DirtyTable[] => {
    const [named, top] = [view.snapshots[table], tops[table]];
    return named && top && isDirty(named, top) ? [{ table, named, top }] : [];
  });
}

/** The files that a dirty table has and the named version has not. */
export function addedFiles({ named, top }: DirtyTable): AddFile[] {
  return [...top.files.values()].filter(({ path }) => !named.files.has(path));
}
