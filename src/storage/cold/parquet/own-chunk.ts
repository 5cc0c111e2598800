import type { ColumnCells } from './column-cells.js';
import type { ColumnValue } from './columns.js';
import { readDeltas, readRuns, type Span } from './packed-integers.js';
import { dictionaryValues, integerValues, type PageType, type PageValues, plainValues } from './page-values.js';
import { ParquetFormatError } from './parquet-format-error.js';
import { ThriftCursor } from './thrift-cursor.js';
import type { Zstd } from './zstd.js';

/*
 * Column chunks as our writer lays them out: a dictionary page or none, then one data page of version 2, compressed
 * with Zstandard. Field ids are those of apache/parquet-format, src/main/thrift/parquet.thrift.
 */
const DICTIONARY_PAGE = 2;
const DATA_PAGE_V2 = 3;
const PLAIN = 0;
const DELTA_BINARY_PACKED = 5;
const RLE_DICTIONARY = 8;
const BOOLEAN_FALSE = 2;

/** A column chunk of a row group. */
export interface ColumnChunk {
  readonly bytes: Uint8Array;
  readonly rows: number;
  readonly type: PageType;
  readonly nullable: boolean;
}

interface PageHeader {
  type: number;
  sizeBytes: number;
  storedBytes: number;
  /** Of a dictionary its entries, else values with nulls. */
  values: number;
  nulls: number;
  rows: number;
  encoding: number;
  definitionBytes: number;
  repetitionBytes: number;
  isCompressed: boolean;
}

/**
 * The cells of a column chunk; null when it is laid out in another way.
 * @throws ParquetFormatError
 */
export function readOwnChunk({ bytes, rows, type, nullable }: ColumnChunk, zstd: Zstd): ColumnCells | null {
  const cursor = new ThriftCursor(bytes, 0, bytes.length);
  let header = readHeader(cursor);
  let dictionary: Dictionary | null = null;
  if (header.type === DICTIONARY_PAGE) {
    if (header.encoding !== PLAIN) return null;
    const { start, end } = cursor.bytes(header.storedBytes);
    const entries = zstd.decompress(bytes.subarray(start, end), header.sizeBytes);
    dictionary = { values: plainValues(entries, header.values, type), size: header.values, sizeBytes: entries.length };
    header = readHeader(cursor);
  }
  const stored = cursor.bytes(header.storedBytes);
  if (header.type !== DATA_PAGE_V2 || !header.isCompressed || stored.end !== bytes.length) return null;
  if (header.rows !== rows) throw new ParquetFormatError(`a column has ${header.rows} rows in a row group of ${rows}`);
  const levels = readLevels(bytes, stored.start, header, { nullable, isList: type === 'strings' });
  const levelBytes = header.repetitionBytes + header.definitionBytes;
  const compressed = bytes.subarray(stored.start + levelBytes, stored.end);
  const page = zstd.decompress(compressed, header.sizeBytes - levelBytes);
  const values = pageValues(page, header, type, dictionary);
  if (values === null) return null;
  const cells = type === 'strings' ? listCells(values, rows, levels) : flatCells(values, rows, levels.definition);
  const memoryBytes = page.length + (dictionary?.sizeBytes ?? 0) + header.values * VALUE_BYTES;
  return { ...cells, rows, memoryBytes };
}

/** Memory of the place of a value. */
const VALUE_BYTES = 8;

interface Dictionary {
  readonly values: PageValues;
  /** Its entries. */
  readonly size: number;
  readonly sizeBytes: number;
}

function readHeader(cursor: ThriftCursor): PageHeader {
  const header: PageHeader = { ...NO_HEADER };
  cursor.struct((id, type) => {
    if (id === 1) header.type = cursor.integer();
    else if (id === 2) header.sizeBytes = cursor.integer();
    else if (id === 3) header.storedBytes = cursor.integer();
    else if (id === 7) readDictionaryHeader(cursor, header);
    else if (id === 8) readDataHeader(cursor, header);
    else cursor.skip(type);
  });
  return header;
}

const NO_HEADER: PageHeader = {
  ...{ type: -1, sizeBytes: 0, storedBytes: 0, values: 0, nulls: 0, rows: 0, encoding: -1 },
  ...{ definitionBytes: 0, repetitionBytes: 0, isCompressed: true },
};

function readDictionaryHeader(cursor: ThriftCursor, header: PageHeader): void {
  cursor.struct((id, type) => {
    if (id === 1) header.values = cursor.integer();
    else if (id === 2) header.encoding = cursor.integer();
    else cursor.skip(type);
  });
}

function readDataHeader(cursor: ThriftCursor, header: PageHeader): void {
  cursor.struct((id, type) => {
    if (id === 1) header.values = cursor.integer();
    else if (id === 2) header.nulls = cursor.integer();
    else if (id === 3) header.rows = cursor.integer();
    else if (id === 4) header.encoding = cursor.integer();
    else if (id === 5) header.definitionBytes = cursor.integer();
    else if (id === 6) header.repetitionBytes = cursor.integer();
    else if (id === 7) header.isCompressed = type !== BOOLEAN_FALSE;
    else cursor.skip(type);
  });
}

/** Levels by value with nulls; null where all are the same. */
interface Levels {
  readonly definition: Uint32Array | null;
  /** 0 at the first element of a list. */
  readonly repetition: Uint32Array | null;
  /** The definition level of a value, and of an empty list. */
  readonly defined: number;
}

function readLevels(
  bytes: Uint8Array,
  start: number,
  { values, nulls, repetitionBytes, definitionBytes }: PageHeader,
  { nullable, isList }: { readonly nullable: boolean; readonly isList: boolean },
): Levels {
  const defined = (nullable ? 1 : 0) + (isList ? 1 : 0);
  const middle = start + repetitionBytes;
  const repetition = isList ? readRuns(bytes, { start, end: middle }, 1, values) : null;
  const width = 32 - Math.clz32(defined);
  const span = { start: middle, end: middle + definitionBytes };
  return { repetition, defined, definition: nulls === 0 ? null : readRuns(bytes, span, width, values) };
}

function pageValues(
  page: Uint8Array,
  { values, nulls, encoding }: PageHeader,
  type: PageType,
  dictionary: Dictionary | null,
): PageValues | null {
  const count = values - nulls;
  const whole: Span = { start: 0, end: page.length };
  if (encoding === PLAIN || count === 0) return plainValues(page, count, type);
  if (encoding === RLE_DICTIONARY && dictionary) {
    const places = readRuns(page, { ...whole, start: 1 }, page[0] ?? 0, count);
    return dictionaryValues(dictionary.values, dictionary.size, places);
  }
  if (encoding !== DELTA_BINARY_PACKED || (type !== 'int64' && type !== 'timestamp')) return null;
  const exact = readDeltas(page, whole, count);
  return exact && integerValues(exact);
}

/** The cells of a column, before its size is known. */
type Cells = Omit<ColumnCells, 'rows' | 'memoryBytes'>;

function flatCells(values: PageValues, rows: number, definition: Uint32Array | null): Cells {
  if (definition === null)
    return {
      at: (row) => values.at(row),
      numberAt: (row) => values.numberAt(row),
      rowsOf: (text) => values.placesOf(text),
    };
  const places = new Int32Array(rows).fill(-1);
  const rowOf: number[] = [];
  for (let row = 0; row < rows; row++) if (definition[row] !== 0) places[row] = rowOf.push(row) - 1;
  const placeOf = (row: number) => places[row] ?? -1;
  return {
    at: (row) => (placeOf(row) < 0 ? null : values.at(placeOf(row))),
    numberAt: (row) => (placeOf(row) < 0 ? null : values.numberAt(placeOf(row))),
    rowsOf: (text) => values.placesOf(text).map((place) => rowOf[place] ?? -1),
  };
}

function listCells(values: PageValues, rows: number, { definition, repetition, defined }: Levels): Cells {
  /** The place of each row's first value, and of the one after the last. */
  const starts = new Uint32Array(rows + 1);
  const isNull = new Uint8Array(rows);
  let row = -1;
  let place = 0;
  for (let index = 0; index < (repetition?.length ?? 0); index++) {
    if (repetition?.[index] === 0) {
      row += 1;
      starts[row] = place;
    }
    const level = definition?.[index] ?? defined;
    if (level === defined) place += 1;
    // below an empty list
    else if (defined === 2 && level === 0) isNull[row] = 1;
  }
  if (row !== rows - 1) throw new ParquetFormatError(`a column has ${row + 1} lists in a row group of ${rows}`);
  starts[rows] = place;
  const at = (of: number): ColumnValue => {
    if (isNull[of] === 1) return null;
    const [start, end] = [starts[of] ?? 0, starts[of + 1] ?? 0];
    return Array.from({ length: end - start }, (_, index) => values.at(start + index) as string);
  };
  return { at, numberAt: () => null, rowsOf: () => [] };
}
