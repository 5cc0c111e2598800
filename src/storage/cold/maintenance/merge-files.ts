import { DeltaFormatError } from '../delta/delta-errors.js';
import type { DataFile } from '../namespace/data-file.js';
import type { FileScan } from '../namespace/file-scan.js';
import type { RowKind } from '../rows/row-kind.js';

/** Rows given out at once. */
const BATCH_ROWS = 128;

/** A row and the file it comes from. */
export interface MergedRow<T, K> {
  readonly record: T;
  readonly key: K;
  readonly file: DataFile;
}

/** The merging of one table's files. */
export interface MergeOptions<T, K> {
  readonly rows: RowKind<T, K>;
  readonly files: readonly DataFile[];
  readonly scan: (file: DataFile) => FileScan<T, K>;
  /**
   * The beginning of a file's rows, and the place of a row, in the same measure: a file is opened when its turn
   * comes.
   */
  readonly startOf: (file: DataFile) => number | bigint;
  readonly placeOf: (key: K) => number | bigint;
}

/**
 * The rows of all files in the one order of their table, some at a time; of rows with one order key the older state
 * first. Files that do not overlap are open one after the other.
 * @throws DeltaFormatError when a file has not as many rows as the log says, and the errors of reading.
 */
export async function* mergeFiles<T, K extends { readonly position: bigint }>({
  rows,
  files,
  scan,
  startOf,
  placeOf,
}: MergeOptions<T, K>): AsyncGenerator<readonly MergedRow<T, K>[]> {
  const waiting = [...files].sort((a, b) => (startOf(a) < startOf(b) ? -1 : startOf(a) > startOf(b) ? 1 : 0));
  const open: FileRows<T, K>[] = [];
  const compare = (a: K, b: K) => rows.compare(a, b) || (a.position < b.position ? -1 : 1);
  let batch: MergedRow<T, K>[] = [];
  for (;;) {
    let lowest = lowestOf(open, compare);
    for (let next = waiting[0]; next && (!lowest || startOf(next) <= placeOf(lowest.key)); next = waiting[0]) {
      waiting.shift();
      const cursor = new FileRows(next, scan(next), rows);
      if (await cursor.advance()) open.push(cursor);
      lowest = lowestOf(open, compare);
    }
    if (!lowest) break;
    batch.push({ record: lowest.record, key: lowest.key, file: lowest.file });
    if (!lowest.step() && !(await lowest.advance())) open.splice(open.indexOf(lowest), 1);
    if (batch.length < BATCH_ROWS) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function lowestOf<T, K>(open: readonly FileRows<T, K>[], compare: (a: K, b: K) => number): FileRows<T, K> | undefined {
  let lowest: FileRows<T, K> | undefined;
  for (const cursor of open) if (!lowest || compare(cursor.key, lowest.key) < 0) lowest = cursor;
  return lowest;
}

/** The rows of one file, one after the other. */
class FileRows<T, K> {
  readonly file: DataFile;
  readonly #scan: FileScan<T, K>;
  readonly #rows: RowKind<T, K>;
  #records: readonly T[] = [];
  #keys: readonly K[] = [];
  #at = 0;
  #read = 0;

  constructor(file: DataFile, scan: FileScan<T, K>, rows: RowKind<T, K>) {
    this.file = file;
    this.#scan = scan;
    this.#rows = rows;
  }

  get record(): T {
    return this.#records[this.#at] as T;
  }

  get key(): K {
    return this.#keys[this.#at] as K;
  }

  /** Moves to the next row; false when it must be loaded. */
  step(): boolean {
    this.#at += 1;
    return this.#at < this.#records.length;
  }

  /** Loads the next row group; false after the last. */
  async advance(): Promise<boolean> {
    for (let group = await this.#scan.next(); group; group = await this.#scan.next()) {
      this.#records = group.records;
      this.#keys = group.records.map((record) => this.#rows.keyOf(record));
      this.#at = 0;
      this.#read += group.records.length;
      if (group.records.length > 0) return true;
    }
    if (this.#read !== this.file.rows)
      throw new DeltaFormatError(`a file has ${this.#read} rows, and ${this.file.rows} by the log`, {
        details: { path: this.file.path },
      });
    return false;
  }
}
