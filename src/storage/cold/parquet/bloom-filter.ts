import { ByteWriter } from 'hyparquet-writer';
import { BloomBuilder, writeBloomFilter } from 'hyparquet-writer/src/bloom.js';
import type { ColumnValue, FileColumn } from './columns.js';

/** Share of the absent values that a filter admits. */
const FALSE_POSITIVES = 0.01;

/**
 * The bloom filter of a column of a row group, as it lies in the file: its header and its blocks
 * (apache/parquet-format, BloomFilter.md). The same values give the same bytes, in whatever order. Null without values.
 */
export function encodeBloomFilter({ leaf }: FileColumn, values: Iterable<ColumnValue>): Uint8Array | null {
  const builder = new BloomBuilder(leaf, { fpp: FALSE_POSITIVES });
  // the results of one message repeat its id, and hashing one takes 4 µs
  for (const value of new Set(values)) builder.insert(value);
  const blocks = builder.finalize();
  if (!blocks) return null;
  const writer = new ByteWriter(blocks.byteLength + 64);
  writeBloomFilter(writer, blocks);
  return writer.getBytes().slice();
}
