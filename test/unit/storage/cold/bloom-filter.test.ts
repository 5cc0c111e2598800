import fc from 'fast-check';
import { xxhash64 } from 'hyparquet/src/xxhash.js';
import { ByteWriter } from 'hyparquet-writer';
import { BloomBuilder, writeBloomFilter } from 'hyparquet-writer/src/bloom.js';
import { expect, test } from 'vitest';
import { encodeBloomFilter } from '../../../../src/storage/cold/parquet/bloom-filter.js';
import { column, fileColumns } from '../../../../src/storage/cold/parquet/columns.js';
import { xxh64 } from '../../../../src/storage/cold/parquet/xxh64.js';

test('the hash of bytes is XXH64', () => {
  // of the specification's own program
  expect(xxh64(new Uint8Array(0))).toBe(0xef46db3751d8e999n);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(xxh64(bytes)).toBe(xxhash64(bytes));
    }),
  );
});

test('a bloom filter is that of the library, byte for byte', () => {
  const [{ leaf }] = fileColumns([column('id', 'string')]) as [ReturnType<typeof fileColumns>[number]];
  const texts = fc.array(fc.oneof(fc.string(), fc.string({ minLength: 66, maxLength: 66 }), fc.constant(null)), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(texts, (values) => {
      const builder = new BloomBuilder(leaf, { fpp: 0.01 });
      for (const value of values) builder.insert(value);
      const blocks = builder.finalize();
      const writer = new ByteWriter();
      if (blocks) writeBloomFilter(writer, blocks);
      expect(encodeBloomFilter(values)).toEqual(blocks ? writer.getBytes().slice() : null);
    }),
  );
});
