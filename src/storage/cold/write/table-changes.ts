import { randomUUID } from 'node:crypto';
import { nextTurn } from '../../../core/event-loop.js';
import { DeltaFormatError } from '../delta/delta-errors.js';
import { type DataFile, dayOfFile, describeFile, type FlushStamp } from '../namespace/data-file.js';
import type { DataFileReader } from '../namespace/file-reader.js';
import { FileScan, type ScanParts } from '../namespace/file-scan.js';
import type { DataFileStore } from '../namespace/file-store.js';
import { stampOf } from '../namespace/output-files.js';
import type { RecordTable } from '../namespace/record-tables.js';
import type { NamespaceView } from '../namespace/view.js';
import { inTurns } from '../parquet/steps.js';
import type { Zstd } from '../parquet/zstd.js';
import { createFileEncoder, type FileEncoder } from '../rows/data-file-encoder.js';
import { dayOf, type RecordKey, type RowKind } from '../rows/row-kind.js';
import type { TableName } from '../rows/table-name.js';
import { findHolders, type Holder } from './replaced-rows.js';

const ROWS_BETWEEN_PAUSES = 250;

/** The means of changing tables. */
export interface TableChangeParts {
  readonly reader: DataFileReader;
  readonly files: DataFileStore;
  readonly zstd: Zstd;
  readonly scan: ScanParts;
}

/** The changes of one table since a state of it. */
export interface RecordChanges<T, K> {
  /** The records that are not orphaned, as they are now. */
  readonly shown: readonly T[];
  readonly gone: readonly K[];
  /** A record left the lists since, or moved in them. */
  readonly moved: boolean;
}

/** The stored files of a change of a table, not committed yet. */
export interface TableChange {
  readonly added: readonly DataFile[];
  readonly removed: readonly DataFile[];
  /** Bytes of data files and indexes. */
  readonly bytes: number;
}

/** A row that waits for its file. */
export interface Row<T, K> {
  readonly record: T;
  readonly key: K;
}

/** The changes of one table, and the files that they write anew. */
export interface PlannedChanges<T, K> {
  readonly rows: readonly Row<T, K>[];
  readonly changed: readonly K[];
  readonly holders: readonly Holder[];
}

/** Finds the files with rows that are replaced or go. Nothing is stored. */
export async function planRecordChanges<T, K extends RecordKey>(
  { reader }: TableChangeParts,
  table: RecordTable<T, K>,
  view: NamespaceView,
  { shown, gone, moved }: RecordChanges<T, K>,
): Promise<PlannedChanges<T, K>> {
  const rows = sorted(table.rows, shown);
  const changed = [...rows.map(({ key }) => key), ...gone];
  return { rows, changed, holders: await findHolders(reader, table, view, { changed, moved }) };
}

/**
 * Stores the files of a flush for one table of records, whose rows are those that are not orphaned, each once. New rows
 * make a file for each day. A file with a row that is replaced or goes is written anew, with the new rows of its time;
 * then the file is removed. Holds one such file in memory.
 */
export async function storeRecordChanges<T, K extends RecordKey>(
  parts: TableChangeParts,
  table: RecordTable<T, K>,
  { rows, changed, holders }: PlannedChanges<T, K>,
  stamp: FlushStamp,
): Promise<TableChange> {
  const positions = new Map(holders.length > 0 ? changed.map((key) => [table.identityOf(key), key.position]) : []);
  const writer = new TableWriter(parts, table.table, table.rows);
  let left = rows;
  for (const holder of holders) {
    const isHere = ({ key }: Row<T, K>) => belongsTo(holder, key);
    const here = left.filter(isHere);
    left = left.filter((row) => !isHere(row));
    await writer.rewrite(holder, here, { positions, identityOf: (key) => table.identityOf(key) }, stamp);
  }
  await writer.writeByDay(left, ({ key }) => dayOf(key.ingestionMs), stamp);
  return writer.change;
}

/** Stores rows of a table that only grows. */
export async function storeRows<T, K extends { readonly position: bigint }>(
  parts: TableChangeParts,
  { table, rows }: { readonly table: TableName; readonly rows: RowKind<T, K> },
  records: readonly T[],
  stamp: FlushStamp,
): Promise<TableChange> {
  const writer = new TableWriter(parts, table, rows);
  await writer.writeByDay(sorted(rows, records), () => dayOf(stamp.writtenMs), stamp);
  return writer.change;
}

function sorted<T, K>(kind: RowKind<T, K>, records: readonly T[]): Row<T, K>[] {
  return records.map((record) => ({ record, key: kind.keyOf(record) })).sort((a, b) => kind.compare(a.key, b.key));
}

function belongsTo({ file }: Holder, { ingestionMs }: RecordKey): boolean {
  return file.minMs <= ingestionMs && ingestionMs <= file.maxMs && dayOfFile(file) === dayOf(ingestionMs);
}

/** Writes the files of one table. */
class TableWriter<T, K extends { readonly position: bigint }> {
  readonly #parts: TableChangeParts;
  readonly #table: TableName;
  readonly #rows: RowKind<T, K>;
  readonly #added: DataFile[] = [];
  readonly #removed: DataFile[] = [];
  #bytes = 0;

  constructor(parts: TableChangeParts, table: TableName, rows: RowKind<T, K>) {
    this.#parts = parts;
    this.#table = table;
    this.#rows = rows;
  }

  get change(): TableChange {
    return { added: this.#added, removed: this.#removed, bytes: this.#bytes };
  }

  /** One file for each day, of rows in their order. */
  async writeByDay(rows: readonly Row<T, K>[], dayOfRow: (row: Row<T, K>) => string, stamp: FlushStamp): Promise<void> {
    const days = new Map<string, Row<T, K>[]>();
    for (const row of rows) {
      const day = dayOfRow(row);
      const ofDay = days.get(day);
      if (ofDay) ofDay.push(row);
      else days.set(day, [row]);
    }
    for (const [day, ofDay] of days) {
      const encoder = this.#encoder();
      for (const [place, { record, key }] of ofDay.entries()) {
        encoder.add(record, key);
        if (place % ROWS_BETWEEN_PAUSES === ROWS_BETWEEN_PAUSES - 1) await nextTurn();
      }
      await this.#store(encoder, day, stamp);
    }
  }

  /** Writes a file anew, without rows that have a higher position now, and with new ones in their order. */
  async rewrite(
    { file, identities }: Holder,
    inserted: readonly Row<T, K>[],
    { positions, identityOf }: { readonly positions: ReadonlyMap<string, bigint>; identityOf(key: K): string },
    stamp: FlushStamp,
  ): Promise<void> {
    const scan = new FileScan(this.#parts.scan, this.#table, this.#rows, file);
    const encoder = this.#encoder();
    let next = 0;
    let dropped = 0;
    let read = 0;
    for (let group = await scan.next(); group; group = await scan.next()) {
      read += group.records.length;
      for (const record of group.records) {
        const key = this.#rows.keyOf(record);
        const identity = identityOf(key);
        if (identities.has(identity) && key.position < (positions.get(identity) ?? 0n)) {
          dropped += 1;
          continue;
        }
        for (let row = inserted[next]; row && this.#rows.compare(row.key, key) < 0; row = inserted[next]) {
          encoder.add(row.record, row.key);
          next += 1;
        }
        encoder.add(record, key);
      }
      await nextTurn();
    }
    if (read !== file.rows)
      throw new DeltaFormatError(`a file has ${read} rows, and ${file.rows} by the log`, {
        details: { path: file.path },
      });
    if (dropped === 0 && inserted.length === 0) return;
    for (const { record, key } of inserted.slice(next)) encoder.add(record, key);
    this.#removed.push(file);
    const { boundaries } = stampOf([file], 0);
    const ends = file.boundaryMs === null ? [] : [{ position: file.flushThrough, ms: file.boundaryMs }];
    if (encoder.rows > 0)
      await this.#store(encoder, dayOfFile(file), { ...stamp, boundaries: [...(boundaries ?? []), ...ends] });
  }

  #encoder(): FileEncoder<T, K> {
    return createFileEncoder({ kind: this.#rows, zstd: this.#parts.zstd });
  }

  async #store(encoder: FileEncoder<T, K>, day: string, stamp: FlushStamp): Promise<void> {
    const encoded = await inTurns(encoder.finishing());
    const file = describeFile(encoded, { id: randomUUID(), day }, stamp);
    await this.#parts.files.put(this.#table, file, encoded);
    this.#added.push(file);
    this.#bytes += encoded.bytes.length + (encoded.index?.bytes.length ?? 0);
  }
}
