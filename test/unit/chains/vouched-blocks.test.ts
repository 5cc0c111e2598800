import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Stretch, UNKNOWN, VouchedBlocks } from '../../../src/chains/watch/vouched-blocks.js';
import type { Hex } from '../../../src/core/hex.js';

const MAX_BLOCKS = 8;
const hash = (block: number): Hex => `0x${block.toString(16).padStart(64, '0')}`;
const read = (from: number, to: number, urls: readonly number[], logs: readonly number[] | null = []): Stretch => ({
  from,
  to,
  hash: hash(to),
  urls: new Set(urls),
  logs: logs && new Map(logs.map((block) => [`log of ${block}`, block])),
});
const blocksFrom = (number: number, crossCheck = true) =>
  new VouchedBlocks({ crossCheck, urlCount: 3, maxBlocks: MAX_BLOCKS, watermark: { number, hash: null } });

describe('vouched blocks', () => {
  it('promise 11: are confirmed by two nodes, and the watermark has the hash of the last', () => {
    const blocks = blocksFrom(9);
    blocks.note(read(10, 12, [0]));
    expect(blocks).toMatchObject({ watermark: { number: 9, hash: null }, unconfirmedBlocks: 3, last: 12 });
    blocks.vouched(blocks.next(0, [1]) as Stretch, [1], hash(12));
    expect(blocks).toMatchObject({ watermark: { number: 12, hash: hash(12) }, unconfirmedBlocks: 0 });
    expect(blocks.next(0, [0, 1])).toBeNull();
  });

  it('know only the logs of their part when they are asked about in parts', () => {
    const blocks = blocksFrom(0);
    blocks.note(read(1, 20, [0], [3, 8, 9, 20]));
    const first = blocks.next(0, [1]) as Stretch;
    expect([first.from, first.to, first.hash, [...(first.logs?.values() ?? [])]]).toEqual([1, 8, null, [3, 8]]);
    blocks.vouched(first, [1], hash(8));
    const second = blocks.next(0, [1]) as Stretch;
    expect([second.from, second.to, [...(second.logs?.values() ?? [])]]).toEqual([9, 16, [9]]);
  });

  it('wait after a question that came to nothing, the longer the more often, and hold up no others', () => {
    const blocks = blocksFrom(0);
    blocks.note(read(1, 8, [0]));
    blocks.note(read(9, 16, [0]));
    const pauses: number[] = [];
    const pauseMs = (failures: number) => 99 + pauses.push(failures);
    blocks.defer(blocks.next(0, [1]) as Stretch, 0, pauseMs);
    expect(blocks.next(0, [1])?.from).toBe(9);
    blocks.vouched(blocks.next(0, [1]) as Stretch, [1], hash(16));
    expect(blocks.next(99, [1])).toBeNull();
    blocks.defer(blocks.next(100, [1]) as Stretch, 100, pauseMs);
    expect(pauses).toEqual([0, 1]);
    expect(blocks.watermark.number).toBe(0);
  });

  it('are asked about again once a node was away for them, also above those that it does not keep', () => {
    const blocks = blocksFrom(0);
    const pauseMs = () => 100;
    blocks.note({ from: 1, to: 80, ...UNKNOWN, urls: new Set([0]), hash: hash(80) });
    // away: none of them is answered for
    for (let next = blocks.next(0, [1]); next; next = blocks.next(0, [1])) blocks.defer(next, 0, pauseMs);
    // back: it keeps those from 33 on
    for (let nowMs = 100; nowMs <= 1_000; nowMs += 100)
      for (let next = blocks.next(nowMs, [1]); next; next = blocks.next(nowMs, [1])) {
        if (next.from > 32) blocks.vouched(next, [1], hash(next.to));
        blocks.defer(next, nowMs, pauseMs);
      }
    expect(blocks.unconfirmedBlocks).toBe(32);
  });

  it('are of unknown origin where nothing was noted: two nodes are asked about them', () => {
    const blocks = blocksFrom(0);
    blocks.note({ from: 1, to: 3, ...UNKNOWN, hash: hash(3) });
    blocks.vouched(blocks.next(0, [0]) as Stretch, [0], hash(3));
    expect(blocks.next(0, [0])).toBeNull();
    expect(blocks.next(0, [0, 1])).toMatchObject({ from: 1, to: 3 });
  });

  it('are remembered one by one up to a bound, and then as one: the second node may be away for days', () => {
    const blocks = blocksFrom(-1);
    for (let at = 0; at < 4_000; at++) blocks.note(read(at * MAX_BLOCKS, (at + 1) * MAX_BLOCKS - 1, [0]));
    expect(blocks.unconfirmedBlocks).toBe(4_000 * MAX_BLOCKS);
    let remembered = 0;
    for (let next = blocks.next(0, [1]); next?.logs; next = blocks.next(0, [1])) {
      blocks.vouched(next, [1], hash(next.to));
      remembered++;
    }
    expect(remembered).toBeLessThanOrEqual(2_100);
    expect(blocks.next(0, [1])).toMatchObject({ from: remembered * MAX_BLOCKS, urls: new Set([0]), logs: null });
  });

  it('agree with one entry for each block, whatever happens in whatever order', () => {
    const urlSet = fc.uniqueArray(fc.nat(2), { maxLength: 3 });
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('note'),
        skip: fc.nat(3),
        length: fc.integer({ min: 1, max: 20 }),
        urls: urlSet,
        known: fc.boolean(),
      }),
      fc.record({ kind: fc.constant('answer'), urls: fc.uniqueArray(fc.nat(2), { minLength: 1, maxLength: 3 }) }),
      fc.record({ kind: fc.constant('fail'), url: fc.nat(2) }),
      fc.record({ kind: fc.constant('lie'), url: fc.nat(2) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, crossCheck) => {
        const blocks = blocksFrom(0, crossCheck);
        const vouchers: Set<number>[] = [new Set()];
        const lying = new Set<number>();
        let nowMs = 0;
        for (const each of steps) {
          nowMs += 10;
          if (each.kind === 'note' && 'length' in each) {
            const from = blocks.last + 1 + each.skip;
            const to = from + each.length - 1;
            for (let block = blocks.last + 1; block <= to; block++)
              vouchers[block] = new Set(block < from ? [] : each.urls);
            blocks.note(read(from, to, each.urls, each.known ? [from, to] : null));
          } else if (each.kind === 'lie' && 'url' in each) {
            lying.add(each.url);
            blocks.foundLying(each.url);
          } else {
            const urls = 'urls' in each ? each.urls : [each.url];
            const stretch = blocks.next(nowMs, urls);
            if (!stretch) continue;
            if (each.kind === 'answer') {
              for (let block = stretch.from; block <= stretch.to; block++)
                for (const url of urls) vouchers[block]?.add(url);
              blocks.vouched(stretch, urls, hash(stretch.to));
            }
            blocks.defer(stretch, nowMs, () => 25);
          }
          const isConfirmed = (urls: Set<number>) =>
            urls.size >= 2 && (urls.size === 3 || [...urls].some((url) => !lying.has(url)));
          const open = vouchers.flatMap((urls, block) => (block > 0 && !isConfirmed(urls) ? [block] : []));
          const confirmed = (open[0] ?? vouchers.length) - 1;
          expect(blocks.unconfirmedBlocks).toBe(open.length);
          expect(blocks.watermark).toEqual({ number: confirmed, hash: confirmed === 0 ? null : blocks.watermark.hash });
          const next = blocks.next(nowMs, [0, 1, 2]);
          if (next)
            for (let block = next.from; block <= next.to; block++) {
              expect(open).toContain(block);
              expect(next.to - next.from).toBeLessThan(MAX_BLOCKS);
            }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
