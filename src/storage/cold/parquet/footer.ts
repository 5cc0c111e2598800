import { crc32 } from 'node:zlib';
import { CompressionCodecs } from 'hyparquet/src/constants.js';
import type { ByteRange } from '../object-store/object-store.js';
import type { FileColumn } from './columns.js';
import { viewOf } from './data-view.js';
import { CHUNK, CHUNK_FIELDS, FooterParser } from './footer-parser.js';
import { PARQUET_MAGIC } from './footer-writer.js';
import { ParquetFormatError } from './parquet-format-error.js';

/** Reads a range of an object. */
export type FetchRange = (range: ByteRange) => Promise<Uint8Array>;

/** The smallest and largest value of a column in a row group; as wide as the writer left them. */
export interface ColumnBounds {
  readonly min: Uint8Array;
  readonly max: Uint8Array;
}

/** The metadata of a Parquet file: kept small, for caches that count bytes. */
export interface ParquetFooter {
  /** Columns, in file order. */
  readonly columns: readonly FileColumn[];
  readonly groups: number;
  readonly rows: number;
  /** About how much memory this takes. */
  readonly memoryBytes: number;
  /** Rows of a row group. */
  groupRows(group: number): number;
  /** The range of all columns of a row group. */
  groupRange(group: number): ByteRange;
  /** The range of a column of a row group. */
  chunkRange(group: number, column: number): ByteRange;
  /** The range of the bloom filter of a column of a row group; null without one. */
  filterRange(group: number, column: number): ByteRange | null;
  /** The codec of a column chunk, by Parquet's name. */
  chunkCodec(group: number, column: number): string;
  /** False in files of other writers. */
  readonly hasChecksums: boolean;
  /** CRC-32 of its bytes; null in files of other writers. */
  chunkChecksum(group: number, column: number): number | null;
  /** The bounds of a column chunk; null when the writer kept none. */
  chunkBounds(group: number, column: number): ColumnBounds | null;
  /** The index of the column of that name; -1 without one. */
  columnIndex(name: string): number;
}

/** The footer of a data file itself. */
export interface FileFooter extends ParquetFooter {
  /** The entry of a row group, as it lies in the footer. */
  groupEntry(group: number): Uint8Array;
}

const TRAILER_BYTES = 8;
const FIRST_GUESS_BYTES = 64 * 1024;

/** The size of a file and of its footer, when that is known. */
export interface FooterPlace {
  readonly sizeBytes: number;
  /** `EncodedParquet.footerBytes`: makes it one request. */
  readonly footerBytes?: number;
  /** Rows by our own log: the file then is one of ours, and must have its checksums. */
  readonly rows?: number;
  /** CRC-32 of those `footerBytes` by our own log; null in logs of older versions. */
  readonly footerChecksum?: number | null;
}

/**
 * Reads a footer: one request, or a second one when the first did not reach far enough.
 * @throws ParquetFormatError
 */
export async function readFooter(place: FooterPlace, fetch: FetchRange): Promise<FileFooter> {
  const footer = await fetchFooter(place, fetch);
  const isOther = place.rows !== undefined && (footer.rows !== place.rows || !footer.hasChecksums);
  // a few bits can turn the whole content of a footer into fields that no parser knows
  if (isOther) throw new ParquetFormatError('its footer is not the one that was written');
  return footer;
}

async function fetchFooter(place: FooterPlace, fetch: FetchRange): Promise<FileFooter> {
  const { sizeBytes, footerBytes, footerChecksum = null } = place;
  const guess = Math.min(sizeBytes, footerBytes ?? FIRST_GUESS_BYTES);
  const tail = await fetch({ start: sizeBytes - guess, endExclusive: sizeBytes });
  if (footerChecksum !== null && crc32(tail) !== footerChecksum)
    throw new ParquetFormatError('its footer is not the one that was written');
  const neededBytes = footerLength(tail);
  if (neededBytes <= tail.length) return parseFooter(tail, sizeBytes);
  if (neededBytes > sizeBytes) throw new ParquetFormatError('the footer is longer than the file');
  const rest = await fetch({ start: sizeBytes - neededBytes, endExclusive: sizeBytes - tail.length });
  return parseFooter(Buffer.concat([rest, tail]), sizeBytes);
}

/**
 * The size of a file's footer, told from its last 8 bytes.
 * @throws ParquetFormatError when they are not the end of a Parquet file.
 */
export function footerLength(tail: Uint8Array): number {
  const view = viewOf(tail);
  if (view.byteLength < TRAILER_BYTES || view.getUint32(view.byteLength - 4, true) !== PARQUET_MAGIC)
    throw new ParquetFormatError('it does not end as one');
  return view.getUint32(view.byteLength - TRAILER_BYTES, true) + TRAILER_BYTES;
}

/**
 * Parses the end of a file of `sizeBytes`; `tail` may begin before the footer and is not kept.
 * @throws ParquetFormatError, also for columns that are nested otherwise than as lists, which our files do not have.
 */
export function parseFooter(tail: Uint8Array, sizeBytes: number): FileFooter {
  const neededBytes = footerLength(tail);
  if (neededBytes > tail.length) throw new ParquetFormatError('the footer is cut off');
  return new Footer(tail.slice(tail.length - neededBytes, tail.length - TRAILER_BYTES), sizeBytes - neededBytes);
}

/** The bounds of an int64 column, by row group; null where there are none. */
export function int64Bounds(
  footer: ParquetFooter,
  name: string,
): (group: number) => { readonly min: bigint; readonly max: bigint } | null {
  const column = footer.columnIndex(name);
  return (group) => {
    const bounds = column < 0 ? null : footer.chunkBounds(group, column);
    return bounds && { min: viewOf(bounds.min).getBigInt64(0, true), max: viewOf(bounds.max).getBigInt64(0, true) };
  };
}

class Footer implements FileFooter {
  readonly columns: readonly FileColumn[];
  readonly groups: number;
  readonly rows: number;
  readonly #bytes: Uint8Array;
  readonly #groupRows: readonly number[];
  readonly #groupSpans: readonly number[];
  readonly #chunks: Float64Array;
  readonly #filters: ReadonlyMap<number, ByteRange>;
  readonly #checksums: Uint32Array | null;

  constructor(bytes: Uint8Array, dataEnd: number) {
    this.#bytes = bytes;
    const parsed = new FooterParser(bytes, dataEnd).parse();
    this.columns = parsed.columns;
    this.groups = parsed.groupRows.length;
    this.rows = parsed.groupRows.reduce((sum, rows) => sum + rows, 0);
    this.#groupRows = parsed.groupRows;
    this.#groupSpans = parsed.groupSpans;
    this.#chunks = Float64Array.from(parsed.chunks);
    this.#filters = parsed.filters;
    this.#checksums = parsed.checksums;
  }

  get memoryBytes(): number {
    return (
      this.#bytes.length +
      this.#chunks.byteLength +
      (this.#checksums?.byteLength ?? 0) +
      this.groups * 24 +
      this.#filters.size * 64 +
      4096
    );
  }

  get hasChecksums(): boolean {
    return this.#checksums !== null;
  }

  groupRows(group: number): number {
    return this.#groupRows[group] ?? 0;
  }

  groupEntry(group: number): Uint8Array {
    return this.#bytes.subarray(this.#groupSpans[group * 2], this.#groupSpans[group * 2 + 1]);
  }

  groupRange(group: number): ByteRange {
    let start = Number.POSITIVE_INFINITY;
    let endExclusive = 0;
    for (let column = 0; column < this.columns.length; column++) {
      const range = this.chunkRange(group, column);
      start = Math.min(start, range.start);
      endExclusive = Math.max(endExclusive, range.endExclusive);
    }
    return { start, endExclusive };
  }

  chunkRange(group: number, column: number): ByteRange {
    const start = this.#field(group, column, CHUNK.start);
    return { start, endExclusive: start + this.#field(group, column, CHUNK.length) };
  }

  filterRange(group: number, column: number): ByteRange | null {
    return this.#filters.get(group * this.columns.length + column) ?? null;
  }

  chunkCodec(group: number, column: number): string {
    return CompressionCodecs[this.#field(group, column, CHUNK.codec)] ?? 'unknown';
  }

  chunkChecksum(group: number, column: number): number | null {
    return this.#checksums?.[group * this.columns.length + column] ?? null;
  }

  chunkBounds(group: number, column: number): ColumnBounds | null {
    const min = this.#slice(this.#field(group, column, CHUNK.min));
    const max = this.#slice(this.#field(group, column, CHUNK.max));
    return min && max ? { min, max } : null;
  }

  columnIndex(name: string): number {
    return this.columns.findIndex((column) => column.name === name);
  }

  #field(group: number, column: number, field: number): number {
    const value = this.#chunks[(group * this.columns.length + column) * CHUNK_FIELDS + field];
    if (value === undefined) throw new RangeError(`no column ${column} in row group ${group}`);
    return value;
  }

  #slice(packed: number): Uint8Array | null {
    if (packed < 0) return null;
    const start = Math.floor(packed / 65_536);
    return this.#bytes.slice(start, start + (packed % 65_536));
  }
}
