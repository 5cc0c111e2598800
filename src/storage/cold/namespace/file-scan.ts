import { crc32 } from 'node:zlib';
import type { ByteRange, ObjectStore } from '../object-store/object-store.js';
import type { ColumnSpec, ColumnValue } from '../parquet/columns.js';
import type { StoredGroup } from '../parquet/file-writer.js';
import { type FileFooter, int64Bounds, readFooter } from '../parquet/footer.js';
import { PARQUET_MAGIC } from '../parquet/footer-writer.js';
import { ParquetFormatError } from '../parquet/parquet-format-error.js';
import { readRowGroups } from '../parquet/row-group-reader.js';
import type { Zstd } from '../parquet/zstd.js';
import type { RowKind } from '../rows/row-kind.js';
import type { TableName } from '../rows/table-name.js';
import type { DataFile } from './data-file.js';

/** Row groups are fetched together up to so many bytes: a request each would cost more than the bytes. */
const FETCH_BYTES = 1024 * 1024;
/** A row group at least. */
const LEAST_FETCH_BYTES = 128 * 1024;
/** Bytes of all files that are read at once. */
const ALL_FETCH_BYTES = 64 * 1024 * 1024;

/** Means of a scan. */
export interface ScanParts {
  readonly store: ObjectStore;
  readonly zstd: Zstd;
  readonly keyOf: (table: TableName, path: string) => string;
}

/** The way of a scan. */
export interface ScanOptions {
  readonly together?: number;
  readonly columns?: readonly ColumnSpec[];
}

/** The rows of one row group. */
export interface ScannedGroup<T, K> {
  readonly group: number;
  readonly records: readonly T[];
  /** The keys as their own columns have them, which are those of the records unless the file is wrong. */
  keys(): readonly K[];
  /** The bloom filter of a column, as it lies in the file; null without one. */
  filter(name: string): Uint8Array | null;
  /** The cells of a row, in the order of the columns that are read. */
  cells(row: number): readonly ColumnValue[];
}

/**
 * Reads a whole file once, row group by row group, past the caches: a scan must not displace rows that are asked for
 * often. Holds one megabyte of the file (less when many are read at once) and one decoded row group, and fetches the
 * next megabyte while that one is used.
 */
export class FileScan<T, K> {
  readonly #parts: ScanParts;
  readonly #rows: RowKind<T, K>;
  readonly #columns: readonly ColumnSpec[];
  readonly #key: string;
  readonly #file: DataFile;
  readonly #fetchBytes: number;
  #footer: FileFooter | null = null;
  #next = 0;
  #fetched: Promise<Window> | null = null;

  /** `together`: how many files are read at once. `columns`: those that records need, and any others. */
  constructor(
    parts: ScanParts,
    table: TableName,
    rows: RowKind<T, K>,
    file: DataFile,
    { together = 1, columns = rows.recordColumns }: ScanOptions = {},
  ) {
    this.#columns = columns;
    this.#fetchBytes = Math.max(LEAST_FETCH_BYTES, Math.min(FETCH_BYTES, ALL_FETCH_BYTES / 2 / together));
    this.#parts = parts;
    this.#rows = rows;
    this.#file = file;
    this.#key = parts.keyOf(table, file.path);
  }

  /** The file's own footer. @throws ParquetFormatError, and the errors of the object store. */
  async footer(): Promise<FileFooter> {
    this.#footer ??= await readFooter(this.#file, (range) => this.#parts.store.get(this.#key, range));
    return this.#footer;
  }

  /**
   * The next row group; null after the last.
   * @throws ParquetFormatError for a damaged one, after which the next call goes on; the errors of the object store.
   */
  async next(): Promise<ScannedGroup<T, K> | null> {
    const footer = await this.footer();
    const group = this.#next;
    if (group >= footer.groups) return null;
    const window = await this.#take(footer, group);
    const [data] = await readRowGroups(
      footer,
      { groups: [group], columns: this.#columns },
      {
        fetch: async (range) => bytesOf(window, range),
        zstd: this.#parts.zstd,
      },
    );
    if (!data) return null;
    const all = <V>(read: (row: number) => V) => Array.from({ length: data.rows }, (_, row) => read(row));
    return {
      group,
      records: all(this.#rows.records(data)),
      keys: () => all(this.#rows.keys(data)),
      filter: (name) => {
        const range = footer.filterRange(group, footer.columnIndex(name));
        return range && bytesOf(window, range);
      },
      cells: (row) => this.#columns.map(({ name }) => data.column(name).at(row)),
    };
  }

  /**
   * The next row group as it lies in the file, its column chunks compared with their checksums; null after the last.
   * @throws ParquetFormatError for a damaged one, and the errors of the object store.
   */
  async nextStored(): Promise<StoredGroup | null> {
    const footer = await this.footer();
    const group = this.#next;
    if (group >= footer.groups) return null;
    const window = await this.#take(footer, group);
    const range = wholeRange(footer, group);
    const chunks = footer.columns.map(({ name, leaf }, column) => {
      const chunk = footer.chunkRange(group, column);
      const checksum = crc32(bytesOf(window, chunk));
      if (checksum !== footer.chunkChecksum(group, column))
        throw new ParquetFormatError(`column ${name} is damaged in row group ${group}`);
      const bounds = leaf.type === 'INT64' ? int64Bounds(footer, name)(group) : null;
      return { name, sizeBytes: chunk.endExclusive - chunk.start, checksum, bounds };
    });
    const place = { rows: footer.groupRows(group), start: range.start, chunks };
    return { bytes: bytesOf(window, range), entry: footer.groupEntry(group), place };
  }

  /** The bytes with a row group; those of the next one are on their way. */
  async #take(footer: FileFooter, group: number): Promise<Window> {
    this.#fetched ??= this.#fetch(footer, group);
    const window = await this.#fetched;
    this.#next = group + 1;
    if (this.#next >= window.endGroup) {
      this.#fetched = this.#next < footer.groups ? this.#fetch(footer, this.#next) : null;
      // the next call throws the failure
      this.#fetched?.catch(() => undefined);
    }
    return window;
  }

  async #fetch(footer: FileFooter, first: number): Promise<Window> {
    const isFirst = first === 0;
    let { start, endExclusive } = wholeRange(footer, first);
    let endGroup = first + 1;
    for (; endGroup < footer.groups; endGroup += 1) {
      const range = wholeRange(footer, endGroup);
      if (range.start < start || range.endExclusive - start > this.#fetchBytes) break;
      endExclusive = Math.max(endExclusive, range.endExclusive);
    }
    if (isFirst) start = 0;
    const bytes = await this.#parts.store.get(this.#key, { start, endExclusive });
    if (isFirst && Buffer.from(bytes.buffer, bytes.byteOffset).readUInt32LE() !== PARQUET_MAGIC)
      throw new ParquetFormatError('it does not begin as one');
    return { start, endGroup, bytes };
  }
}

/** A row group with its bloom filters. */
function wholeRange(footer: FileFooter, group: number): ByteRange {
  const { start, endExclusive } = footer.groupRange(group);
  const filterEnds = footer.columns.map((_, column) => footer.filterRange(group, column)?.endExclusive ?? 0);
  return { start, endExclusive: Math.max(endExclusive, ...filterEnds) };
}

function bytesOf({ bytes, start }: Window, range: ByteRange): Uint8Array {
  return bytes.subarray(range.start - start, range.endExclusive - start);
}

interface Window {
  readonly start: number;
  readonly endGroup: number;
  readonly bytes: Uint8Array;
}
