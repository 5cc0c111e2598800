import { ByteWriter } from 'hyparquet-writer';
import { createBloomFilter, writeBloomFilter } from 'hyparquet-writer/src/bloom.js';
import type { ColumnValue } from './columns.js';
import { xxh64 } from './xxh64.js';

/** Share of the absent values that a filter admits. */
const FALSE_POSITIVES = 0.01;
/** A word of a block has one bit of a value, at a place of its own for each word. */
const SALTS = [
  ...[0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d],
  ...[0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31],
] as const;

/**
 * The bloom filter of a column of texts of a row group, as it lies in the file: its header and its blocks
 * (apache/parquet-format, BloomFilter.md). The same values give the same bytes, in whatever order. Null without values.
 */
export function encodeBloomFilter(values: Iterable<ColumnValue>): Uint8Array | null {
  // the results of one message repeat its id
  const texts = new Set<string>();
  for (const value of values) if (typeof value === 'string') texts.add(value);
  if (texts.size === 0) return null;
  const blocks = createBloomFilter(texts.size, FALSE_POSITIVES);
  for (const text of texts) insert(blocks, xxh64(Buffer.from(text, 'utf8')));
  const writer = new ByteWriter(blocks.byteLength + 64);
  writeBloomFilter(writer, blocks);
  return writer.getBytes().slice();
}

/** The high half of a hash chooses the block, the low half its bits. */
function insert(blocks: Uint32Array, hash: bigint): void {
  const [high, low] = [Number(hash >> 32n), Number(hash & 0xffff_ffffn)];
  const first = Math.floor((high * (blocks.length / SALTS.length)) / 2 ** 32) * SALTS.length;
  for (const [word, salt] of SALTS.entries())
    blocks[first + word] = (blocks[first + word] ?? 0) | (1 << (Math.imul(low, salt) >>> 27));
}
