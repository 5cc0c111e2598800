import { expect, test } from 'vitest';
import type { KeyedPage } from '../../../src/model/list-query.js';
import type { OrderKey } from '../../../src/model/order.js';
import type { StoredMessage } from '../../../src/model/records.js';
import { insertCCVData } from '../../../src/storage/insert-ccv-data.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';
import { fieldsOf, plain, type Use } from '../subject.js';

export function messageCases(use: Use): void {
  const make = createRecordMaker(10);

  test('a stored message reads back with every field, as processing', async () => {
    const { storage } = use();
    const message = make.message();
    const outcome = await storage.insertBatch({ messages: [message] });
    expect(outcome.messages).toEqual(['inserted']);
    const stored = await storage.getMessage(message.messageId);
    expect(fieldsOf(stored, message)).toEqual(plain(message));
    expect(stored).toMatchObject({
      status: 'processing',
      ingestionMs: outcome.committed?.ingestionMs,
      firstMs: outcome.committed?.ingestionMs,
      position: 1n,
      orphaned: false,
    });
  });

  test('a status moves forward only: processing, timeout, success', async () => {
    const { storage } = use();
    const message = make.message();
    const { messageId } = message;
    const { committed } = await storage.insertBatch({ messages: [message] });
    const status = async () => (await storage.getMessage(messageId)).status;
    expect((await storage.insertBatch({ statuses: [{ messageId, status: 'processing' }] })).committed).toBeNull();
    await storage.insertBatch({ statuses: [{ messageId, status: 'timeout' }] });
    expect(await status()).toBe('timeout');
    expect((await storage.insertBatch({ statuses: [{ messageId, status: 'processing' }] })).committed).toBeNull();
    await storage.insertBatch({ statuses: [{ messageId, status: 'success' }] });
    for (const back of ['timeout', 'processing', 'success'] as const)
      expect((await storage.insertBatch({ statuses: [{ messageId, status: back }] })).committed).toBeNull();
    expect(await storage.getMessage(messageId)).toMatchObject({
      status: 'success',
      position: 3n,
      ingestionMs: committed!.ingestionMs,
    });
  });

  test('a status change takes a position but does not move the message in the list', async () => {
    const { storage } = use();
    const messages = [make.message(), make.message()];
    await storage.insertBatch({ messages });
    const before = (await storage.queryMessages({})).items.map((item) => item.messageId);
    await storage.insertBatch({ statuses: [{ messageId: before[0]!, status: 'success' }] });
    const { items, asOf } = await storage.queryMessages({});
    expect(items.map((item) => item.messageId)).toEqual(before);
    expect(items.map((item) => item.position)).toEqual([3n, 2n]);
    expect(asOf).toEqual({ position: 3n, movePosition: 0n });
  });

  test('the status of an unknown message changes nothing, also when only its verifier result is stored', async () => {
    const { storage } = use();
    const message = make.message();
    await insertCCVData(storage, make.result(message));
    const change = { messageId: message.messageId, status: 'success' } as const;
    expect((await storage.insertBatch({ statuses: [change] })).committed).toBeNull();
    expect((await storage.insertBatch({ statuses: [{ ...change, messageId: make.hex(32) }] })).committed).toBeNull();
    await storage.insertBatch({ messages: [message] });
    expect((await storage.getMessage(message.messageId)).status).toBe('processing');
  });

  test('a message and its status in one batch take one position', async () => {
    const { storage } = use();
    const message = make.message();
    const outcome = await storage.insertBatch({
      messages: [message],
      statuses: [
        { messageId: message.messageId, status: 'timeout' },
        { messageId: message.messageId, status: 'success' },
      ],
    });
    expect(outcome.committed?.throughPosition).toBe(1n);
    expect(await storage.getMessage(message.messageId)).toMatchObject({ status: 'success', position: 1n });
  });

  test('another origin is taken over without moving in the list; none never replaces one', async () => {
    const { storage } = use();
    const message = make.message({ origin: null });
    const { committed } = await storage.insertBatch({ messages: [message] });
    const origin = make.origin(7n);
    expect((await storage.insertBatch({ messages: [{ ...message, origin }] })).messages).toEqual(['updated']);
    expect((await storage.insertBatch({ messages: [{ ...message, origin }] })).messages).toEqual(['duplicate']);
    expect((await storage.insertBatch({ messages: [message] })).messages).toEqual(['duplicate']);
    const moved = make.origin(9n);
    expect((await storage.insertBatch({ messages: [{ ...message, origin: moved }] })).messages).toEqual(['updated']);
    const { ingestionMs } = committed!;
    const stored = await storage.getMessage(message.messageId);
    expect(stored).toMatchObject({ origin: moved, ingestionMs, firstMs: ingestionMs, position: 3n });
    expect((await storage.queryMessages({})).asOf).toEqual({ position: 3n, movePosition: 0n });
    expect(await storage.messagesAboveBlock(SELECTORS.low, 8n)).toHaveLength(1);
  });

  test('a message twice in a batch with two origins ends with the second', async () => {
    const { storage } = use();
    const message = make.message();
    const origin = make.origin(12n);
    const outcome = await storage.insertBatch({ messages: [message, { ...message, origin }] });
    expect(outcome.messages).toEqual(['inserted', 'updated']);
    expect(outcome.committed?.throughPosition).toBe(1n);
    expect((await storage.getMessage(message.messageId)).origin).toEqual(origin);
  });

  test('unfinished messages are those that are neither successful nor orphaned, in order, in pages', async () => {
    const { storage } = use();
    const messages = Array.from({ length: 12 }, () => make.message());
    for (const message of messages) await storage.insertBatch({ messages: [message] });
    await storage.insertBatch({
      statuses: [
        { messageId: messages[2]!.messageId, status: 'success' },
        { messageId: messages[5]!.messageId, status: 'timeout' },
      ],
      orphanings: [{ messageId: messages[7]!.messageId, blockHash: messages[7]!.origin!.blockHash }],
    });
    const expected = messages.filter((_, i) => i !== 2 && i !== 7).map((message) => message.messageId);
    for (const order of ['oldest', 'newest'] as const) {
      const found: string[] = [];
      let after: OrderKey | null = null;
      do {
        const page: KeyedPage<StoredMessage> = await storage.queryUnfinishedMessages({ limit: 4, after, order });
        expect(page.items.length).toBeLessThanOrEqual(4);
        found.push(...page.items.map((item) => item.messageId));
        after = page.next;
      } while (after !== null);
      expect(found).toEqual(order === 'oldest' ? expected : expected.toReversed());
    }
    expect((await storage.queryUnfinishedMessages({ limit: 10 })).next).toBeNull();
  });

  test('messages above a block are those of that source chain, by block and log index', async () => {
    const { storage } = use();
    const at = (blockNumber: bigint, logIndex: number, sourceChainSelector: bigint = SELECTORS.high) =>
      make.message({ sourceChainSelector, origin: make.origin(blockNumber, logIndex) });
    const [c, b, a, low, other] = [at(12n, 3), at(11n, 20), at(11n, 3), at(10n, 9), at(50n, 1, SELECTORS.max)];
    await storage.insertBatch({ messages: [c, other, low] });
    await storage.insertBatch({
      messages: [b, a, make.message({ sourceChainSelector: SELECTORS.high, origin: null })],
    });
    const above = async (block: bigint) =>
      (await storage.messagesAboveBlock(SELECTORS.high, block)).map((message) => message.messageId);
    expect(await above(10n)).toEqual([a, b, c].map((message) => message.messageId));
    expect(await above(9n)).toEqual([low, a, b, c].map((message) => message.messageId));
    expect(await above(12n)).toEqual([]);
    const through = await storage.messagesAboveBlock(SELECTORS.high, 9n, 11n);
    expect(through.map(({ messageId }) => messageId)).toEqual([low, a, b].map(({ messageId }) => messageId));
    await storage.insertBatch({ messages: [{ ...low, origin: make.origin(13n, 1) }] });
    expect(await above(11n)).toEqual([c, low].map((message) => message.messageId));
    await storage.insertBatch({ orphanings: [{ messageId: c.messageId, blockHash: c.origin!.blockHash }] });
    expect(await above(11n)).toEqual([low.messageId]);
    expect(await storage.messagesAboveBlock(1n, 0n)).toEqual([]);
  });
}
