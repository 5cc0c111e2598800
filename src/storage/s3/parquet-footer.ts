import type { SchemaElement } from 'hyparquet';
import { CompressionCodecs, ConvertedTypes, FieldRepetitionTypes, ParquetTypes } from 'hyparquet/src/constants.js';
import type { ByteRange } from './object-store.js';
import { ParquetFormatError } from './parquet-errors.js';
import { ThriftCursor } from './parquet-thrift.js';

/** Reads a range of an object. */
export type FetchRange = (range: ByteRange) => Promise<Uint8Array>;

/** The smallest and largest value of a column in a row group; as wide as the writer left them. */
export interface ColumnBounds {
  readonly min: Uint8Array;
  readonly max: Uint8Array;
}

/** What is known of a Parquet file without its rows: kept small, for caches that count bytes. */
export interface ParquetFooter {
  /** Columns, in file order. */
  readonly columns: readonly SchemaElement[];
  readonly groups: number;
  readonly rows: number;
  /** About how much memory this takes. */
  readonly memoryBytes: number;
  /** Rows of a row group. */
  groupRows(group: number): number;
  /** Where all columns of a row group lie, as one range. */
  groupRange(group: number): ByteRange;
  /** Where a column of a row group lies. */
  chunkRange(group: number, column: number): ByteRange;
  /** How it is compressed, by Parquet's name. */
  chunkCodec(group: number, column: number): string;
  /** Its statistics; null when the writer kept none. */
  chunkBounds(group: number, column: number): ColumnBounds | null;
  /** The index of the column of that name; -1 without one. */
  columnIndex(name: string): number;
}

const MAGIC = 0x31524150;
const TRAILER_BYTES = 8;
const FIRST_GUESS_BYTES = 64 * 1024;

/** Where a file is and how long its footer is, when that is known. */
export interface FooterPlace {
  readonly sizeBytes: number;
  /** `EncodedParquet.footerBytes`: makes it one request. */
  readonly footerBytes?: number;
}

/**
 * Reads a footer: one request, or a second one when the first did not reach far enough.
 * @throws ParquetFormatError
 */
export async function readFooter({ sizeBytes, footerBytes }: FooterPlace, fetch: FetchRange): Promise<ParquetFooter> {
  const guess = Math.min(sizeBytes, footerBytes ?? FIRST_GUESS_BYTES);
  const tail = await fetch({ start: sizeBytes - guess, endExclusive: sizeBytes });
  const neededBytes = footerLength(tail);
  if (neededBytes <= tail.length) return parseFooter(tail, sizeBytes);
  if (neededBytes > sizeBytes) throw new ParquetFormatError('the footer is longer than the file');
  const rest = await fetch({ start: sizeBytes - neededBytes, endExclusive: sizeBytes - tail.length });
  return parseFooter(Buffer.concat([rest, tail]), sizeBytes);
}

/**
 * How many bytes at the end of a file its footer takes, told from its last 8 bytes.
 * @throws ParquetFormatError when they are not the end of a Parquet file.
 */
export function footerLength(tail: Uint8Array): number {
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  if (view.byteLength < TRAILER_BYTES || view.getUint32(view.byteLength - 4, true) !== MAGIC)
    throw new ParquetFormatError('it does not end as one');
  return view.getUint32(view.byteLength - TRAILER_BYTES, true) + TRAILER_BYTES;
}

/**
 * Parses the end of a file of `sizeBytes`; `tail` may begin before the footer and is not kept.
 * @throws ParquetFormatError, also for nested columns, which our files do not have.
 */
export function parseFooter(tail: Uint8Array, sizeBytes: number): ParquetFooter {
  const neededBytes = footerLength(tail);
  if (neededBytes > tail.length) throw new ParquetFormatError('the footer is cut off');
  return new Footer(tail.slice(tail.length - neededBytes, tail.length - TRAILER_BYTES), sizeBytes - neededBytes);
}

/** Numbers kept for each column chunk, in this order. */
const CHUNK_FIELDS = 6;
const START = 0;
const LENGTH = 1;
const CODEC = 2;
/** Where the bounds lie in the footer: start and length in one number, length in the low 16 bits; -1 without them. */
const MIN = 3;
const MAX = 4;
const VALUES = 5;

class Footer implements ParquetFooter {
  readonly columns: readonly SchemaElement[];
  readonly groups: number;
  readonly rows: number;
  readonly #bytes: Uint8Array;
  readonly #groupRows: readonly number[];
  readonly #chunks: Float64Array;

  constructor(bytes: Uint8Array, dataEnd: number) {
    this.#bytes = bytes;
    const parsed = new FooterParser(bytes, dataEnd).parse();
    this.columns = parsed.columns;
    this.groups = parsed.groupRows.length;
    this.rows = parsed.groupRows.reduce((sum, rows) => sum + rows, 0);
    this.#groupRows = parsed.groupRows;
    this.#chunks = Float64Array.from(parsed.chunks);
  }

  get memoryBytes(): number {
    return this.#bytes.length + this.#chunks.byteLength + this.groups * 8 + 4096;
  }

  groupRows(group: number): number {
    return this.#groupRows[group] ?? 0;
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
    const start = this.#field(group, column, START);
    return { start, endExclusive: start + this.#field(group, column, LENGTH) };
  }

  chunkCodec(group: number, column: number): string {
    return CompressionCodecs[this.#field(group, column, CODEC)] ?? 'unknown';
  }

  chunkBounds(group: number, column: number): ColumnBounds | null {
    const min = this.#slice(this.#field(group, column, MIN));
    const max = this.#slice(this.#field(group, column, MAX));
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

/** Field ids are those of apache/parquet-format, src/main/thrift/parquet.thrift. */
class FooterParser {
  readonly #cursor: ThriftCursor;
  readonly #dataEnd: number;
  readonly #columns: SchemaElement[] = [];
  readonly #groupRows: number[] = [];
  readonly #chunks: number[] = [];

  /** `dataEnd`: where the footer begins in the file. */
  constructor(bytes: Uint8Array, dataEnd: number) {
    this.#dataEnd = dataEnd;
    this.#cursor = new ThriftCursor(bytes, 0, bytes.length);
  }

  parse() {
    const cursor = this.#cursor;
    cursor.struct((id, type) => {
      if (id === 2) cursor.list((_type, index) => this.#schemaElement(index));
      else if (id === 4) cursor.list(() => this.#rowGroup());
      else cursor.skip(type);
    });
    if (this.#columns.length === 0) throw new ParquetFormatError('it has no columns');
    return { columns: this.#columns, groupRows: this.#groupRows, chunks: this.#chunks };
  }

  #schemaElement(index: number): void {
    const cursor = this.#cursor;
    let children = 0;
    const element: { -readonly [K in keyof SchemaElement]: SchemaElement[K] } = { name: '' };
    cursor.struct((id, fieldType) => {
      if (id === 1) element.type = named(ParquetTypes, cursor.integer(), 'type');
      else if (id === 2) element.type_length = cursor.integer();
      else if (id === 3) element.repetition_type = named(FieldRepetitionTypes, cursor.integer(), 'repetition');
      else if (id === 4) element.name = cursor.text();
      else if (id === 5) children = cursor.integer();
      else if (id === 6) element.converted_type = named(ConvertedTypes, cursor.integer(), 'converted type');
      else cursor.skip(fieldType);
    });
    if (index === 0) return;
    if (children > 0 || element.repetition_type === 'REPEATED')
      throw new ParquetFormatError(`column ${element.name} is nested`);
    this.#columns.push(element);
  }

  #rowGroup(): void {
    const cursor = this.#cursor;
    let rows = -1;
    let chunks = 0;
    const first = this.#chunks.length;
    cursor.struct((id, type) => {
      if (id === 1) chunks = cursor.list(() => this.#columnChunk());
      else if (id === 3) rows = cursor.integer();
      else cursor.skip(type);
    });
    if (rows < 0 || chunks !== this.#columns.length) throw new ParquetFormatError('a row group is incomplete');
    for (let at = first; at < this.#chunks.length; at += CHUNK_FIELDS)
      if (this.#chunks[at + VALUES] !== rows)
        throw new ParquetFormatError('a column has other rows than its row group');
    this.#groupRows.push(rows);
  }

  #columnChunk(): void {
    const cursor = this.#cursor;
    let read = false;
    cursor.struct((id, type) => {
      if (id !== 3) return cursor.skip(type);
      read = true;
      this.#columnMetaData();
    });
    if (!read) throw new ParquetFormatError('a column has no metadata');
  }

  #columnMetaData(): void {
    const cursor = this.#cursor;
    let [codec, values, length, dataStart, dictionaryStart, min, max] = [0, 0, 0, 0, 0, -1, -1];
    cursor.struct((id, type) => {
      if (id === 4) codec = cursor.integer();
      else if (id === 5) values = cursor.integer();
      else if (id === 7) length = cursor.integer();
      else if (id === 9) dataStart = cursor.integer();
      else if (id === 11) dictionaryStart = cursor.integer();
      else if (id === 12)
        cursor.struct((field, fieldType) => {
          if (field === 5) max = pack(cursor.binary());
          else if (field === 6) min = pack(cursor.binary());
          else cursor.skip(fieldType);
        });
      else cursor.skip(type);
    });
    // some writers give 0 for a dictionary that is not there
    const start = dictionaryStart > 0 ? Math.min(dictionaryStart, dataStart) : dataStart;
    if (start < 0 || length < 0 || start + length > this.#dataEnd)
      throw new ParquetFormatError('a column lies outside of the file');
    this.#chunks.push(start, length, codec, min, max, values);
  }
}

function pack({ start, end }: { readonly start: number; readonly end: number }): number {
  return end - start < 65_536 ? start * 65_536 + (end - start) : -1;
}

function named<T>(names: readonly T[], index: number, what: string): T {
  const name = names[index];
  if (name === undefined) throw new ParquetFormatError(`a column has the unknown ${what} ${index}`);
  return name;
}
