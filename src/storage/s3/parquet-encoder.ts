import type { DecodedArray, RowGroup } from 'hyparquet';
import { ByteWriter, type ColumnSource, ParquetWriter } from 'hyparquet-writer';
import { type ColumnSpec, type ColumnValue, schemaElements } from './parquet-columns.js';
import type { Zstd } from './parquet-zstd.js';

/** When a row group ends. One row group is one ranged read of a lookup by id, so it is small. */
export interface RowGroupLimits {
  /** Compressed bytes aimed at. */
  readonly targetBytes: number;
  /** Compressed bytes that only a row group of one row exceeds. */
  readonly capBytes: number;
  readonly maxRows: number;
}

/**
 * Small enough that the two row groups which a message's results may lie in, and a page of the index, stay below 256 KiB;
 * large enough that what a row group adds to the file (about 2.5 KB) is 2 to 3 percent of it.
 */
export const ROW_GROUP_LIMITS: RowGroupLimits = { targetBytes: 88 * 1024, capBytes: 112 * 1024, maxRows: 4096 };

/** A finished file. */
export interface EncodedParquet {
  /** The whole file, in memory of its own. */
  readonly bytes: Uint8Array;
  /** How much of the file's end `readFooter` needs. */
  readonly footerBytes: number;
  /** Rows of each row group, in file order. */
  readonly groupRows: readonly number[];
}

/** Makes one Parquet file. Synchronous: it works about once every hundred rows, for some milliseconds. */
export interface ParquetEncoder {
  /** Appends a row: one value for each column. `rowBytes`: about how large it is before compression. */
  add(values: readonly ColumnValue[], rowBytes: number): void;
  /** Compressed bytes so far; what waits for its row group is estimated. */
  sizeBytes(): number;
  /** Ends the file. The encoder is spent. */
  finish(): EncodedParquet;
}

/** What an encoder is made of. */
export interface ParquetEncoderOptions {
  readonly columns: readonly ColumnSpec[];
  readonly zstd: Zstd;
  readonly limits?: RowGroupLimits;
}

const MAGIC_BYTES = 4;
/** Longer texts are cut in the footer's statistics: selectors are whole, ids are not. */
const STATISTICS_BYTES = 24;
const CREATED_BY = 'ccv-indexer version 1';

/**
 * Pages are version 2, compressed with Zstandard, one for each column of a row group; every column chunk lies directly
 * after the one before, in the order of the columns.
 */
export function createParquetEncoder(options: ParquetEncoderOptions): ParquetEncoder {
  return new Encoder(options);
}

class Encoder implements ParquetEncoder {
  readonly #columns: readonly ColumnSpec[];
  readonly #zstd: Zstd;
  readonly #limits: RowGroupLimits;
  readonly #schema;
  /** The file so far: the magic number and the row groups. */
  readonly #parts: Uint8Array[] = [];
  readonly #groups: RowGroup[] = [];
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
    this.#schema = schemaElements(columns);
    this.#pending = columns.map(() => []);
  }

  add(values: readonly ColumnValue[], rowBytes: number): void {
    const { targetBytes, maxRows } = this.#limits;
    if (this.#pendingRows > 0 && (this.#pendingBytes + rowBytes) * this.#ratio > targetBytes) this.#flush();
    for (let index = 0; index < values.length; index++) this.#pending[index]?.push(values[index] ?? null);
    this.#pendingRows += 1;
    this.#pendingBytes += rowBytes;
    if (this.#pendingRows >= maxRows) this.#flush();
  }

  sizeBytes(): number {
    return this.#writtenBytes + Math.round(this.#pendingBytes * this.#ratio);
  }

  finish(): EncodedParquet {
    this.#flush();
    const footer = this.#footer();
    const bytes = new Uint8Array(this.#writtenBytes + footer.length);
    let offset = 0;
    for (const part of [MAGIC, ...this.#parts, footer]) {
      bytes.set(part, offset);
      offset += part.length;
    }
    return { bytes, footerBytes: footer.length, groupRows: this.#groups.map((group) => Number(group.num_rows)) };
  }

  #flush(): void {
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
    this.#parts.push(bytes);
    this.#groups.push(group);
    this.#writtenBytes += bytes.length;
    return bytes.length;
  }

  #encodeGroup(columns: readonly ColumnValue[][], rows: number): { bytes: Uint8Array; group: RowGroup } {
    const writer = new ByteWriter(this.#limits.capBytes);
    const parquet = this.#writerAt(writer, this.#writtenBytes);
    parquet.write({
      columnData: this.#columns.map((spec, index) => source(spec, columns[index] ?? [])),
      rowGroupSize: rows,
    });
    const group = parquet.row_groups[0];
    if (!group || parquet.row_groups.length !== 1) throw new TypeError('a row group was not written as one');
    return { bytes: writer.getBytes().slice(MAGIC_BYTES), group };
  }

  #footer(): Uint8Array {
    const writer = new ByteWriter(64 * 1024);
    const parquet = this.#writerAt(writer, this.#writtenBytes);
    parquet.row_groups = this.#groups;
    for (const group of this.#groups) parquet.num_rows += group.num_rows;
    parquet.finish();
    return writer.getBytes().slice(MAGIC_BYTES);
  }

  /** A writer whose next bytes will lie at `offset` of the file. It has written a magic number before them. */
  #writerAt(writer: ByteWriter, offset: number): ParquetWriter {
    const parquet = new ParquetWriter({
      writer,
      schema: this.#schema,
      codec: 'ZSTD',
      compressors: { ZSTD: (page) => this.#zstd.compress(page) },
      statisticsTruncateLength: STATISTICS_BYTES,
      createdBy: CREATED_BY,
    });
    writer.offset = offset;
    return parquet;
  }
}

const MAGIC = Buffer.from('PAR1', 'latin1');

function source(spec: ColumnSpec, data: ColumnValue[]): ColumnSource {
  const encoding = spec.deltas ? 'DELTA_BINARY_PACKED' : spec.distinct ? 'PLAIN' : undefined;
  return {
    name: spec.name,
    data: data as DecodedArray,
    statistics: spec.statistics,
    offsetIndex: false,
    ...(encoding && { encoding }),
  };
}
