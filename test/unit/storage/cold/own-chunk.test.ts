import fc from 'fast-check';
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { type ColumnValue, column } from '../../../../src/storage/cold/parquet/columns.js';
import { createParquetEncoder } from '../../../../src/storage/cold/parquet/file-writer.js';
import { readFooter } from '../../../../src/storage/cold/parquet/footer.js';
import { readRowGroups } from '../../../../src/storage/cold/parquet/row-group-reader.js';
import { atOnce } from '../../../support/cold/at-once.js';
import { comparable, rangesOf, zstd } from './file-reading.js';

const COLUMNS = [
  column('text', 'string'),
  column('plain_text', 'string', { nullable: true, distinct: true }),
  column('number', 'int64'),
  column('deltas', 'int64', { deltas: true }),
  column('null_deltas', 'int64', { deltas: true, nullable: true }),
  column('bytes', 'binary', { nullable: true }),
  column('plain_bytes', 'binary', { distinct: true }),
  column('list', 'strings'),
  column('null_list', 'strings', { nullable: true }),
];

const text = fc.oneof(fc.constantFrom('', 'a', 'ü', '0xab'), fc.string({ maxLength: 9 }));
const small = fc.bigInt({ min: -5n, max: 300n });
const large = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const near = fc.bigInt({ min: 1_760_000_000_000n, max: 1_760_000_090_000n });
const bytes = fc.uint8Array({ maxLength: 9 });
const list = fc.array(text, { maxLength: 3 });
const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 2 });

/** Rows of which a column has numbers of one size, as real ones have. */
const rows = fc.constantFrom(small, near, large).chain((number) =>
  fc.array(fc.tuple(text, orNull(text), number, number, orNull(number), orNull(bytes), bytes, list, orNull(list)), {
    minLength: 1,
    maxLength: 300,
  }),
);

describe('a column chunk of our own layout', () => {
  it('is read as the library reads it, and its texts are found', async () => {
    await fc.assert(
      fc.asyncProperty(rows, fc.integer({ min: 1, max: 200 }), async (values, maxRows) => {
        const file = encoded(values, maxRows);
        const { fetch } = rangesOf(file);
        const footer = await readFooter({ sizeBytes: file.length }, fetch);
        const request = { groups: Array.from({ length: footer.groups }, (_, group) => group), columns: COLUMNS };
        const groups = await readRowGroups(footer, request, { fetch, zstd });
        const found = groups.flatMap((data) =>
          Array.from({ length: data.rows }, (_, row) => COLUMNS.map(({ name }) => data.column(name).at(row))),
        );
        expect(comparable(found)).toEqual(comparable(values));
        expect(comparable(await readByLibrary(file))).toEqual(comparable(values));
        for (const data of groups) {
          const cells = data.column('plain_text');
          const all = Array.from({ length: data.rows }, (_, row) => row);
          for (const wanted of ['a', 'ü', '', 'nowhere'])
            expect(cells.rowsOf(wanted)).toEqual(all.filter((row) => cells.at(row) === wanted));
          expect(data.memoryBytes()).toBeGreaterThan(0);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('gives a number where it is exact, and refuses it where it is not', async () => {
    const exact = 2n ** 53n - 1n;
    for (const [number, isExact] of [
      [exact, true],
      [exact + 1n, false],
      [-exact, true],
    ] as const) {
      const file = encoded([['', null, number, number, number, null, new Uint8Array(0), [], null]], 1);
      const { fetch } = rangesOf(file);
      const footer = await readFooter({ sizeBytes: file.length }, fetch);
      const [data] = await readRowGroups(footer, { groups: [0], columns: COLUMNS }, { fetch, zstd });
      for (const name of ['number', 'deltas', 'null_deltas']) {
        expect(data?.column(name).at(0)).toBe(number);
        const read = () => data?.column(name).numberAt(0);
        if (isExact) expect(read()).toBe(Number(number));
        else expect(read).toThrow(/9007199254740992/);
      }
    }
  });
});

function encoded(values: readonly (readonly ColumnValue[])[], maxRows: number): Uint8Array {
  const limits = { targetBytes: 1 << 20, capBytes: 1 << 20, maxRows };
  const encoder = createParquetEncoder({ columns: COLUMNS, zstd, limits });
  for (const row of values) encoder.add(row, 100);
  return atOnce(encoder.finishing()).bytes;
}

async function readByLibrary(file: Uint8Array): Promise<unknown[][]> {
  const found = await parquetReadObjects({
    file: file.slice().buffer,
    compressors: { ZSTD: (page: Uint8Array, sizeBytes: number) => zstd.decompress(page, sizeBytes) },
    utf8: false,
  });
  return found.map((row) => COLUMNS.map(({ name }) => row[name] ?? null));
}
