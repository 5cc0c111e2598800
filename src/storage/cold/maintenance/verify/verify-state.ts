import type { Common } from '../../../../core/common.js';
import { LogReader } from '../../delta/log-reader.js';
import type { DeltaSnapshot } from '../../delta/snapshot.js';
import { type DataFile, readFileEntry } from '../../namespace/data-file.js';
import type { TableRows } from '../../namespace/file-reader.js';
import { Overlay } from '../../namespace/overlay.js';
import { headOf, type NamespaceHead } from '../../namespace/view.js';
import { LEDGER_ROWS, type LedgerRowKey } from '../../rows/ledger.js';
import type { RowKey } from '../../rows/row-kind.js';
import { TABLE_NAMES, type TableName } from '../../rows/table-name.js';
import { FileScan, type ScanParts } from '../file-scan.js';
import { messageOf, type TellProblem } from './verify-log.js';

/** Looks at the ledger for one namespace, while flushes go on. */
const MAX_LOOKS = 8;

/** A namespace as its logs say, as far as they can be read: unlike a view it needs nothing of the files. */
export interface LoggedState {
  readonly head: NamespaceHead;
  readonly snapshots: Readonly<Record<TableName, DeltaSnapshot | null>>;
  /** Committed files. */
  readonly files: Readonly<Record<TableName, readonly DataFile[]>>;
  /** Files beyond where the ledger stands: of flushes under way, or never ended. Null when it never stood still. */
  readonly torn: Readonly<Record<TableName, readonly DataFile[]>> | null;
}

/** Names a problem of a table. */
export type TellOf = (table: TableName) => TellProblem;

/** The log of a table. */
export function logReaderOf({ store, zstd, keyOf }: ScanParts, common: Common, table: TableName): LogReader {
  return new LogReader({ store, zstd, common, root: keyOf(table, '').slice(0, -1) });
}

/** Reads where a namespace stands; a log that readers cannot use is told of, and is as if there were none. */
export async function readLoggedState(parts: ScanParts, common: Common, tellOf: TellOf): Promise<LoggedState> {
  const unreadable = new Set<TableName>();
  const read = async (table: TableName): Promise<DeltaSnapshot | null> => {
    if (unreadable.has(table)) return null;
    try {
      return await logReaderOf(parts, common, table).read();
    } catch (thrown) {
      unreadable.add(table);
      tellOf(table)('', `readers cannot open the table: ${messageOf(thrown)}`, 'see the problems of its log');
      return null;
    }
  };
  let ledger = await read('ledger');
  for (let look = 1; ; look += 1) {
    const snapshots = { messages: await read('messages'), verifier_results: await read('verifier_results'), ledger };
    const head = headOf(ledger);
    const all = filesOf(snapshots, tellOf, look === 1);
    const isBeyond = TABLE_NAMES.some((table) => all[table].some(({ flushThrough }) => flushThrough > head.position));
    const again = isBeyond && look < MAX_LOOKS ? await read('ledger') : ledger;
    if (again?.version !== ledger?.version) {
      ledger = again;
      continue;
    }
    const split = (isTorn: boolean) =>
      byTable((table) => all[table].filter(({ flushThrough }) => flushThrough > head.position === isTorn));
    return { head, snapshots, files: split(false), torn: look < MAX_LOOKS ? split(true) : null };
  }
}

function filesOf(
  snapshots: LoggedState['snapshots'],
  tellOf: TellOf,
  tells: boolean,
): Record<TableName, readonly DataFile[]> {
  const filesIn = (table: TableName) => {
    const files: DataFile[] = [];
    for (const add of snapshots[table]?.files.values() ?? [])
      try {
        files.push(readFileEntry(add));
      } catch (thrown) {
        const what = messageOf(thrown);
        if (tells) tellOf(table)(add.path, what, 'something else than ccv-indexer has changed the table: undo that');
      }
    return files;
  };
  return byTable(filesIn);
}

function byTable<T>(of: (table: TableName) => T): Record<TableName, T> {
  return { messages: of('messages'), verifier_results: of('verifier_results'), ledger: of('ledger') };
}

/** The overlay of a table, of the files that can be read. */
export async function readOverlay<T, K extends RowKey>(
  parts: ScanParts,
  list: TableRows<T, K>,
  files: readonly DataFile[],
): Promise<Overlay> {
  const overlay = new Overlay();
  for (const file of files.filter((each) => each.overlay)) overlay.addFile(file.uri, await readKeys(parts, list, file));
  return overlay;
}

/** The position of the row of each ledger record that holds, of the files that can be read. */
export async function readHeldLedger(
  parts: ScanParts,
  files: readonly DataFile[],
): Promise<(key: LedgerRowKey) => boolean> {
  const latest = new Map<string, bigint>();
  const nameOf = ({ kind, identity }: LedgerRowKey) => `${kind} ${identity}`;
  for (const file of files)
    for (const key of await readKeys(parts, { table: 'ledger', rows: LEDGER_ROWS }, file))
      if ((latest.get(nameOf(key)) ?? -1n) < key.position) latest.set(nameOf(key), key.position);
  return (key) => latest.get(nameOf(key)) === key.position;
}

/** Damage ends the reading: the check of the file itself tells of it. */
async function readKeys<T, K>(parts: ScanParts, { table, rows }: TableRows<T, K>, file: DataFile): Promise<K[]> {
  const keys: K[] = [];
  const scan = new FileScan(parts, table, rows, file);
  try {
    for (let group = await scan.next(); group; group = await scan.next()) keys.push(...group.keys());
  } catch (thrown) {
    messageOf(thrown);
  }
  return keys;
}
