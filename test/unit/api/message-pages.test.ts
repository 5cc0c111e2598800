import { describe, expect, it } from 'vitest';
import { messagePage } from '../../../src/api/v2/message-pages.js';
import { createCommon } from '../../../src/core/common.js';
import type { ResolvedLists } from '../../../src/storage/list-face.js';
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
    await storage.insertBatch({ statuses: [{ messageId: wanted!.messageId, status: 'timeout' }] });
    let asked = 0;
    const lists: ResolvedLists = {
      async list(kind, query) {
        asked += 1;
        return await storage.list(kind, query);
      },
      async count(kind, range) {
        asked += 1;
        return await storage.count(kind, range);
      },
    };
    const request = { query: {}, order, statuses: new Set(['timeout'] as const), limit: 1 };
    const first = await messagePage(lists, { ...request, cursor: undefined }, clock.nowMs());
    expect(first.messages).toEqual([]);
    const second = await messagePage(lists, { ...request, cursor: first.nextCursor! }, clock.nowMs());
    expect(second.messages.map(({ messageId }) => messageId)).toEqual([wanted!.messageId]);
    expect(asked).toBeLessThan(100);
    await storage.close();
  });
});
