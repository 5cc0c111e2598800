import { expect, test } from 'vitest';
import type { OrderKey } from '../../../src/model/order.js';
import { withContents } from '../../../src/model/outlines.js';
import { CCVDataNotFoundError } from '../../../src/model/storage-errors.js';
import { createRecordMaker } from '../../support/records.js';
import { plain, type Use } from '../subject.js';

const LARGE = 10_000;
/** Reached within the fourth large record. */
const MAX_BYTES = 35_000;
const WHOLE = 4;

/** How many records come first that are whole, and whether all others are outlines. */
function shapeOf(records: readonly { readonly outline?: true }[]): readonly [number, boolean] {
  const first = records.findIndex(({ outline }) => outline);
  const whole = first < 0 ? records.length : first;
  return [whole, records.slice(whole).every(({ outline }) => outline)];
}

export function boundCases(use: Use): void {
  test('a list bounded by bytes is as long as without, of the same state, and ends in outlines (promises 3 and 4)', async () => {
    const { storage } = use();
    const make = createRecordMaker(21);
    for (let commit = 0; commit < 3; commit += 1) {
      const messages = Array.from({ length: 4 }, () => make.message({ dataBytes: LARGE }));
      await storage.insertBatch({ messages, verifierResults: messages.map((message) => make.result(message)) });
    }
    const [timedOut] = (await storage.queryMessages({ offset: 9 })).items;
    await storage.insertBatch({ statuses: [{ messageId: timedOut!.messageId, status: 'timeout' }] });
    for (const query of [{}, { offset: 2 }, { limit: 9 }, { limit: 7, offset: 5 }]) {
      const messages = await storage.queryMessages(query);
      const bounded = await storage.queryMessages({ ...query, maxBytes: MAX_BYTES });
      expect(shapeOf(bounded.items)).toEqual([WHOLE, true]);
      expect(bounded.nextCursor).toBe(messages.nextCursor);
      const completed = bounded.items.map(async (message) =>
        message.outline ? withContents(message, await storage.getMessage(message.messageId)) : message,
      );
      expect(plain(await Promise.all(completed))).toEqual(plain(messages.items));

      const results = await storage.queryCCVData(query);
      const boundedResults = await storage.queryCCVData({ ...query, maxBytes: MAX_BYTES });
      expect(shapeOf(boundedResults.items)).toEqual([WHOLE, true]);
      expect(boundedResults.nextCursor).toBe(results.nextCursor);
      const completedResults = boundedResults.items.map(async (result) => {
        const [whole] = result.outline ? await storage.getCCVData(result.messageId, result) : [];
        return whole ? withContents(result, whole) : result;
      });
      expect(plain(await Promise.all(completedResults))).toEqual(plain(results.items));
    }
  });

  test('what an outline stands for can be read by its identity after the message has left the lists (promise 9)', async () => {
    const { storage } = use();
    const make = createRecordMaker(22);
    const messages = Array.from({ length: 3 }, (_, i) =>
      make.message({ dataBytes: LARGE, origin: make.origin(BigInt(i)) }),
    );
    await storage.insertBatch({ messages, verifierResults: messages.map((message) => make.result(message)) });
    const before = await storage.queryMessages({});
    const [, , last] = (await storage.queryMessages({ maxBytes: 1 })).items;
    const [, , lastResult] = (await storage.queryCCVData({ maxBytes: 1 })).items;
    await storage.insertBatch({
      statuses: [{ messageId: last!.messageId, status: 'success' }],
      orphanings: messages.map(({ messageId, origin }) => ({ messageId, blockHash: origin!.blockHash })),
    });
    expect((await storage.queryMessages({})).items).toEqual([]);
    const whole = withContents(last!, await storage.getMessage(last!.messageId));
    expect(plain(whole)).toEqual(plain(before.items[2]));
    expect(await storage.getCCVData(lastResult!.messageId, lastResult)).toHaveLength(1);
  });

  test('the results of an id are outlines beyond some bytes, and each can be asked for by itself', async () => {
    const { storage } = use();
    const make = createRecordMaker(23);
    const message = make.message({ ccvs: Array.from({ length: 9 }, () => make.hex(20)), dataBytes: 10 });
    const verifierResults = Array.from({ length: 9 }, (_, ccv) => make.result(message, ccv, { ccvDataBytes: LARGE }));
    await storage.insertBatch({ messages: [message], verifierResults });
    const all = await storage.getCCVData(message.messageId);
    const bounded = await storage.getCCVData(message.messageId, { maxBytes: MAX_BYTES });
    expect(shapeOf(bounded)).toEqual([WHOLE, true]);
    expect(plain(bounded.slice(0, WHOLE))).toEqual(plain(all.slice(0, WHOLE)));
    for (const [index, outline] of bounded.entries()) {
      const found = await storage.getCCVData(message.messageId, outline);
      expect(plain(found)).toEqual(plain([all[index]]));
      expect(plain(withContents(outline, found[0]!))).toEqual(plain(all[index]));
    }
    expect(shapeOf(await storage.getCCVData(message.messageId, { maxBytes: 1_000_000 }))).toEqual([9, true]);
    const nobody = { verifierSourceAddress: make.hex(20), verifierDestAddress: make.hex(20) };
    await expect(storage.getCCVData(message.messageId, nobody)).rejects.toBeInstanceOf(CCVDataNotFoundError);
    await expect(storage.getCCVData(make.message().messageId, { maxBytes: 1 })).rejects.toBeInstanceOf(
      CCVDataNotFoundError,
    );
  });

  test('unfinished messages come in pages that end early when they are large, and join up to the whole', async () => {
    const { storage } = use();
    const make = createRecordMaker(24);
    const ids: string[] = [];
    for (let commit = 0; commit < 3; commit += 1) {
      const messages = Array.from({ length: 45 }, () => make.message({ dataBytes: 64_000 }));
      ids.push(...messages.map(({ messageId }) => messageId).sort());
      await storage.insertBatch({ messages });
    }
    const found: string[] = [];
    let after: OrderKey | null = null;
    do {
      const page: Awaited<ReturnType<typeof storage.queryUnfinishedMessages>> = await storage.queryUnfinishedMessages({
        limit: 1_000,
        after,
      });
      expect(page.items.every(({ outline, encodedMessage }) => !outline && encodedMessage.length > 64_000)).toBe(true);
      found.push(...page.items.map(({ messageId }) => messageId));
      after = page.next;
    } while (after !== null);
    expect(found).toEqual(ids);
  });
}
