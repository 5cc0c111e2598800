import { describe, expect, test } from 'vitest';
import type { ListQuery } from '../../../src/model/list-query.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';
import { byCursor, byOffset, type Listed, listsOf, place, placesIn, type Use } from '../subject.js';

const FLAT_LIMIT = 100_000;

export function listCases(use: Use): void {
  test('a storage with nothing in it answers with empty pages and counts of zero', async () => {
    for (const list of listsOf(use().storage)) {
      expect(await list.query({})).toMatchObject({ items: [], nextCursor: null, asOf: { position: 0n } });
      expect(await list.count({})).toMatchObject({ count: 0, asOf: { position: 0n } });
    }
  });

  test('bounds are inclusive, an empty range is an empty page', async () => {
    const { storage } = use();
    const make = createRecordMaker(3);
    const times: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      const message = make.message();
      const outcome = await storage.insertBatch({ messages: [message], verifierResults: [make.result(message)] });
      times.push(outcome.committed!.ingestionMs);
    }
    const [first = 0, second = 0, third = 0] = times;
    for (const list of listsOf(storage)) {
      const found = async (startMs: number, endMs: number) => {
        const { items, nextCursor } = await list.query({ startMs, endMs });
        expect(nextCursor).toBeNull();
        expect((await list.count({ startMs, endMs })).count).toBe(items.length);
        return items.map((item) => item.ingestionMs);
      };
      expect(await found(first, third)).toEqual(times);
      expect(await found(second, second)).toEqual([second]);
      expect(await found(second, third)).toEqual([second, third]);
      expect(await found(third + 1, third + 1000)).toEqual([]);
      expect(await found(0, first - 1)).toEqual([]);
      expect(await found(third, first)).toEqual([]);
    }
  });

  test('a page has no next cursor exactly when nothing is left', async () => {
    const { storage } = use();
    const make = createRecordMaker(4);
    await storage.insertBatch({ verifierResults: make.results(4) });
    expect((await storage.queryCCVData({ limit: 4 })).nextCursor).toBeNull();
    expect((await storage.queryCCVData({ limit: 3, offset: 1 })).nextCursor).toBeNull();
    expect((await storage.queryCCVData({ limit: 4, offset: 4 })).nextCursor).toBeNull();
    expect((await storage.queryCCVData({ limit: 4, offset: 9 })).items).toEqual([]);
    const { nextCursor } = await storage.queryCCVData({ limit: 3 });
    const last = await storage.queryCCVData({ limit: 3, cursor: nextCursor! });
    expect(last.items).toHaveLength(1);
    expect(last.nextCursor).toBeNull();
  });

  test('the default limit is 100', async () => {
    const { storage } = use();
    await storage.insertBatch({ verifierResults: createRecordMaker(5).results(101) });
    expect((await storage.queryCCVData({})).items).toHaveLength(100);
  });

  test('a cursor continues after its record, also when more was stored since', async () => {
    const { storage } = use();
    const make = createRecordMaker(6);
    await storage.insertBatch({ verifierResults: make.results(5) });
    const first = await storage.queryCCVData({ limit: 3 });
    await storage.insertBatch({ verifierResults: make.results(2) });
    const rest = await storage.queryCCVData({ limit: 10, cursor: first.nextCursor! });
    const flat = await storage.queryCCVData({});
    expect([...first.items, ...rest.items].map(place)).toEqual(flat.items.map(place));
    expect(flat.items).toHaveLength(7);
  });

  test('an answer says which position it reflects', async () => {
    const { storage } = use();
    const make = createRecordMaker(7);
    const outcome = await storage.insertBatch({ verifierResults: make.results(3) });
    const position = outcome.committed!.throughPosition;
    expect((await storage.queryCCVData({ limit: 1 })).asOf).toEqual({ position, movePosition: 0n });
    expect((await storage.countMessages({})).asOf).toEqual({ position, movePosition: 0n });
  });

  describe('1 200 records in 12 commits over six lanes', () => {
    const lanes = [
      [SELECTORS.low, SELECTORS.high],
      [SELECTORS.high, SELECTORS.low],
      [SELECTORS.low, SELECTORS.max],
      [SELECTORS.max, SELECTORS.low],
      [SELECTORS.mid, SELECTORS.max],
      [SELECTORS.max, SELECTORS.high],
    ] as const;

    async function fill(storage: Storage) {
      const make = createRecordMaker(8);
      const ids: string[] = [];
      for (let commit = 0; commit < 12; commit += 1) {
        const messages = Array.from({ length: 100 }, () => {
          const [sourceChainSelector, destChainSelector] = lanes[Math.floor(make.random() ** 2 * lanes.length)]!;
          return make.message({ sourceChainSelector, destChainSelector, dataBytes: 4 });
        });
        ids.push(...messages.map((message) => message.messageId));
        await storage.insertBatch({ messages, verifierResults: messages.map((message) => make.result(message)) });
      }
      return ids.sort();
    }

    function queries(flat: readonly Listed[]): ListQuery[] {
      const chains = [[], [SELECTORS.low], [SELECTORS.low, SELECTORS.max], [SELECTORS.high, SELECTORS.mid, 1n], [1n]];
      const at = (index: number) => flat[index]!.ingestionMs;
      const ranges = [{}, { startMs: at(350), endMs: at(900) }, { startMs: at(700) }, { endMs: at(499) }];
      return ranges.flatMap((range) =>
        chains.flatMap((sourceChainSelectors) =>
          chains.map((destChainSelectors) => ({ ...range, sourceChainSelectors, destChainSelectors })),
        ),
      );
    }

    test('are listed in one order, equal times by id', async () => {
      const { storage } = use();
      const ids = await fill(storage);
      for (const list of listsOf(storage)) {
        const { items, nextCursor } = await list.query({ limit: FLAT_LIMIT });
        expect(nextCursor).toBeNull();
        expect(items.map((item) => item.messageId).sort()).toEqual(ids);
        expect(new Set(items.map((item) => item.ingestionMs)).size).toBeLessThanOrEqual(12);
        expect(items.map(place)).toEqual(items.map(place).sort());
      }
    });

    test('promise 4: give the flat list in pages, by offset and by cursor, under every filter', async () => {
      const { storage } = use();
      await fill(storage);
      for (const list of listsOf(storage)) {
        const { items: flat } = await list.query({ limit: FLAT_LIMIT });
        const expectedOf = placesIn(flat);
        for (const query of queries(flat)) {
          const expected = expectedOf(query);
          expect((await list.count(query)).count).toBe(expected.length);
          expect((await byCursor(list, query, 173)).map(place)).toEqual(expected);
          expect((await byOffset(list, query, 250)).map(place)).toEqual(expected);
        }
      }
    });
  });
}
