import type { DecodedArray, RowGroup } from 'hyparquet';
import { ByteWriter, type ColumnSource, ParquetWriter } from 'hyparquet-writer';
import { encodeBloomFilter } from './bloom-filter.js';
import { type ColumnSpec, type ColumnValue, type FileColumn, fileColumns, schemaElements } from './columns.js';
import { chunkChecksums, encodeFooter, encodeRowGroup, type PlacedFilter } from './footer-writer.js';
import { movedEntry } from './moved-group.js';
import type { Steps } from './steps.js';
import type { Zstd } from './zstd.js';

/** The size of a row group: one ranged read of a lookup by id, so it is small. */
export interface RowGroupLimits {
  /** Compressed bytes aimed at. */
  readonly targetBytes: number;
  /** Compressed bytes that only a row group of one row exceeds. */
  readonly capBytes: number;
  readonly maxRows: number;
  /** Bytes before compression beyond which no row is added: a row group is read as a whole. */
  readonly maxRawBytes?: number;
}

/**
 * Small enough that the two row groups which a message's results may lie in, and a page of the index, stay below 256
 * KiB; large enough that the overhead of a row group (about 2.5 KB) is 2 to 3 percent of the file.
 */
export const ROW_GROUP_LIMITS: RowGroupLimits = {
  targetBytes: 88 * 1024,
  capBytes: 112 * 1024,
  maxRows: 4096,
  maxRawBytes: 2 << 20,
};

/** The place of a row group in its file. */
export interface EncodedGroup {
  readonly rows: number;
  readonly start: number;
  /** Chunks in the order of the columns, one directly after the other. */
  readonly chunks: readonly {
    readonly name: string;
    readonly sizeBytes: number;
    /** CRC-32. */
    readonly checksum: number;
    /** The bounds of int64 columns with statistics. */
    readonly bounds: { readonly min: bigint; readonly max: bigint } | null;
  }[];
}

/** A finished file. */
export interface EncodedParquet {
  /** The whole file, in memory of its own. */
  readonly bytes: Uint8Array;
  /** The part of the file's end that `readFooter` needs. */
  readonly footerBytes: number;
  readonly groups: readonly EncodedGroup[];
}

/** A row group of another file with the same columns, as it lies there. */
export interface StoredGroup {
  /** Its column chunks and bloom filters. */
  readonly bytes: Uint8Array;
  /** Its entry in the footer. */
  readonly entry: Uint8Array;
  /** Its place in that file. */
  readonly place: EncodedGroup;
}

/** Makes one Parquet file. Synchronous: it works about once every hundred rows, for some milliseconds. */
export interface ParquetEncoder {
  /** Appends a row: one value for each column. `rowBytes`: about how large it is before compression. */
  add(values: readonly ColumnValue[], rowBytes: number): void;
  /** Ends the row group of the rows before, and appends one of another file. */
  copy(group: StoredGroup): void;
  /** Ends the row group of the rows before. */
  endGroup(): void;
  /** Compressed bytes so far; rows that wait for their row group are estimated. */
  sizeBytes(): number;
  /** Rows of each row group that is finished, in file order. */
  readonly groupRows: readonly number[];
  /** Ends the file, in steps. The encoder is spent. */
  finishing(): Steps<EncodedParquet>;
}

/** Options of an encoder. */
export interface ParquetEncoderOptions {
  readonly columns: readonly ColumnSpec[];
  readonly zstd: Zstd;
  readonly limits?: RowGroupLimits;
}

const MAGIC_BYTES = 4;

/**
 * Pages are version 2, compressed with Zstandard, one for each column of a row group; every column chunk lies directly
 * after the one before, in the order of the columns. Bloom filters lie behind their row group.
 */
export function createParquetEncoder(options: ParquetEncoderOptions): ParquetEncoder {
  return new Encoder(options);
}

class Encoder implements ParquetEncoder {
  readonly groupRows: number[] = [];
  readonly #columns: readonly ColumnSpec[];
  readonly #zstd: Zstd;
  readonly #limits: RowGroupLimits;
  readonly #fileColumns: readonly FileColumn[];
  readonly #schema;
  /** The file so far: the magic number and the row groups. */
  readonly #parts: Uint8Array[] = [];
  /** Their entries in the footer. */
  readonly #groups: Uint8Array[] = [];
  readonly #places: EncodedGroup[] = [];
  /** CRC-32 of their column chunks. */
  readonly #checksums: number[] = [];
  #rows = 0;
  #writtenBytes = MAGIC_BYTES;
  /** Columns of the rows that wait. */
  #pending: ColumnValue[][];
  #pendingRows = 0;
  #pendingBytes = 0;
  /** Compressed to uncompressed bytes of the row group before. */
  #ratio = 1;

  constructor({ columns, zstd, limits = ROW_GROUP_LIMITS }: ParquetEncoderOptions) {
    this.#columns = columns;
    this.#zstd = zstd;
    this.#limits = limits;
    this.#fileColumns = fileColumns(columns);
    this.#schema = schemaElements(this.#fileColumns);
    this.#pending = columns.map(() => []);
  }

  add(values: readonly ColumnValue[], rowBytes: number): void {
    const { targetBytes, maxRows, maxRawBytes = Number.POSITIVE_INFINITY } = this.#limits;
    const rawBytes = this.#pendingBytes + rowBytes;
    if (this.#pendingRows > 0 && (rawBytes * this.#ratio > targetBytes || rawBytes > maxRawBytes)) this.endGroup();
    for (let index = 0; index < values.length; index++) this.#pending[index]?.push(values[index] ?? null);
    this.#pendingRows += 1;
    this.#pendingBytes += rowBytes;
    if (this.#pendingRows >= maxRows) this.endGroup();
  }

  copy({ bytes, entry, place }: StoredGroup): void {
    this.endGroup();
    const start = this.#writtenBytes;
    this.#parts.push(bytes);
    this.#groups.push(movedEntry(entry, start - place.start));
    this.#checksums.push(...place.chunks.map(({ checksum }) => checksum));
    this.#placed({ ...place, start }, bytes.length);
  }

  sizeBytes(): number {
    return this.#writtenBytes + Math.round(this.#pendingBytes * this.#ratio);
  }

  *finishing(): Steps<EncodedParquet> {
    this.endGroup();
    yield;
    const facts = { schema: this.#schema, rows: BigInt(this.#rows), chunkChecksums: this.#checksums };
    const footer = encodeFooter(this.#groups, facts);
    yield;
    const bytes = new Uint8Array(this.#writtenBytes + footer.length);
    bytes.set(MAGIC);
    let offset = MAGIC.length;
    let copiedBytes = 0;
    for (let place = 0; place < this.#parts.length; place++) {
      const part = this.#parts[place] ?? MAGIC;
      bytes.set(part, offset);
      offset += part.length;
      // a large file is not in memory twice for longer than it must be
      this.#parts[place] = NOTHING;
      copiedBytes += part.length;
      if (copiedBytes < STEP_BYTES) continue;
      copiedBytes = 0;
      yield;
    }
    bytes.set(footer, offset);
    return { bytes, footerBytes: footer.length, groups: this.#places };
  }

  endGroup(): void {
    if (this.#pendingRows === 0) return;
    this.#ratio = this.#encode(this.#pending, this.#pendingRows) / Math.max(1, this.#pendingBytes);
    this.#pending = this.#columns.map(() => []);
    this.#pendingRows = 0;
    this.#pendingBytes = 0;
  }

  /** Appends row groups with these rows, halving them until each is within the cap. Returns their bytes. */
  #encode(columns: readonly ColumnValue[][], rows: number): number {
    const { bytes, group } = this.#encodeGroup(columns, rows);
    if (bytes.length > this.#limits.capBytes && rows > 1) {
      const half = rows >>> 1;
      return (
        this.#encode(
          columns.map((values) => values.slice(0, half)),
          half,
        ) +
        this.#encode(
          columns.map((values) => values.slice(half)),
          rows - half,
        )
      );
    }
    const filters = this.#filters(columns, this.#writtenBytes + bytes.length);
    this.#parts.push(bytes, ...filters.map((filter) => filter.bytes));
    this.#groups.push(encodeRowGroup(group, this.#fileColumns, filters));
    const checksums = chunkChecksums(group, bytes, this.#writtenBytes);
    this.#checksums.push(...checksums);
    const place = { rows, start: this.#writtenBytes, chunks: chunksOf(group, checksums) };
    this.#placed(
      place,
      filters.reduce((sum, filter) => sum + filter.bytes.length, bytes.length),
    );
    return bytes.length;
  }

  #placed(place: EncodedGroup, sizeBytes: number): void {
    this.#places.push(place);
    this.groupRows.push(place.rows);
    this.#rows += place.rows;
    this.#writtenBytes += sizeBytes;
  }

  /** The bloom filters of a row group, which lie behind it, from `offset` on. */
  #filters(columns: readonly ColumnValue[][], offset: number): PlacedFilter[] {
    const filters: PlacedFilter[] = [];
    for (const [column, { bloomFilter }] of this.#columns.entries()) {
      const bytes = bloomFilter ? encodeBloomFilter(columns[column] ?? []) : null;
      if (!bytes) continue;
      filters.push({ column, offset, bytes });
      offset += bytes.length;
    }
    return filters;
  }

  #encodeGroup(columns: readonly ColumnValue[][], rows: number): { bytes: Uint8Array; group: RowGroup } {
    const writer = new ByteWriter(this.#limits.capBytes);
    const parquet = new ParquetWriter({
      writer,
      schema: this.#schema,
      codec: 'ZSTD',
      compressors: { ZSTD: (page) => this.#zstd.compress(page) },
    });
    // the writer has begun with a magic number; its next bytes will lie at this offset of the file
    writer.offset = this.#writtenBytes;
    parquet.write({
      columnData: this.#columns.map((spec, index) => source(spec, columns[index] ?? [])),
      rowGroupSize: rows,
    });
    const group = parquet.row_groups[0];
    if (!group || parquet.row_groups.length !== 1) throw new TypeError('a row group was not written as one');
    return { bytes: writer.getBytes().slice(MAGIC_BYTES), group };
  }
}

const MAGIC = Buffer.from('PAR1', 'latin1');
const NOTHING = new Uint8Array(0);
/** Copied without a pause: some milliseconds. */
const STEP_BYTES = 8 * 1024 * 1024;

function chunksOf({ columns }: RowGroup, checksums: readonly number[]): EncodedGroup['chunks'] {
  return columns.map(({ meta_data: data }, index) => {
    const { min_value: min, max_value: max } = data?.statistics ?? {};
    return {
      name: data?.path_in_schema[0] ?? '',
      sizeBytes: Number(data?.total_compressed_size ?? 0),
      checksum: checksums[index] ?? 0,
      bounds: typeof min === 'bigint' && typeof max === 'bigint' ? { min, max } : null,
    };
  });
}

function source(spec: ColumnSpec, data: ColumnValue[]): ColumnSource {
  const encoding = spec.deltas ? 'DELTA_BINARY_PACKED' : spec.distinct ? 'PLAIN' : undefined;
  return {
    name: spec.name,
    data: data as unknown as DecodedArray,
    statistics: spec.statistics,
    offsetIndex: false,
    ...(encoding && { encoding }),
  };
}
