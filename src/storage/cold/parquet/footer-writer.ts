import { crc32 } from 'node:zlib';
import type { ColumnChunk, RowGroup, SchemaElement } from 'hyparquet';
import {
  CompressionCodecs,
  ConvertedTypes,
  Encodings,
  FieldRepetitionTypes,
  PageTypes,
  ParquetTypes,
} from 'hyparquet/src/constants.js';
import { ByteWriter } from 'hyparquet-writer';
import { logicalType } from 'hyparquet-writer/src/metadata.js';
import { serializeTCompactProtocol } from 'hyparquet-writer/src/thrift.js';
import { unconvertStatistics } from 'hyparquet-writer/src/unconvert.js';
import type { FileColumn } from './columns.js';

/*
 * Footers, written a row group at a time: a footer of a thousand row groups takes longer than an event
 * loop may stand still. Field ids are those of apache/parquet-format, src/main/thrift/parquet.thrift.
 */
const FORMAT_VERSION = 2;
/** `PAR1`, at the beginning and the end of a file, little-endian. */
export const PARQUET_MAGIC = 0x31524150;
/** Thrift's compact protocol: a list in the field after the one before; structs in it; more than 14 of them. */
const NEXT_FIELD_IS_LIST = 0x19;
const STRUCTS = 0x0c;
const LONG_LIST = 0xf0;
const LONGEST_SHORT_LIST = 14;

/** Longer texts are cut in the statistics: selectors are whole, ids are not. */
const STATISTICS_BYTES = 24;

/** The bloom filter of a column, at its place in the file. */
export interface PlacedFilter {
  /** Place of the column among those of the file. */
  readonly column: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A row group of a footer. */
export function encodeRowGroup(
  group: RowGroup,
  columns: readonly FileColumn[],
  filters: readonly PlacedFilter[],
): Uint8Array {
  const writer = new ByteWriter(2048);
  serializeTCompactProtocol(writer, {
    field_1: group.columns.map((chunk, index) => {
      const filter = filters.find(({ column }) => column === index);
      return columnChunk(chunk, columns[index]?.leaf, filter);
    }),
    field_2: group.total_byte_size,
    field_3: group.num_rows,
    field_6: group.total_compressed_size,
  });
  return writer.getBytes().slice();
}

function columnChunk(
  { file_offset, meta_data: data }: ColumnChunk,
  element: SchemaElement | undefined,
  filter: PlacedFilter | undefined,
) {
  if (!data || !element) throw new TypeError('a column chunk has no metadata');
  return {
    field_2: file_offset,
    field_3: {
      field_1: ParquetTypes.indexOf(data.type),
      field_2: data.encodings.map((encoding) => Encodings.indexOf(encoding)),
      field_3: data.path_in_schema,
      field_4: CompressionCodecs.indexOf(data.codec),
      field_5: data.num_values,
      field_6: data.total_uncompressed_size,
      field_7: data.total_compressed_size,
      field_9: data.data_page_offset,
      field_11: data.dictionary_page_offset,
      field_12: data.statistics && unconvertStatistics(data.statistics, element, STATISTICS_BYTES),
      field_13: data.encoding_stats?.map(({ page_type, encoding, count }) => ({
        field_1: PageTypes.indexOf(page_type),
        field_2: Encodings.indexOf(encoding),
        field_3: count,
      })),
      field_14: filter && BigInt(filter.offset),
      field_15: filter?.bytes.length,
    },
  };
}

/** The writer of our files, as footers name it. */
export const CREATED_BY = 'ccv-indexer version 1';

/**
 * Key of our checksums in a footer's own metadata. The value is base64 of little-endian u32s: the CRC-32 of the
 * footer's bytes before the field with this key, then that of each column chunk, row group by row group.
 */
export const CHECKSUMS_KEY = 'ccv-indexer.crc32';

/** The content of a footer beside its row groups. */
export interface FooterFacts {
  readonly schema: readonly SchemaElement[];
  readonly rows: bigint;
  /** CRC-32 of each column chunk, in file order. */
  readonly chunkChecksums: readonly number[];
}

/** CRC-32 of each column chunk of a row group, whose bytes begin at `offset` of the file. */
export function chunkChecksums(group: RowGroup, bytes: Uint8Array, offset: number): number[] {
  return group.columns.map(({ meta_data: data }) => {
    if (!data) throw new TypeError('a column chunk has no metadata');
    const start = Number(data.dictionary_page_offset ?? data.data_page_offset) - offset;
    return crc32(bytes.subarray(start, start + Number(data.total_compressed_size)));
  });
}

/** The end of a file: the footer with these row groups, its length and the magic number. */
export function encodeFooter(groups: readonly Uint8Array[], { schema, rows, chunkChecksums }: FooterFacts): Uint8Array {
  const writer = new ByteWriter(groups.reduce((sum, group) => sum + group.length, 4096));
  serializeTCompactProtocol(writer, { field_1: FORMAT_VERSION, field_2: schema.map(schemaElement), field_3: rows });
  // without the byte that ends the struct: the row groups follow as field 4
  writer.index -= 1;
  writer.offset -= 1;
  writer.appendUint8(NEXT_FIELD_IS_LIST);
  if (groups.length <= LONGEST_SHORT_LIST) writer.appendUint8((groups.length << 4) | STRUCTS);
  else {
    writer.appendUint8(LONG_LIST | STRUCTS);
    writer.appendVarInt(groups.length);
  }
  for (const group of groups) writer.appendBytes(group);
  const checksums = [{ field_1: CHECKSUMS_KEY, field_2: toBase64([crc32(writer.getBytes()), ...chunkChecksums]) }];
  // the columns are ordered as their types are
  const columnOrders = schema.flatMap(({ type }) => (type ? [{ field_1: {} }] : []));
  // fields 5 to 7, counted from field 4
  serializeTCompactProtocol(writer, { field_1: checksums, field_2: CREATED_BY, field_3: columnOrders });
  writer.appendUint32(writer.offset);
  writer.appendUint32(PARQUET_MAGIC);
  return writer.getBytes().slice();
}

function schemaElement(element: SchemaElement) {
  const { type, repetition_type, converted_type } = element;
  return {
    field_1: type && ParquetTypes.indexOf(type),
    field_2: element.type_length,
    field_3: repetition_type && FieldRepetitionTypes.indexOf(repetition_type),
    field_4: element.name,
    field_5: element.num_children,
    field_6: converted_type && ConvertedTypes.indexOf(converted_type),
    field_7: element.scale,
    field_8: element.precision,
    // without it engines take a time for one of no time zone
    field_10: converted_type === 'TIMESTAMP_MICROS' ? logicalType(UTC_MICROS) : undefined,
  };
}

const UTC_MICROS = { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' } as const;

function toBase64(numbers: readonly number[]): string {
  const bytes = Buffer.alloc(numbers.length * 4);
  for (const [index, number] of numbers.entries()) bytes.writeUInt32LE(number, index * 4);
  return bytes.toString('base64');
}
