import type { Hex } from '../../core/hex.js';
import type { ChangeSet } from '../../model/batch.js';
import { messageIdentity, quarantineIdentity, resultIdentity } from '../../model/identity.js';
import type { SourceCursor } from '../../model/records.js';
import { type BackendStorage, standsAt } from '../../storage/backend-storage.js';
import { changedRows, QuarantinedRows } from './changed-rows.js';
import { createCommitMaker } from './commit-maker.js';
import { type FillingPart, sortMs } from './filling.js';
import type { GoDatabase } from './go-database.js';
import {
  type GoMessageRow,
  type GoResultRow,
  type GoRow,
  RECORD_TABLES,
  type RecordTable,
  ROWS_AT,
  ROWS_OF,
} from './go-rows.js';
import { ImportTargetError } from './import-errors.js';
import type { LocalClock } from './local-clock.js';
import type { BadRow, GoRecord, RowReader } from './read-rows.js';

type Row = GoRecord | BadRow;
export type Rows = readonly Row[];

/** Brings rows from their places to the target. */
export interface RowTaker {
  /** The last commit's position; 0: the target is empty. */
  readonly position: bigint;
  readonly quarantined: QuarantinedRows;
  /** Rows with a doubt, since this process began; see `GoRecord`. */
  readonly doubts: { readonly folded: number; readonly completed: number };
  readPart(part: FillingPart, signal?: AbortSignal): Promise<Rows>;
  /** Stores rows that are new, with cursors, in one commit of the target. */
  store(rows: Rows, cursors: readonly SourceCursor[], moved?: boolean): Promise<void>;
  /** Stores those rows at places that differ from the target's. @returns how many did. */
  takeChanged(places: Readonly<Record<RecordTable, readonly string[]>>, signal?: AbortSignal): Promise<number>;
  /** The message ids of rows that differ from the target's. */
  differing(rows: readonly Row[]): Promise<readonly Hex[]>;
  /** How many of the rows of these messages differ from the target's; with `store` they are stored. */
  differencesOf(messageIds: readonly Hex[], store: boolean, signal?: AbortSignal): Promise<number>;
  /** Reads rows again of which addresses were missing. @returns how many are stored now. */
  takeWaiting(signal?: AbortSignal): Promise<number>;
}

/** @throws ImportTargetError when the target does not stand at the end of a commit. */
export async function openRowTaker(options: {
  readonly database: GoDatabase;
  readonly target: BackendStorage;
  readonly reader: RowReader;
  readonly local: LocalClock;
  readonly batchRows: number;
  readonly nowMs: () => number;
}): Promise<RowTaker> {
  const { database, target, reader, local, batchRows } = options;
  const boundary = await target.boundaryAt({ position: LAST_POSITION });
  const { movePosition } = target.coverage();
  if (boundary.position !== standsAt(target))
    throw new ImportTargetError(
      `the target stands at position ${standsAt(target)}, inside a commit`,
      'let it be an empty database, or the one that this import began to fill',
    );
  const maker = createCommitMaker({ ...boundary, movePosition }, options.nowMs);
  const quarantined = await QuarantinedRows.read(target);
  const doubts = { folded: 0, completed: 0 };

  async function rowsAt(table: RecordTable, places: readonly string[], signal?: AbortSignal): Promise<GoRow[]> {
    if (places.length === 0) return [];
    return [
      ...(await database.read<GoRow>(
        ROWS_AT[table],
        [`{${places.map((ctid) => `"${ctid}"`)}}`],
        places.length,
        signal,
      )),
    ];
  }

  function readRow(table: RecordTable, row: GoRow): Row {
    const read = table === 'messages' ? reader.message(row as GoMessageRow) : reader.result(row as GoResultRow);
    if (read.kind !== 'bad' && read.isFolded) doubts.folded += 1;
    if (read.kind !== 'bad' && read.isCompleted) doubts.completed += 1;
    return read;
  }

  const isNews = (row: Row) => row.kind !== 'bad' || !quarantined.has(row);

  async function store(rows: Rows, cursors: readonly SourceCursor[], moved = false): Promise<void> {
    // their ids are texts: two may differ in case alone
    const news = [...new Map(rows.filter(isNews).map((row) => [identityOf(row), row])).values()];
    if (news.length + cursors.length === 0) return;
    const set: ChangeSet = maker.make(news, cursors, moved);
    requireStandsAt(set.afterPosition);
    await target.apply(set);
    requireStandsAt(set.throughPosition);
    maker.applied(set);
    for (const row of news) if (row.kind === 'bad') quarantined.add(row.entry);
  }

  /** Changes at positions that are taken already would be passed over. */
  function requireStandsAt(position: bigint): void {
    const at = standsAt(target);
    if (at !== position)
      throw new ImportTargetError(
        `the target stands at position ${at}, not at ${position}`,
        'let one import at a time write to it, and nothing else; then go on',
      );
  }

  async function storeChanged(rows: Rows): Promise<number> {
    const changed = await changedRows(target, rows.filter(isNews));
    await store(changed.rows, [], changed.moved);
    return changed.rows.length;
  }

  /** Reads all rows of messages. @returns the sum of what `take` counts. */
  async function ofMessages(
    messageIds: readonly string[],
    signal: AbortSignal | undefined,
    take: (rows: readonly Row[]) => Promise<number>,
  ): Promise<number> {
    let taken = 0;
    for (let from = 0; from < messageIds.length; from += batchRows) {
      const part = messageIds.slice(from, from + batchRows);
      for (const table of [...RECORD_TABLES].reverse()) {
        const rows = await database.read<GoRow>(ROWS_OF[table], [part], part.length, signal);
        taken += await take(rows.map((row) => readRow(table, row)));
      }
    }
    return taken;
  }

  return {
    get position() {
      return maker.head.position;
    },
    doubts,
    quarantined,
    async readPart({ places }, signal) {
      const read: Row[] = [];
      // results first: they name the executors of messages
      for (const table of [...RECORD_TABLES].reverse())
        for (const row of await rowsAt(table, [...places[table].keys()], signal)) {
          const ms = ('executor' in row ? row.ingestion_ms : row.local_ms) ?? '0';
          // another row has taken the place
          if (places[table].get(row.ctid) !== sortMs(table, Number(ms), local)) continue;
          read.push(readRow(table, row));
        }
      return read;
    },
    store,
    async takeChanged(places, signal) {
      let taken = 0;
      for (const table of [...RECORD_TABLES].reverse())
        for (let from = 0; from < places[table].length; from += batchRows) {
          const rows = await rowsAt(table, places[table].slice(from, from + batchRows), signal);
          taken += await storeChanged(rows.map((row) => readRow(table, row)));
        }
      return taken;
    },
    async differing(rows) {
      const changed = await changedRows(target, rows.filter(isNews));
      return changed.rows.flatMap((row) => {
        const messageId = row.kind === 'bad' ? row.entry.messageId : row.record.messageId;
        return messageId ?? [];
      });
    },
    differencesOf: (messageIds, isStored, signal) =>
      ofMessages(messageIds, signal, async (rows) => {
        if (isStored) return await storeChanged(rows);
        return (await changedRows(target, rows.filter(isNews))).rows.length;
      }),
    takeWaiting: (signal) => ofMessages([...quarantined.withoutAddresses()], signal, storeChanged),
  };
}

function identityOf(row: Row): string {
  if (row.kind === 'bad') return quarantineIdentity(row.entry);
  return row.kind === 'message' ? messageIdentity(row.record) : resultIdentity(row.record);
}

/** Of a `bigint` column. */
const LAST_POSITION = 2n ** 63n - 1n;
