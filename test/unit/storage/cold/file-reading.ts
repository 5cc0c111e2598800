import { bytesToHex } from '../../../../src/core/hex.js';
import type { ByteRange } from '../../../../src/storage/cold/object-store/object-store.js';
import type { RowGroupLimits } from '../../../../src/storage/cold/parquet/file-writer.js';
import { type ParquetFooter, readFooter } from '../../../../src/storage/cold/parquet/footer.js';
import { readRowGroups } from '../../../../src/storage/cold/parquet/row-group-reader.js';
import { loadZstd } from '../../../../src/storage/cold/parquet/zstd.js';
import { createFileEncoder, type EncodedFile } from '../../../../src/storage/cold/rows/data-file-encoder.js';
import type { RowKind } from '../../../../src/storage/cold/rows/row-kind.js';
import { atOnce } from '../../../support/cold/at-once.js';

export const zstd = await loadZstd();

export function encodeFile<T, K extends { readonly position: bigint }>(
  kind: RowKind<T, K>,
  records: readonly T[],
  limits?: RowGroupLimits,
): EncodedFile {
  const encoder = createFileEncoder({ kind, zstd, ...(limits && { limits }) });
  for (const record of records) encoder.add(record);
  return atOnce(encoder.finishing());
}

/** Ranges of bytes in memory; remembers what was asked. */
export function rangesOf(bytes: Uint8Array) {
  const asked: ByteRange[] = [];
  const fetch = async (range: ByteRange): Promise<Uint8Array> => {
    if (range.start < 0 || range.endExclusive <= range.start || range.endExclusive > bytes.length)
      throw new RangeError(`no such range: ${range.start} to ${range.endExclusive} of ${bytes.length}`);
    asked.push(range);
    return bytes.slice(range.start, range.endExclusive);
  };
  return { fetch, asked };
}

export async function footerOf(file: EncodedFile): Promise<ParquetFooter> {
  return await readFooter({ sizeBytes: file.bytes.length, footerBytes: file.footerBytes }, rangesOf(file.bytes).fetch);
}

export const allGroups = (footer: ParquetFooter): number[] =>
  Array.from({ length: footer.groups }, (_, group) => group);

/** All records of a file, in file order. */
export async function readFile<T, K>(kind: RowKind<T, K>, file: EncodedFile): Promise<T[]> {
  const footer = await footerOf(file);
  const { fetch } = rangesOf(file.bytes);
  const groups = await readRowGroups(footer, { groups: allGroups(footer), columns: kind.columns }, { fetch, zstd });
  return groups.flatMap((data) => {
    const read = kind.records(data);
    return Array.from({ length: data.rows }, (_, row) => read(row));
  });
}

/** A value with every byte string as hex: comparing those is a thousand times faster. */
export function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return bytesToHex(value);
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, comparable(field)]));
}
