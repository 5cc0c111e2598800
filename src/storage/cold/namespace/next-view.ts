import { allOf } from '../../../core/parallel.js';
import type { RowKey } from '../rows/row-kind.js';
import { TABLE_NAMES, type TableName } from '../rows/table-name.js';
import type { DataFile } from './data-file.js';
import type { DataFileReader } from './file-reader.js';
import { headOf } from './head.js';
import { Overlay } from './overlay.js';
import { filesOf, MESSAGE_TABLE, type NamespaceView, RESULT_TABLE, type TableView } from './view.js';

/** The found state of a namespace. */
export interface FoundState {
  readonly snapshots: NamespaceView['snapshots'];
  /** Keys of the rows of overlay files, where they are known: the others are read. */
  readonly keys: ReadonlyMap<string, readonly RowKey[]>;
  /** See `NamespaceView`. */
  readonly readMs: number;
}

type List = typeof MESSAGE_TABLE | typeof RESULT_TABLE;

/** A table that was never compacted has thousands of overlay files. */
const FILES_AT_ONCE = 16;
const GROUPS_AT_ONCE = 16;

/** The view of a found state, made from the view before it: knowledge of files that are still there is taken along. */
export async function nextView(
  before: NamespaceView,
  found: FoundState,
  reader: DataFileReader,
): Promise<NamespaceView> {
  const { snapshots, keys, readMs } = found;
  const isAsBefore = (table: TableName) => snapshots[table]?.version === before.snapshots[table]?.version;
  if (TABLE_NAMES.every(isAsBefore)) return { ...before, snapshots, readMs };
  const tableOf = async (list: List): Promise<TableView> => {
    const files = filesOf(snapshots[list.table]);
    return { table: list.table, files, overlay: await overlayOf(list, files, before, keys, reader) };
  };
  const [messages, results] = await allOf([tableOf(MESSAGE_TABLE), tableOf(RESULT_TABLE)]);
  const ledger = { ...before.tables.ledger, files: filesOf(snapshots.ledger) };
  return { ...headOf(snapshots.ledger), snapshots, tables: { messages, verifier_results: results, ledger }, readMs };
}

async function overlayOf(
  list: List,
  files: readonly DataFile[],
  view: NamespaceView,
  keys: FoundState['keys'],
  reader: DataFileReader,
): Promise<Overlay> {
  const overlayFiles = files.filter((file) => file.overlay);
  const present = new Set(overlayFiles.map(({ uri }) => uri));
  const before = view.tables[list.table].overlay;
  // rows that were compacted away supersede nothing any more; older views keep their own overlay
  const overlay = [...before.files].every((uri) => present.has(uri)) ? before : new Overlay();
  const missing = overlayFiles.filter(({ uri }) => !overlay.hasFile(uri));
  for (let from = 0; from < missing.length; from += FILES_AT_ONCE)
    await allOf(
      missing
        .slice(from, from + FILES_AT_ONCE)
        .map(async (file) => overlay.addFile(file.uri, keys.get(file.uri) ?? (await readKeys(list, file, reader)))),
    );
  return overlay;
}

async function readKeys(list: List, file: DataFile, reader: DataFileReader): Promise<readonly RowKey[]> {
  const { groups } = await reader.footer(list.table, file);
  const keys: RowKey[] = [];
  // some at a time: all row groups of a large file at once would hold up everything else
  for (let from = 0; from < groups; from += GROUPS_AT_ONCE) {
    const some = Array.from({ length: Math.min(GROUPS_AT_ONCE, groups - from) }, (_, index) => from + index);
    const read =
      list.table === 'messages'
        ? await reader.keys(MESSAGE_TABLE, file, some)
        : await reader.keys(RESULT_TABLE, file, some);
    for (const inGroup of read) keys.push(...inGroup);
  }
  return keys;
}
