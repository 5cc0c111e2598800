import fc from 'fast-check';
import { parquetMetadata, type SchemaElement } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { column, type FileColumn } from '../../../../src/storage/cold/parquet/columns.js';
import { footerLength, parseFooter, readFooter } from '../../../../src/storage/cold/parquet/footer.js';
import { ParquetFormatError } from '../../../../src/storage/cold/parquet/parquet-format-error.js';
import { mergeRanges, readRowGroups } from '../../../../src/storage/cold/parquet/row-group-reader.js';
import { MESSAGE_ROWS } from '../../../../src/storage/cold/rows/messages.js';
import type { RowKind } from '../../../../src/storage/cold/rows/row-kind.js';
import { allGroups, comparable, encodeFile, footerOf, rangesOf, zstd } from './file-reading.js';
import { inOrder, storedMessages } from './row-arbitraries.js';

const LIMITS = { targetBytes: 2_000, capBytes: 4_000, maxRows: 9 };
const samples = fc.sample(storedMessages, { numRuns: 60, seed: 5 });
const file = encodeFile(MESSAGE_ROWS, inOrder(MESSAGE_ROWS, samples), LIMITS);

async function readAll(bytes: Uint8Array, kind: RowKind<unknown, unknown> = MESSAGE_ROWS as never): Promise<unknown[]> {
  const { fetch } = rangesOf(bytes);
  const footer = await readFooter({ sizeBytes: bytes.length, rows: samples.length }, fetch);
  const groups = await readRowGroups(footer, { groups: allGroups(footer), columns: kind.columns }, { fetch, zstd });
  return groups.flatMap((data) => Array.from({ length: data.rows }, (_, row) => kind.records(data)(row)));
}

describe('footers', () => {
  it('are read as an independent parser reads them', async () => {
    const footer = await footerOf(file);
    const metadata = parquetMetadata(file.bytes, { geoparquet: false });
    expect(footer.groups).toBe(metadata.row_groups.length);
    expect(footer.rows).toBe(Number(metadata.num_rows));
    const elements = footer.columns.flatMap(({ path }) => path);
    expect(elements.map(({ name }) => name)).toEqual(metadata.schema.slice(1).map(({ name }) => name));
    expect(footer.columns.filter(isNested).map(({ name }) => name)).toEqual(['message_ccv_addresses']);
    for (const [group, { columns, num_rows }] of metadata.row_groups.entries()) {
      expect(footer.groupRows(group)).toBe(Number(num_rows));
      for (const [index, { meta_data: meta }] of columns.entries()) {
        const start = Number(meta!.dictionary_page_offset ?? meta!.data_page_offset);
        expect(footer.chunkRange(group, index)).toEqual({
          start,
          endExclusive: start + Number(meta!.total_compressed_size),
        });
        expect(footer.chunkCodec(group, index)).toBe(meta!.codec);
        expect(footer.columns[index]!.path.map(({ name }) => name)).toEqual(meta!.path_in_schema);
        const [filterStart, filterBytes] = [Number(meta!.bloom_filter_offset), meta!.bloom_filter_length!];
        expect(footer.filterRange(group, index)).toEqual(
          ['message_id', 'lane'].includes(meta!.path_in_schema[0]!)
            ? { start: filterStart, endExclusive: filterStart + filterBytes }
            : null,
        );
        const { min_value: min } = meta!.statistics ?? {};
        const bounds = footer.chunkBounds(group, index);
        if (typeof min === 'string') expect(Buffer.from(bounds!.min).toString()).toBe(min);
        if (typeof min === 'bigint') expect(Buffer.from(bounds!.min).readBigInt64LE()).toBe(min);
        if (min === undefined) expect(bounds).toBeNull();
      }
    }
  });

  it('come with one request when their length is known, with two when a guess falls short', async () => {
    const exact = rangesOf(file.bytes);
    await readFooter({ sizeBytes: file.bytes.length, footerBytes: file.footerBytes }, exact.fetch);
    expect(exact.asked).toEqual([{ start: file.bytes.length - file.footerBytes, endExclusive: file.bytes.length }]);
    const short = rangesOf(file.bytes);
    const footer = await readFooter({ sizeBytes: file.bytes.length, footerBytes: 100 }, short.fetch);
    expect(short.asked).toHaveLength(2);
    expect(footer.rows).toBe(samples.length);
    expect(footerLength(file.bytes)).toBe(file.footerBytes);
  });

  it('are refused when they are cut off, of something else, or of nested columns', () => {
    const tail = file.bytes.subarray(file.bytes.length - file.footerBytes);
    expect(() => parseFooter(tail.subarray(1), file.bytes.length)).toThrow(ParquetFormatError);
    expect(() => parseFooter(tail.subarray(0, -1), file.bytes.length)).toThrow(ParquetFormatError);
    expect(() => parseFooter(new Uint8Array(0), 0)).toThrow(ParquetFormatError);
    // the same footer in a shorter file: its row groups would lie in the footer
    expect(() => parseFooter(tail, file.bytes.length - 1)).toThrow(/outside/);
    const schema: SchemaElement[] = [
      { name: 'root', num_children: 1 },
      { name: 'outer', num_children: 1, repetition_type: 'OPTIONAL' },
      { name: 'inner', type: 'INT64', repetition_type: 'OPTIONAL' },
    ];
    const nested = parquetWriteBuffer({ schema, columnData: [{ name: 'outer', data: [{ inner: 1n }] }] });
    expect(() => parseFooter(new Uint8Array(nested), nested.byteLength)).toThrow(/nested/);
  });
});

const isNested = ({ path }: FileColumn) => path.length > 1;

const withBigints = (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);

describe('damage', () => {
  it('anywhere in a file is noticed, or changes nothing that is read', async () => {
    const read = comparable(await readAll(file.bytes));
    expect(read).toEqual(comparable(inOrder(MESSAGE_ROWS, samples)));
    const whole = JSON.stringify(read, withBigints);
    const flips = fc.tuple(fc.nat({ max: file.bytes.length - 1 }), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(flips, { minLength: 1, maxLength: 3 }), async (changes) => {
        const damaged = file.bytes.slice();
        for (const [at, bits] of changes) damaged[at] = damaged[at]! ^ bits;
        try {
          expect(JSON.stringify(comparable(await readAll(damaged)), withBigints) === whole).toBe(true);
        } catch (thrown) {
          if (!(thrown instanceof ParquetFormatError)) throw thrown;
        }
      }),
      // turned every row into fields that are passed over
      { numRuns: 1_000, examples: [[[[30_822, 1]]]] },
    );
  });

  it('a compressed page that claims to be huge is refused before any memory is taken', () => {
    const frame = zstd.compress(new Uint8Array(1_000));
    expect(zstd.decompress(frame, 1_000)).toEqual(new Uint8Array(1_000));
    expect(() => zstd.decompress(frame, 2 ** 31)).toThrow(ParquetFormatError);
    expect(() => zstd.decompress(frame.subarray(0, 5), 1_000)).toThrow(ParquetFormatError);
    expect(() => zstd.decompress(frame.subarray(0, -3), 1_000)).toThrow(ParquetFormatError);
    expect(() => zstd.decompress(new Uint8Array(100), 1_000)).toThrow(ParquetFormatError);
  });

  it('of the footer is noticed even where statistics alone change', async () => {
    const footer = await footerOf(file);
    const { min } = footer.chunkBounds(0, footer.columnIndex('message_id'))!;
    const at = Buffer.from(file.bytes).lastIndexOf(Buffer.from(min));
    const damaged = file.bytes.slice();
    damaged[at + 5] = damaged[at + 5]! ^ 1;
    await expect(readAll(damaged)).rejects.toThrow(/the footer is damaged/);
  });

  it('an answer that is shorter than its range is refused', async () => {
    const footer = await footerOf(file);
    const short = async () => new Uint8Array(10);
    const request = { groups: [0], columns: MESSAGE_ROWS.columns };
    await expect(readRowGroups(footer, request, { fetch: short, zstd })).rejects.toThrow(ParquetFormatError);
  });
});

describe('files of other writers', () => {
  const foreign = (type: 'BYTE_ARRAY' | 'INT32') =>
    new Uint8Array(
      parquetWriteBuffer({
        schema: [
          { name: 'root', num_children: 2 },
          { name: 'name', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
          { name: 'raw', type, repetition_type: 'OPTIONAL' },
        ],
        columnData: [
          { name: 'name', data: ['a', null, 'ü', 'a', 'b'] },
          { name: 'raw', data: type === 'INT32' ? [1, 2, 3, 4, 5] : [null, null, Uint8Array.of(1), null, null] },
        ],
        codec: 'SNAPPY',
        pageSize: 16,
        rowGroupSize: 3,
      }),
    );
  const columns = [
    column('raw', 'binary', { nullable: true }),
    column('name', 'string', { nullable: true }),
    column('added_later', 'string', { nullable: true }),
  ];

  it('with snappy, several pages, another column order and missing columns are read', async () => {
    const bytes = foreign('BYTE_ARRAY');
    const { fetch } = rangesOf(bytes);
    const footer = await readFooter({ sizeBytes: bytes.length }, fetch);
    const groups = await readRowGroups(footer, { groups: [0, 1], columns }, { fetch, zstd });
    const cells = groups.flatMap((data) =>
      Array.from({ length: data.rows }, (_, row) => columns.map(({ name }) => data.column(name).at(row))),
    );
    expect(cells).toEqual([
      [null, 'a', null],
      [null, null, null],
      [Uint8Array.of(1), 'ü', null],
      [null, 'a', null],
      [null, 'b', null],
    ]);
  });

  it('with a column of another type, or without a column that must be there, are refused', async () => {
    const bytes = foreign('INT32');
    const { fetch } = rangesOf(bytes);
    const footer = await readFooter({ sizeBytes: bytes.length }, fetch);
    await expect(readRowGroups(footer, { groups: [0], columns }, { fetch, zstd })).rejects.toThrow(/raw is INT32/);
    const missing = { groups: [0], columns: [column('position', 'int64')] };
    await expect(readRowGroups(footer, missing, { fetch, zstd })).rejects.toThrow(/no column position/);
  });
});

describe('merged ranges', () => {
  const ranges = fc.array(
    fc
      .tuple(fc.nat({ max: 1_000 }), fc.nat({ max: 50 }))
      .map(([start, length]) => ({ start, endExclusive: start + length })),
    { maxLength: 20 },
  );

  it('cover every range, ascend without overlap, and stay within the gap and the size', () => {
    fc.assert(
      fc.property(ranges, fc.nat({ max: 40 }), fc.integer({ min: 100, max: 2_000 }), (wanted, gap, most) => {
        const merged = mergeRanges(wanted, gap, most);
        for (const { start, endExclusive } of wanted) {
          const holds = merged.filter((range) => range.start <= start && endExclusive <= range.endExclusive);
          if (endExclusive > start) expect(holds).toHaveLength(1);
        }
        for (const [index, range] of merged.entries()) {
          const next = merged[index + 1];
          if (!next) continue;
          expect(next.start).toBeGreaterThanOrEqual(range.endExclusive);
          const apart = next.start - range.endExclusive > gap;
          expect(apart || next.endExclusive - range.start > most || range.endExclusive - range.start > most - 50).toBe(
            true,
          );
        }
      }),
    );
  });
});
