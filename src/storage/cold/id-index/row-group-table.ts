import type { ByteRange } from '../object-store/object-store.js';
import { type ColumnSpec, type FileColumn, fileColumns } from '../parquet/columns.js';
import { viewOf } from '../parquet/data-view.js';
import type { EncodedGroup } from '../parquet/file-writer.js';
import type { ColumnBounds, ParquetFooter } from '../parquet/footer.js';

/*
 * The places of a data file's row groups in its index: a footer of a large file has megabytes, of which a lookup or a
 * list needs these 150 bytes a row group. Little-endian, for each row group:
 *
 *   u32 rows · u64 start in the file · i64 lowest, highest ingestion_ms · i64 lowest, highest position
 *   · columns × (u32 bytes of the chunk · u32 CRC-32 of it)
 *
 * Chunks lie one after the other in the order of the columns, all compressed with Zstandard.
 */
const FIXED_BYTES = 44;
const CHUNK_BYTES = 8;
const BOUNDED: Readonly<Record<string, number>> = { ingestion_ms: 12, position: 28 };
const CODEC = 'ZSTD';

/** Bytes of a table of so many row groups and columns. */
export function groupTableBytes(groups: number, columns: number): number {
  return groups * (FIXED_BYTES + columns * CHUNK_BYTES);
}

/** Writes the table of a file's row groups; bounds that a row group has none of are the widest there are. */
export function writeGroupTable(table: Uint8Array, groups: readonly EncodedGroup[]): void {
  const view = viewOf(table);
  let at = 0;
  for (const { rows, start, chunks } of groups) {
    view.setUint32(at, rows, true);
    view.setBigUint64(at + 4, BigInt(start), true);
    for (const [name, place] of Object.entries(BOUNDED)) {
      const bounds = chunks.find((chunk) => chunk.name === name)?.bounds;
      view.setBigInt64(at + place, bounds?.min ?? -(2n ** 63n), true);
      view.setBigInt64(at + place + 8, bounds?.max ?? 2n ** 63n - 1n, true);
    }
    at += FIXED_BYTES;
    for (const { sizeBytes, checksum } of chunks) {
      view.setUint32(at, sizeBytes, true);
      view.setUint32(at + 4, checksum, true);
      at += CHUNK_BYTES;
    }
  }
}

/** A table that was read from an index, in the place of the file's footer. `bytes` is kept. */
export function groupTableFooter(bytes: Uint8Array, groups: number, columns: readonly ColumnSpec[]): ParquetFooter {
  return new GroupTable(bytes, groups, columns);
}

class GroupTable implements ParquetFooter {
  readonly columns: readonly FileColumn[];
  readonly groups: number;
  readonly rows: number;
  readonly hasChecksums = true;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #entryBytes: number;

  constructor(bytes: Uint8Array, groups: number, columns: readonly ColumnSpec[]) {
    this.columns = fileColumns(columns);
    this.groups = groups;
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#entryBytes = groupTableBytes(1, columns.length);
    let rows = 0;
    for (let group = 0; group < groups; group++) rows += this.groupRows(group);
    this.rows = rows;
  }

  get memoryBytes(): number {
    return this.#bytes.length + 1024;
  }

  groupRows(group: number): number {
    return this.#view.getUint32(this.#entry(group), true);
  }

  groupRange(group: number): ByteRange {
    const { start } = this.chunkRange(group, 0);
    return { start, endExclusive: this.chunkRange(group, this.columns.length - 1).endExclusive };
  }

  chunkRange(group: number, column: number): ByteRange {
    const entry = this.#entry(group);
    let start = Number(this.#view.getBigUint64(entry + 4, true));
    for (let before = 0; before < column; before++) start += this.#chunk(entry, before, 0);
    return { start, endExclusive: start + this.#chunk(entry, column, 0) };
  }

  filterRange(): null {
    return null;
  }

  chunkCodec(): string {
    return CODEC;
  }

  chunkChecksum(group: number, column: number): number {
    return this.#chunk(this.#entry(group), column, 4);
  }

  chunkBounds(group: number, column: number): ColumnBounds | null {
    const place = BOUNDED[this.columns[column]?.name ?? ''];
    if (place === undefined) return null;
    const start = this.#entry(group) + place;
    return { min: this.#bytes.slice(start, start + 8), max: this.#bytes.slice(start + 8, start + 16) };
  }

  columnIndex(name: string): number {
    return this.columns.findIndex((column) => column.name === name);
  }

  #entry(group: number): number {
    if (group < 0 || group >= this.groups) throw new RangeError(`no row group ${group}`);
    return group * this.#entryBytes;
  }

  #chunk(entry: number, column: number, field: number): number {
    if (column < 0 || column >= this.columns.length) throw new RangeError(`no column ${column}`);
    return this.#view.getUint32(entry + FIXED_BYTES + column * CHUNK_BYTES + field, true);
  }
}
