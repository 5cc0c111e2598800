import { describe, expect, it } from 'vitest';
import { createHandlers } from '../../../src/api/v2/handlers.js';
import { type MessageLists, messagePage } from '../../../src/api/v2/message-pages.js';
import { UNKNOWN_VERIFIERS } from '../../../src/api/v2/verifiers.js';
import { createCommon } from '../../../src/core/common.js';
import { createLanes } from '../../../src/lanes/lanes.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createRecordMaker } from '../../support/records.js';

const MESSAGES = 6_000;

describe('a page of messages of a status', () => {
  it.each(['newest', 'oldest'] as const)('asks for few lists, however small it is (%s first)', async (order) => {
    const make = createRecordMaker(3);
    const clock = createManualClock();
    const storage = createMemoryStorage({ name: 'memory', common: createCommon({ clock }) });
    for (let at = 0; at < MESSAGES; at += 100) {
      await storage.insertBatch({ messages: Array.from({ length: 100 }, () => make.message({ dataBytes: 0 })) });
      await clock.advance(1_000);
    }
    const all = (await storage.queryMessages({ limit: MESSAGES })).items;
    const [wanted] = order === 'newest' ? all : all.toReversed();
    await storage.insertBatch({ statuses: [{ messageId: wanted!.messageId, status: 'success' }] });
    let asked = 0;
    const lists: MessageLists = {
      queryUnfinishedMessages: (query) => storage.queryUnfinishedMessages(query),
      async list(kind, query) {
        asked += 1;
        return await storage.list(kind, query);
      },
      async count(kind, range) {
        asked += 1;
        return await storage.count(kind, range);
      },
    };
    const request = { query: {}, order, statuses: new Set(['success'] as const), limit: 1 };
    const first = await messagePage(lists, { ...request, cursor: undefined }, clock.nowMs());
    expect(first.messages).toEqual([]);
    const second = await messagePage(lists, { ...request, cursor: first.nextCursor! }, clock.nowMs());
    expect(second.messages.map(({ messageId }) => messageId)).toEqual([wanted!.messageId]);
    expect(asked).toBeLessThan(100);
    const open = await messagePage(lists, { ...request, statuses: new Set(['processing']), cursor: undefined }, 0);
    const [oldest, newest] = [all.at(0), all.at(-1)];
    expect(open.messages).toEqual([order === 'newest' ? newest : oldest]);
    await storage.close();
  });

  it('that are unfinished are all found, of those of the other filters', async () => {
    const make = createRecordMaker(8);
    const clock = createManualClock();
    const storage = createMemoryStorage({ name: 'memory', common: createCommon({ clock }) });
    const senders = [make.hex(32), make.hex(32)];
    for (let second = 0; second < 12; second += 1) {
      const messages = Array.from({ length: 50 }, (_, i) => make.message({ dataBytes: 0, sender: senders[i % 2]! }));
      await storage.insertBatch({ messages });
      const few = messages.filter((_, i) => i % 10 < 2);
      const success = messages.filter((message) => !few.includes(message));
      await storage.insertBatch({ statuses: success.map(({ messageId }) => ({ messageId, status: 'success' })) });
      await storage.insertBatch({ statuses: [{ messageId: few[0]!.messageId, status: 'timeout' }] });
      await clock.advance(1_000);
    }
    const all = (await storage.queryMessages({ limit: 1_000 })).items;
    const { ingestionMs: startMs } = all[100]!;
    const { ingestionMs: endMs } = all[499]!;
    const query = { startMs, endMs, senders: [senders[0]!] };
    const narrowed = (await storage.queryMessages({ ...query, limit: 1_000 })).items;
    for (const statuses of [new Set(['timeout'] as const), new Set(['processing', 'timeout'] as const)])
      for (const order of ['newest', 'oldest'] as const) {
        const found: string[] = [];
        for (let cursor: string | null | undefined; cursor !== null; ) {
          const page = await messagePage(storage, { query, order, statuses, limit: 7, cursor }, clock.nowMs());
          found.push(...page.messages.map(({ messageId }) => messageId));
          cursor = page.nextCursor;
        }
        const expected = narrowed.filter(({ status }) => statuses.has(status as 'timeout'));
        expect(expected.length).toBeGreaterThan(7);
        expect(found).toEqual((order === 'oldest' ? expected : expected.toReversed()).map((each) => each.messageId));
      }
    await storage.close();
  });
});

describe('a page of messages', () => {
  const PAGE_BYTES = 8 << 20;

  it.each(['newest', 'oldest'] as const)('ends at some bytes of large ones, and goes on (%s first)', async (order) => {
    const make = createRecordMaker(4);
    const storage = createMemoryStorage({ name: 'memory' });
    for (let batch = 0; batch < 3; batch += 1)
      await storage.insertBatch({ messages: Array.from({ length: 100 }, () => make.message({ dataBytes: 65_000 })) });
    const ids: string[] = [];
    const sizes: number[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await messagePage(storage, { query: {}, order, statuses: null, limit: 300, cursor }, Date.now());
      ids.push(...page.messages.map(({ messageId }) => messageId));
      sizes.push(page.messages.reduce((sum, { encodedMessage }) => sum + encodedMessage.length, 0));
      cursor = page.nextCursor;
    }
    const all = (await storage.queryMessages({ limit: 300 })).items.map(({ messageId }) => messageId);
    expect(ids).toEqual(order === 'oldest' ? all : all.toReversed());
    expect(Math.max(...sizes)).toBeLessThan(PAGE_BYTES + 66_000);
    expect(sizes).toHaveLength(3);
    await storage.close();
  });

  it('takes its memory before it is rendered', async () => {
    const make = createRecordMaker(6);
    const storage = createMemoryStorage({ name: 'memory' });
    const [whole, broken] = [make.message({ dataBytes: 9_000 }), make.message()];
    await storage.insertBatch({ messages: [whole] });
    const common = createCommon();
    const { messagesV2 } = createHandlers({
      storage,
      lanes: createLanes({ storage, common }),
      common,
      verifiers: UNKNOWN_VERIFIERS,
      partBytes: 1e6,
    });
    const held: number[] = [];
    const ask = { query: {} } as Parameters<typeof messagesV2>[0];
    const answer = await messagesV2(ask, (sizeBytes) => held.push(sizeBytes));
    const { length } = answer!.body as Buffer;
    expect(held[0]! / length).toBeGreaterThan(0.9);
    expect(held[0]! / length).toBeLessThan(1.2);
    // bytes that no rendering comes past
    await storage.insertBatch({ messages: [{ ...broken, encodedMessage: new Uint8Array(100).fill(255) }] });
    const refuse = () => {
      throw new Error('no memory');
    };
    await expect(messagesV2(ask, refuse)).rejects.toThrow('no memory');
    await storage.close();
  });

  it('promise 3: ends where messages moved to times that were read, and tells the state before', async () => {
    const make = createRecordMaker(5);
    const clock = createManualClock();
    const storage = createMemoryStorage({ name: 'memory', common: createCommon({ clock }) });
    const messages = Array.from({ length: 1_200 }, () => make.message({ dataBytes: 0 }));
    for (let at = 0; at < messages.length; at += 100)
      await storage.insertBatch({ messages: messages.slice(at, at + 100) });
    const [moving] = messages;
    let lists = 0;
    const moved: MessageLists = {
      queryUnfinishedMessages: (query) => storage.queryUnfinishedMessages(query),
      count: (kind, range) => storage.count(kind, range),
      async list(kind, query) {
        lists += 1;
        if (lists === 2) {
          const { messageId, origin } = moving!;
          await storage.insertBatch({ orphanings: [{ messageId, blockHash: origin!.blockHash }] });
          await storage.insertBatch({ messages: [moving!] });
        }
        return await storage.list(kind, query);
      },
    };
    const request = { query: {}, statuses: new Set(['success'] as const), limit: 1, cursor: undefined };
    const { position: before } = await messagePage(storage, { ...request, order: 'oldest' }, clock.nowMs());
    const page = await messagePage(moved, { ...request, order: 'oldest' }, clock.nowMs());
    expect(page).toMatchObject({ messages: [], nextCursor: expect.any(String), position: before });
    await storage.close();
  });
});
