import type { Common } from '../../../../core/common.js';
import { DeltaForeignError, DeltaLostError } from '../../delta/delta-errors.js';
import { LogReader } from '../../delta/log-reader.js';
import { commitName, LOG_FOLDER } from '../../delta/paths.js';
import type { DeltaSnapshot } from '../../delta/snapshot.js';
import { type DataFile, readFileEntry } from '../../namespace/data-file.js';
import type { TableRows } from '../../namespace/file-reader.js';
import { FileScan, type ScanParts } from '../../namespace/file-scan.js';
import { headOf, type NamespaceHead, namedVersions } from '../../namespace/head.js';
import { type Mismatch, mismatchesOf } from '../../namespace/table-mismatch.js';
import type { Snapshots } from '../../namespace/view.js';
import { LEDGER_ROWS, type LedgerRowKey } from '../../rows/ledger.js';
import { byTable, NAMED_TABLES, type NamedTable, type TableName } from '../../rows/table-name.js';
import { messageOf, type TellProblem } from './verify-log.js';

const NOTHING: Snapshots = byTable(() => null);
/** Looks at the ledger for one namespace, while flushes go on. */
const MAX_LOOKS = 8;

const ROLL_BACK = "undo it: 'ccv-indexer storage rollback'";

/** A namespace as its logs say, as far as they can be read: unlike a view it needs nothing of the files. */
export interface LoggedState {
  readonly head: NamespaceHead;
  /** As the ledger names them. */
  readonly snapshots: Snapshots;
  /** Their files. */
  readonly files: Readonly<Record<TableName, readonly DataFile[]>>;
  readonly mismatches: readonly Mismatch[];
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
  /** Tables that something else has written to, as they were before. */
  const ownPart = new Map<TableName, DeltaSnapshot | null>();
  const setBack = new Map<TableName, string>();
  const read = async (table: TableName, upTo?: number): Promise<DeltaSnapshot | null> => {
    const own = ownPart.get(table);
    if (own !== undefined) return own;
    if (unreadable.has(table)) return null;
    try {
      return await logReaderOf(parts, common, table).read(upTo);
    } catch (thrown) {
      if (thrown instanceof DeltaLostError) {
        setBack.set(table, thrown.message);
        return await read(table);
      }
      if (thrown instanceof DeltaForeignError) {
        tellOf(table)(`${LOG_FOLDER}/${commitName(thrown.version)}`, thrown.message, ROLL_BACK);
        const before = await logReaderOf(parts, common, table).readAny(thrown.version - 1);
        ownPart.set(table, before);
        return before;
      }
      unreadable.add(table);
      tellOf(table)('', `readers cannot open the table: ${messageOf(thrown)}`, 'see the problems of its log');
      return null;
    }
  };
  let ledger = await read('ledger');
  for (let look = 1; ; look += 1) {
    const names = ledger && namedVersions(ledger);
    setBack.clear();
    const isNamed = (table: NamedTable) => names === null || names[table] >= 0;
    const named: Record<TableName, DeltaSnapshot | null> = { ...NOTHING, ledger };
    for (const table of NAMED_TABLES) if (isNamed(table)) named[table] = await read(table, names?.[table]);
    const tops: Record<TableName, DeltaSnapshot | null> = { ...NOTHING, ledger };
    for (const table of NAMED_TABLES) if (isNamed(table)) tops[table] = await read(table);
    const again = await read('ledger');
    if (again?.version !== ledger?.version && look < MAX_LOOKS) {
      ledger = again;
      continue;
    }
    const head = headOf(ledger);
    const isStill = again?.version === ledger?.version;
    const mismatches = [
      ...mismatchesOf(named, isStill ? tops : null),
      ...[...setBack].map(([table, what]) => ({ table, what: `the ledger stands at ${head.position}, and ${what}` })),
    ];
    return { head, snapshots: named, files: filesOf(named, tellOf), mismatches };
  }
}

function filesOf(snapshots: Snapshots, tellOf: TellOf): Record<TableName, readonly DataFile[]> {
  const filesIn = (table: TableName) => {
    const files: DataFile[] = [];
    for (const add of snapshots[table]?.files.values() ?? [])
      try {
        files.push(readFileEntry(add));
      } catch (thrown) {
        const what = messageOf(thrown);
        tellOf(table)(add.path, what, 'something else than ccv-indexer has changed the table: undo that');
      }
    return files;
  };
  return byTable(filesIn);
}

/** The rows of the ledger of which no later one stands for the same record, of the files that can be read. */
export async function readHeldLedger(
  parts: ScanParts,
  files: readonly DataFile[],
): Promise<(key: LedgerRowKey) => boolean> {
  const latest = new Map<string, bigint>();
  const nameOf = ({ kind, identity, orphanId }: LedgerRowKey) => `${orphanId === null ? kind : ''} ${identity}`;
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
