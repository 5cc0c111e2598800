import { crc32 } from 'node:zlib';
import { type DecodedArray, type SchemaElement, snappyUncompress } from 'hyparquet';
import { readColumn } from 'hyparquet/src/column.js';
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import type { ByteRange } from '../object-store/object-store.js';
import { type ColumnCells, cellsOfArray } from './column-cells.js';
import { type ColumnSpec, type ColumnType, type ColumnValue, type FileColumn, isList } from './columns.js';
import { viewOf } from './data-view.js';
import type { FetchRange, ParquetFooter } from './footer.js';
import { readOwnChunk } from './own-chunk.js';
import { ParquetFormatError } from './parquet-format-error.js';
import type { Zstd } from './zstd.js';

/** The wanted part of a file. */
export interface ReadRequest {
  /** Row groups, ascending, each once. */
  readonly groups: readonly number[];
  readonly columns: readonly ColumnSpec[];
  /**
   * Ranges at most this far apart become one request. Default 16 KiB: reading 16 KiB takes less than asking again.
   * With 256 KiB, key columns of neighbouring row groups come in one request together with the bytes between them.
   */
  readonly maxGapBytes?: number;
  /** No request is made larger than this by merging. Default 8 MiB. */
  readonly maxRequestBytes?: number;
}

/** Columns of one row group. */
export interface RowGroupData {
  readonly group: number;
  readonly rows: number;
  /** A column that was asked for. One that the file does not have is all null. */
  column(name: string): ColumnCells;
  /** About how much memory it takes. */
  memoryBytes(): number;
}

const DEFAULT_MAX_GAP_BYTES = 16 * 1024;
const DEFAULT_MAX_REQUEST_BYTES = 8 * 1024 * 1024;

/**
 * Reads columns of row groups, with as few requests as their places allow, all at once.
 * @throws ParquetFormatError when the bytes contradict the footer, and the errors of `fetch`.
 */
export async function readRowGroups(
  footer: ParquetFooter,
  request: ReadRequest,
  { fetch, zstd }: { readonly fetch: FetchRange; readonly zstd: Zstd },
): Promise<RowGroupData[]> {
  const wanted = request.columns.flatMap((spec) => {
    const index = footer.columnIndex(spec.name);
    if (index < 0 && !spec.nullable) throw new ParquetFormatError(`it has no column ${spec.name}`);
    return index < 0 ? [] : [{ index, spec }];
  });
  const ranges = request.groups.flatMap((group) => wanted.map(({ index }) => footer.chunkRange(group, index)));
  const merged = mergeRanges(
    ranges,
    request.maxGapBytes ?? DEFAULT_MAX_GAP_BYTES,
    request.maxRequestBytes ?? DEFAULT_MAX_REQUEST_BYTES,
  );
  const parts = await Promise.all(merged.map(async (range) => ({ range, bytes: await fetch(range) })));
  return request.groups.map((group) => {
    const columns = new Map<string, ColumnCells>();
    for (const { index, spec } of wanted) {
      const bytes = cut(parts, footer.chunkRange(group, index));
      columns.set(spec.name, decodeChunk(footer, { group, column: index, spec }, bytes, zstd));
    }
    return groupData(group, footer.groupRows(group), columns);
  });
}

/** Ranges that cover all of `ranges`, ascending; those no more than `maxGapBytes` apart are one, up to a size. */
export function mergeRanges(
  ranges: readonly ByteRange[],
  maxGapBytes: number,
  maxRequestBytes: number = DEFAULT_MAX_REQUEST_BYTES,
): ByteRange[] {
  const merged: { start: number; endExclusive: number }[] = [];
  for (const { start, endExclusive } of [...ranges].sort((a, b) => a.start - b.start)) {
    if (endExclusive <= start) continue;
    const last = merged.at(-1);
    const mergedEnd = last && Math.max(last.endExclusive, endExclusive);
    const fits = last && mergedEnd !== undefined && mergedEnd - last.start <= maxRequestBytes;
    // a range that begins inside the one before must not be read twice
    if (
      last &&
      mergedEnd !== undefined &&
      (start < last.endExclusive || (fits && start - last.endExclusive <= maxGapBytes))
    )
      last.endExclusive = mergedEnd;
    else merged.push({ start, endExclusive });
  }
  return merged;
}

interface Part {
  readonly range: ByteRange;
  readonly bytes: Uint8Array;
}

function cut(parts: readonly Part[], { start, endExclusive }: ByteRange): Uint8Array {
  if (start === endExclusive) return new Uint8Array(0);
  const part = parts.find(({ range }) => range.start <= start && endExclusive <= range.endExclusive);
  if (!part || part.bytes.length !== part.range.endExclusive - part.range.start)
    throw new ParquetFormatError('a range was not read whole');
  return part.bytes.subarray(start - part.range.start, endExclusive - part.range.start);
}

function groupData(group: number, rows: number, columns: ReadonlyMap<string, ColumnCells>): RowGroupData {
  const nulls = cellsOfArray({ length: rows });
  const memoryBytes = () => [...columns.values()].reduce((sum, column) => sum + column.memoryBytes, 0);
  return { group, rows, column: (name) => columns.get(name) ?? nulls, memoryBytes };
}

const PHYSICAL_TYPES: Readonly<Record<ColumnType, SchemaElement['type']>> = {
  string: 'BYTE_ARRAY',
  int64: 'INT64',
  timestamp: 'INT64',
  boolean: 'BOOLEAN',
  binary: 'BYTE_ARRAY',
  decimal: 'FIXED_LEN_BYTE_ARRAY',
  strings: 'BYTE_ARRAY',
};

type ColumnDecoder = Parameters<typeof readColumn>[2];

const PARSERS = {
  ...DEFAULT_PARSERS,
  stringFromBytes: text,
  timestampFromMicroseconds: (micros: bigint) => micros,
};

function decodeChunk(
  footer: ParquetFooter,
  { group, column, spec }: { readonly group: number; readonly column: number; readonly spec: ColumnSpec },
  bytes: Uint8Array,
  zstd: Zstd,
): ColumnCells {
  const { path, leaf } = footer.columns[column] ?? NO_COLUMN;
  if (!leaf.type || leaf.type !== PHYSICAL_TYPES[spec.type] || isList(path) !== (spec.type === 'strings'))
    throw new ParquetFormatError(`column ${spec.name} is ${typeName(path)}, not ${spec.type}`);
  // checked first: decoders take damaged lengths at their word, and do not come back
  const checksum = footer.chunkChecksum(group, column);
  if (checksum !== null && checksum !== crc32(bytes))
    throw new ParquetFormatError(`column ${spec.name} is damaged in row group ${group}`);
  const rows = footer.groupRows(group);
  const codec = footer.chunkCodec(group, column);
  const { type } = spec;
  if (codec === 'ZSTD' && type !== 'decimal' && type !== 'boolean') {
    const nullable = path[0]?.repetition_type === 'OPTIONAL';
    const own = readOwnChunk({ bytes, rows, type, nullable }, zstd);
    if (own) return own;
  }
  return cellsOfArray(readAnyChunk(bytes, { rows, spec, path, leaf, codec }, zstd));
}

/** Reads a column chunk of any layout that the library knows, whole. */
function readAnyChunk(
  bytes: Uint8Array,
  chunk: Omit<FileColumn, 'name'> & { readonly rows: number; readonly spec: ColumnSpec; readonly codec: string },
  zstd: Zstd,
): ArrayLike<ColumnValue> {
  const { rows, spec, path, leaf, codec } = chunk;
  const decoder: ColumnDecoder = {
    pathInSchema: path.map(({ name }) => name),
    type: PHYSICAL_TYPES[spec.type] ?? 'BYTE_ARRAY',
    element: spec.type === 'decimal' ? uninterpreted(leaf) : leaf,
    schemaPath: [{ name: 'root' }, ...path].map(node),
    codec: codec as ColumnDecoder['codec'],
    parsers: PARSERS,
    compressors: { ZSTD: (page, sizeBytes) => zstd.decompress(page, sizeBytes), SNAPPY: snappy },
    utf8: spec.type === 'string' || spec.type === 'strings',
  };
  const reader = { view: viewOf(bytes), offset: 0 };
  const values = flatten(decode(reader, rows, decoder, spec.name));
  if (values.length !== rows)
    throw new ParquetFormatError(`column ${spec.name} has ${values.length} rows in a row group of ${rows}`);
  if (spec.type === 'decimal') return Array.from<unknown, ColumnValue>(values, toDecimal);
  if (spec.type === 'strings' && path[0]?.repetition_type === 'OPTIONAL')
    return Array.from<unknown, ColumnValue>(values, toNullableList);
  return values as unknown as ArrayLike<ColumnValue>;
}

const NO_COLUMN = { path: [], leaf: { name: '' } as SchemaElement };

function typeName(path: readonly SchemaElement[]): string {
  return `${isList(path) ? 'a list of ' : ''}${path.at(-1)?.type}`;
}

/** The library makes inexact numbers of decimals. */
function uninterpreted({ converted_type: _type, ...leaf }: SchemaElement): SchemaElement {
  return leaf;
}

/** The library gives one list around the list of a cell, and an empty one for null. */
function toNullableList(cell: unknown): readonly string[] | null {
  return (Array.isArray(cell) && (cell[0] as readonly string[] | undefined)) || null;
}

/** Big-endian, in two's complement. */
function toDecimal(bytes: unknown): bigint | null {
  if (!(bytes instanceof Uint8Array)) return null;
  return BigInt.asIntN(128, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}

function decode(reader: Parameters<typeof readColumn>[0], rows: number, decoder: ColumnDecoder, name: string) {
  try {
    return readColumn(reader, { groupStart: 0, selectStart: 0, selectEnd: rows, groupRows: rows }, decoder).data;
  } catch (cause) {
    throw cause instanceof ParquetFormatError ? cause : new ParquetFormatError(`column ${name} is damaged`, { cause });
  }
}

function flatten(pages: readonly DecodedArray[]): DecodedArray {
  const [only] = pages;
  return pages.length === 1 && only ? only : pages.flatMap((page) => Array.from<unknown>(page));
}

function node(element: SchemaElement) {
  return { element, children: [], count: 1, path: [element.name] };
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

function snappy(page: Uint8Array, sizeBytes: number): Uint8Array {
  const content = new Uint8Array(sizeBytes);
  snappyUncompress(page, content);
  return content;
}
