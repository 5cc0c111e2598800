import { describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { type KeyedPage, type MessageListQuery, resolveRange } from '../../../src/model/list-query.js';
import type { OrderKey } from '../../../src/model/order.js';
import type { NewMessage, StoredMessage } from '../../../src/model/records.js';
import type { ResolvedLists } from '../../../src/storage/list-face.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { listNewestFirst } from '../../../src/storage/newest-first.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';

/** Commits of 1 to 40 messages, from a millisecond to days apart. */
async function filled(seed: number) {
  const make = createRecordMaker(seed);
  const clock = createManualClock();
  const storage = createMemoryStorage({ name: 'memory', common: createCommon({ clock }) });
  const senders = [make.hex(20), make.hex(20)];
  for (let commit = 0; commit < 60; commit += 1) {
    const size = 1 + Math.floor(make.random() ** 4 * 40);
    const messages = Array.from({ length: size }, () =>
      make.message({
        sourceChainSelector: make.random() < 0.5 ? SELECTORS.low : SELECTORS.max,
        ...(make.random() < 0.1 && { sender: senders[Math.floor(make.random() * 2)]! }),
        dataBytes: 0,
      }),
    );
    await storage.insertBatch({ messages });
    await clock.advance(Math.floor(make.random() ** 8 * 200_000_000));
  }
  return { make, clock, storage, senders };
}

async function walk(lists: ResolvedLists, query: MessageListQuery, limit: number, nowMs: number) {
  const ids: string[] = [];
  let before: OrderKey | null = null;
  do {
    const page: KeyedPage<StoredMessage> = await listNewestFirst(lists, 'message', {
      ...resolveRange(query),
      limit,
      before,
      nowMs,
    });
    expect(page.items.length).toBe(page.next === null ? page.items.length : limit);
    ids.push(...page.items.map(({ messageId }) => messageId));
    before = page.next;
  } while (before !== null);
  return ids;
}

describe('a list newest first', () => {
  test.each([1, 2, 3])('promise 4: is the list in reverse, in pages, under every filter (seed %i)', async (seed) => {
    const { clock, storage, senders } = await filled(seed);
    const all = (await storage.queryMessages({ limit: 10_000 })).items;
    const [early, late] = [all[40]!.ingestionMs, all[all.length - 20]!.ingestionMs];
    const queries: MessageListQuery[] = [
      {},
      { sourceChainSelectors: [SELECTORS.max] },
      { senders: [senders[0]!] },
      { startMs: early, endMs: late },
      { endMs: early },
      { startMs: late + 1, senders },
      { startMs: 5, endMs: 4 },
    ];
    for (const query of queries) {
      const expected = (await storage.queryMessages({ ...query, limit: 10_000 })).items.map((item) => item.messageId);
      for (const limit of [1, 7, 1000])
        expect(await walk(storage, query, limit, clock.nowMs())).toEqual(expected.toReversed());
      // a clock that is ahead or behind makes it slower, not another list
      for (const skewMs of [-400_000_000, 400_000_000])
        expect(await walk(storage, query, 50, clock.nowMs() + skewMs)).toEqual(expected.toReversed());
    }
    await storage.close();
  });

  test.each([0, 7_000, 3_600_000, 40_000_000])('asks few lists where nothing came for %i ms', async (gapMs) => {
    const make = createRecordMaker(7);
    const clock = createManualClock();
    const storage = createMemoryStorage({ name: 'memory', common: createCommon({ clock }) });
    for (let commit = 0; commit < 400; commit += 1) {
      await storage.insertBatch({ messages: Array.from({ length: 20 }, () => make.message({ dataBytes: 0 })) });
      await clock.advance(500);
    }
    await clock.advance(gapMs);
    let asked = 0;
    const lists: ResolvedLists = {
      list: (kind, query) => storage.list(kind, query),
      async count(kind, range) {
        asked += 1;
        return await storage.count(kind, range);
      },
    };
    const query = { ...resolveRange({}), limit: 50, before: null, nowMs: clock.nowMs() };
    expect((await listNewestFirst(lists, 'message', query)).items).toHaveLength(50);
    expect(asked).toBeLessThanOrEqual(25);
    await storage.close();
  });

  test.each([70_000, 3_600_000, 400_000_000])('counts no wide window by filters behind %i quiet ms', async (gapMs) => {
    const make = createRecordMaker(8);
    const clock = createManualClock();
    const storage = createMemoryStorage({ name: 'memory', common: createCommon({ clock }) });
    const sender = make.hex(20);
    for (let commit = 0; commit < 400; commit += 1) {
      const messages = [make.message({ sender, dataBytes: 0 }), ...Array.from({ length: 9 }, () => make.message())];
      await storage.insertBatch({ messages });
      await clock.advance(500);
    }
    await clock.advance(gapMs);
    const inWindows: number[] = [];
    let asked = 0;
    const lists: ResolvedLists = {
      list: (kind, query) => storage.list(kind, query),
      async count(kind, range) {
        asked += 1;
        if (range.contents !== null) inWindows.push((await storage.count(kind, { ...range, contents: null })).count);
        return await storage.count(kind, range);
      },
    };
    const query = { ...resolveRange({ senders: [sender] }), limit: 20, before: null, nowMs: clock.nowMs() };
    expect((await listNewestFirst(lists, 'message', query)).items).toHaveLength(20);
    // a minute has 1 200 of the 4 000
    expect(Math.max(...inWindows)).toBeLessThanOrEqual(1_200);
    expect(asked).toBeLessThanOrEqual(25);
    await storage.close();
  });

  test('begins at the end of the range behind which its key lies', async () => {
    const { clock, storage } = await filled(4);
    const all = (await storage.queryMessages({ limit: 10_000 })).items;
    const endMs = all[30]!.ingestionMs;
    const before = { ...all.at(-1)!, verifierSourceAddress: '0x', verifierDestAddress: '0x' } as const;
    const query = { ...resolveRange({ endMs }), limit: 1, before, nowMs: clock.nowMs() };
    const expected = all.filter(({ ingestionMs }) => ingestionMs <= endMs).at(-1)!;
    expect((await listNewestFirst(storage, 'message', query)).items).toEqual([expected]);
    await storage.close();
  });

  test('promise 3: reads again when a record moves while it is read, and never misses it', async () => {
    const { make, clock, storage } = await filled(5);
    const all = (await storage.queryMessages({ limit: 10_000 })).items;
    const moved = all[0]!;
    let reads = 0;
    const lists: ResolvedLists = {
      list: (kind, query) => storage.list(kind, query),
      async count(kind, range) {
        reads += 1;
        if (reads === 3) await move(moved);
        return await storage.count(kind, range);
      },
    };
    async function move(message: NewMessage) {
      const { messageId, origin } = message;
      await storage.insertBatch({ orphanings: [{ messageId, blockHash: origin!.blockHash }] });
      await storage.insertBatch({ messages: [{ ...message, origin: make.origin(1n) }] });
    }
    const query = { ...resolveRange({}), limit: 10_000, before: null, nowMs: clock.nowMs() };
    const { items } = await listNewestFirst(lists, 'message', query);
    expect(items[0]!.messageId).toBe(moved.messageId);
    expect(new Set(items.map((item) => item.messageId)).size).toBe(all.length);
    await storage.close();
  });

  test('promise 3: is an error when records keep moving', async () => {
    const { clock, storage } = await filled(6);
    let position = 1000n;
    const lists: ResolvedLists = {
      list: (kind, query) => storage.list(kind, query),
      async count(kind, range) {
        const { count } = await storage.count(kind, range);
        position += 1n;
        return { count, asOf: { position, movePosition: position } };
      },
    };
    const query = { ...resolveRange({}), limit: 10_000, before: null, nowMs: clock.nowMs() };
    await expect(listNewestFirst(lists, 'message', query)).rejects.toMatchObject({ name: 'CoverageGapError' });
    await storage.close();
  });
});
