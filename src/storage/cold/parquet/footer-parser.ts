import { crc32 } from 'node:zlib';
import type { SchemaElement } from 'hyparquet';
import { ConvertedTypes, FieldRepetitionTypes, ParquetTypes } from 'hyparquet/src/constants.js';
import type { ByteRange } from '../object-store/object-store.js';
import { type FileColumn, isList, LIST_DEPTH } from './columns.js';
import { CHECKSUMS_KEY, CREATED_BY } from './footer-writer.js';
import { ParquetFormatError } from './parquet-format-error.js';
import { ThriftCursor } from './thrift-cursor.js';

/**
 * Places of the numbers kept for each column chunk. `min` and `max`: where the bounds lie in the footer, start and
 * length in one number, the length in its low 16 bits; -1 without them.
 */
export const CHUNK = { start: 0, length: 1, codec: 2, min: 3, max: 4, values: 5 } as const;
/** The number of those. */
export const CHUNK_FIELDS = 6;

/** A footer, parsed. */
export interface ParsedFooter {
  readonly columns: readonly FileColumn[];
  readonly groupRows: readonly number[];
  /** The places of their entries in the footer, start and end in turn. */
  readonly groupSpans: readonly number[];
  /** `CHUNK_FIELDS` numbers for each column of each row group. */
  readonly chunks: readonly number[];
  /** Bloom filters, by the place of their column chunk: row group by row group, in the order of the columns. */
  readonly filters: ReadonlyMap<number, ByteRange>;
  /** CRC-32 of each column chunk; null in files of other writers. */
  readonly checksums: Uint32Array | null;
}

/** Parses one footer. Field ids are those of apache/parquet-format, src/main/thrift/parquet.thrift. */
export class FooterParser {
  readonly #cursor: ThriftCursor;
  readonly #dataEnd: number;
  readonly #columns: FileColumn[] = [];
  /** Of the column whose leaf has not come yet. */
  #path: SchemaElement[] = [];
  readonly #groupRows: number[] = [];
  readonly #groupSpans: number[] = [];
  readonly #chunks: number[] = [];
  readonly #filters = new Map<number, ByteRange>();
  readonly #bytes: Uint8Array;
  #checksums: Uint32Array | null = null;

  /** `dataEnd`: where the footer begins in the file. */
  constructor(bytes: Uint8Array, dataEnd: number) {
    this.#dataEnd = dataEnd;
    this.#bytes = bytes;
    this.#cursor = new ThriftCursor(bytes, 0, bytes.length);
  }

  /** @throws ParquetFormatError */
  parse(): ParsedFooter {
    const cursor = this.#cursor;
    let createdBy = '';
    cursor.struct((id, type) => {
      // the header of a field takes one byte
      const start = cursor.position - 1;
      if (id === 2) cursor.list((_type, index) => this.#schemaElement(index));
      else if (id === 4) cursor.list(() => this.#rowGroup());
      else if (id === 5) cursor.list(() => this.#ownMetadata(start));
      else if (id === 6) createdBy = cursor.text();
      else cursor.skip(type);
    });
    if (this.#columns.length === 0) throw new ParquetFormatError('it has no columns');
    if (this.#checksums === null && createdBy === CREATED_BY) throw new ParquetFormatError('it has lost its checksums');
    const [columns, groupRows, groupSpans, chunks] = [this.#columns, this.#groupRows, this.#groupSpans, this.#chunks];
    return { columns, groupRows, groupSpans, chunks, filters: this.#filters, checksums: this.#checksums };
  }

  /** Takes the checksums of the column chunks, when this entry of the footer's own metadata holds them. */
  #ownMetadata(coveredEnd: number): void {
    const cursor = this.#cursor;
    let [key, value] = ['', ''];
    cursor.struct((id, type) => {
      if (id === 1) key = cursor.text();
      else if (id === 2) value = cursor.text();
      else cursor.skip(type);
    });
    if (key !== CHECKSUMS_KEY) return;
    const bytes = Buffer.from(value, 'base64');
    const numbers = Uint32Array.from({ length: bytes.length >>> 2 }, (_, index) => bytes.readUInt32LE(index * 4));
    if (numbers[0] !== crc32(this.#bytes.subarray(0, coveredEnd)))
      throw new ParquetFormatError('the footer is damaged');
    if (numbers.length !== 1 + this.#chunks.length / CHUNK_FIELDS)
      throw new ParquetFormatError('it has checksums for other columns');
    this.#checksums = numbers.subarray(1);
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
      else if (id === 7) element.scale = cursor.integer();
      else if (id === 8) element.precision = cursor.integer();
      else cursor.skip(fieldType);
    });
    if (index === 0) return;
    const path = [...this.#path, element];
    this.#path = children > 0 ? path : [];
    const [{ name } = element] = path;
    if (children > 1 || path.length > LIST_DEPTH || (children === 0 && !isFlat(path) && !isList(path)))
      throw new ParquetFormatError(`column ${name} is nested`);
    if (children === 0) this.#columns.push({ name, path, leaf: element });
  }

  #rowGroup(): void {
    const cursor = this.#cursor;
    let rows = -1;
    let chunks = 0;
    const first = this.#chunks.length;
    const start = cursor.position;
    cursor.struct((id, type) => {
      if (id === 1) chunks = cursor.list(() => this.#columnChunk());
      else if (id === 3) rows = cursor.integer();
      else cursor.skip(type);
    });
    if (rows < 0 || chunks !== this.#columns.length) throw new ParquetFormatError('a row group is incomplete');
    for (const [place, { path }] of this.#columns.entries()) {
      const values = this.#chunks[first + place * CHUNK_FIELDS + CHUNK.values] ?? 0;
      // an empty list has a value too, which says so
      if (isList(path) ? values < rows : values !== rows)
        throw new ParquetFormatError('a column has other rows than its row group');
    }
    this.#groupRows.push(rows);
    this.#groupSpans.push(start, cursor.position);
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
    let [filterStart, filterLength] = [0, 0];
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
      else if (id === 14) filterStart = cursor.integer();
      else if (id === 15) filterLength = cursor.integer();
      else cursor.skip(type);
    });
    // some writers give 0 for a dictionary that is not there
    const start = dictionaryStart > 0 ? Math.min(dictionaryStart, dataStart) : dataStart;
    if (start < 0 || length < 0 || start + length > this.#dataEnd)
      throw new ParquetFormatError('a column lies outside of the file');
    if (filterStart < 0 || filterLength < 0 || filterStart + filterLength > this.#dataEnd)
      throw new ParquetFormatError('a bloom filter lies outside of the file');
    if (filterLength > 0)
      this.#filters.set(this.#chunks.length / CHUNK_FIELDS, {
        start: filterStart,
        endExclusive: filterStart + filterLength,
      });
    this.#chunks.push(start, length, codec, min, max, values);
  }
}

function isFlat(path: readonly SchemaElement[]): boolean {
  return path.length === 1 && path[0]?.repetition_type !== 'REPEATED';
}

function pack({ start, end }: { readonly start: number; readonly end: number }): number {
  return end - start < 65_536 ? start * 65_536 + (end - start) : -1;
}

function named<T>(names: readonly T[], index: number, what: string): T {
  const name = names[index];
  if (name === undefined) throw new ParquetFormatError(`a column has the unknown ${what} ${index}`);
  return name;
}
