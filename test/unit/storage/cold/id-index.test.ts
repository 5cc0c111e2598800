import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '../../../../src/core/errors.js';
import { bytesToHex, type Hex } from '../../../../src/core/hex.js';
import { seededRandom } from '../../../../src/core/random.js';
import { createIdIndexBuilder } from '../../../../src/storage/cold/id-index/builder.js';
import { hashId } from '../../../../src/storage/cold/id-index/hash.js';
import { IdIndexFormatError } from '../../../../src/storage/cold/id-index/id-index-format-error.js';
import { findRowGroups, parseIdIndexHead } from '../../../../src/storage/cold/id-index/index-head.js';
import { filterSlots } from '../../../../src/storage/cold/id-index/xor-filter.js';
import { atOnce } from '../../../support/cold/at-once.js';
import { rangesOf } from './file-reading.js';

interface Entry {
  readonly id: Hex;
  readonly rowGroup: number;
}

function indexOf(entries: readonly Entry[]) {
  const builder = createIdIndexBuilder();
  for (const { id, rowGroup } of entries) builder.add(id, rowGroup);
  const { bytes, headBytes } = atOnce(builder.finishing());
  return { bytes, headBytes, head: parseIdIndexHead(bytes.subarray(0, headBytes)), ...rangesOf(bytes) };
}

function randomIds(count: number, seed: number): Hex[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => bytesToHex(Uint8Array.from({ length: 32 }, () => random() * 256)));
}

const ids = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytesToHex);

describe('an id index', () => {
  it('gives the row groups of every id, each once and ascending, with at most one request', async () => {
    const entries = fc.array(fc.record({ id: fc.oneof(ids, fc.constant<Hex>('0x00')), rowGroup: fc.nat({ max: 9 }) }), {
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(entries, ids, async (written, other) => {
        const { head, fetch, asked } = indexOf(written);
        for (const { id } of written) {
          asked.length = 0;
          const expected = new Set(written.filter((entry) => entry.id === id).map((entry) => entry.rowGroup));
          expect(await findRowGroups(head, id, fetch)).toEqual([...expected].sort((a, b) => a - b));
          expect(asked).toHaveLength(1);
        }
        if (!written.some((entry) => entry.id === other)) expect(await findRowGroups(head, other, fetch)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it('of many ids finds each by a page of 4 KB, the first of a page by two', async () => {
    const all = randomIds(20_000, 1);
    const { head, fetch, asked, bytes, headBytes } = indexOf(all.map((id, row) => ({ id, rowGroup: row >> 7 })));
    for (let row = 0; row < all.length; row += 37) {
      expect(await findRowGroups(head, all[row]!, fetch)).toEqual([row >> 7]);
    }
    const sizes = asked.map(({ start, endExclusive }) => endExclusive - start);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2 * 4_084);
    expect(sizes.filter((size) => size > 4_084).length / sizes.length).toBeLessThan(0.02);
    expect(bytes.length / all.length).toBeLessThan(15);
    expect(headBytes / all.length).toBeLessThan(2.6);
    expect(head.memoryBytes / all.length).toBeLessThan(2.6);
  });

  it('says "not here" without a request, wrongly only once in 65 536 times', async () => {
    const { head, fetch, asked } = indexOf(randomIds(5_000, 2).map((id, row) => ({ id, rowGroup: row })));
    const absent = randomIds(200_000, 3);
    const wrong = absent.filter((id) => head.mayContain(hashId(id)));
    // 3 are to be expected
    expect(wrong.length).toBeLessThan(12);
    for (const id of [...wrong, ...absent.slice(0, 100)]) expect(await findRowGroups(head, id, fetch)).toEqual([]);
    expect(asked.length).toBeLessThanOrEqual(wrong.length);
  });

  it('finds all row groups of one id, however many pages they fill', async () => {
    const [id, ...others] = randomIds(2_000, 4);
    const groups = Array.from({ length: 1_500 }, (_, rowGroup) => ({ id: id!, rowGroup }));
    const { head, fetch, asked } = indexOf([...others.map((each) => ({ id: each, rowGroup: 7 })), ...groups]);
    expect(await findRowGroups(head, id!, fetch)).toEqual(groups.map((each) => each.rowGroup));
    expect(asked).toHaveLength(1);
  });

  it('without entries says that nothing is there', async () => {
    const { head, fetch, asked } = indexOf([]);
    expect(head.entries).toBe(0);
    expect(await findRowGroups(head, '0x00', fetch)).toEqual([]);
    expect(asked).toEqual([]);
    expect(filterSlots(0)).toBe(0);
  });

  it('rejects what is no number of a row group', () => {
    const builder = createIdIndexBuilder();
    for (const rowGroup of [-1, 1.5, 2 ** 32, Number.NaN]) {
      expect(() => builder.add('0x00', rowGroup)).toThrow(InvalidArgumentError);
    }
  });

  it('is written byte by byte as in version 1: indexes that exist are still read', () => {
    const { bytes } = indexOf(randomIds(700, 6).map((id, row) => ({ id, rowGroup: row >> 3 })));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      'b9c253f38eb332e1baee1bfe346f1a39a7651a6ef1c1ee2ca6dd3e41193f4eed',
    );
  });

  it('that is damaged or cut off is refused, in its head and in its pages', async () => {
    const written = randomIds(1_000, 5);
    const { bytes, headBytes, head } = indexOf(written.map((id, rowGroup) => ({ id, rowGroup })));
    expect(() => parseIdIndexHead(bytes.subarray(0, headBytes - 1))).toThrow(IdIndexFormatError);
    expect(() => parseIdIndexHead(new Uint8Array(0))).toThrow(IdIndexFormatError);
    fc.assert(
      fc.property(fc.nat({ max: headBytes - 1 }), fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const damaged = bytes.slice(0, headBytes);
        damaged[at] = damaged[at]! ^ bits;
        // the last four bytes of the fixed part mean nothing, but are under the checksum too
        expect(() => parseIdIndexHead(damaged)).toThrow(IdIndexFormatError);
      }),
    );
    const wrong = async (range: { start: number; endExclusive: number }) => {
      const page = bytes.slice(range.start, range.endExclusive);
      page[100] = page[100]! ^ 1;
      return page;
    };
    await expect(findRowGroups(head, written[0]!, wrong)).rejects.toThrow(IdIndexFormatError);
    await expect(findRowGroups(head, written[0]!, async () => new Uint8Array(8))).rejects.toThrow(IdIndexFormatError);
  });
});
