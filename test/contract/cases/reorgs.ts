import { expect, test } from 'vitest';
import type { NewMessage } from '../../../src/model/records.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';
import { place, type Use } from '../subject.js';

export function reorgCases(use: Use): void {
  const make = createRecordMaker(11);

  const orphaning = (message: NewMessage) => ({
    messageId: message.messageId,
    blockHash: message.origin!.blockHash,
  });

  /** A message with two verifier results between two others of the same lane. */
  async function storeThree(storage: Storage) {
    const ccvs = [make.hex(20), make.hex(20), make.hex(20)];
    const [before, message, after] = [make.message({ ccvs }), make.message({ ccvs }), make.message({ ccvs })];
    for (const each of [before, message, after])
      await storage.insertBatch({ messages: [each], verifierResults: [make.result(each, 0), make.result(each, 1)] });
    return { before, message, after };
  }

  const listed = async (storage: Storage) => ({
    messages: (await storage.queryMessages({})).items.map((item) => item.messageId),
    results: [...new Set((await storage.queryCCVData({})).items.map((item) => item.messageId))],
    filtered: (await storage.queryMessages({ sourceChainSelectors: [SELECTORS.low] })).items.map((i) => i.messageId),
    counts: [(await storage.countMessages({})).count, (await storage.countCCVData({})).count],
  });

  test('promise 9: an orphaned message leaves every list and count with its results, and stays readable by id', async () => {
    const { storage } = use();
    const { before, message, after } = await storeThree(storage);
    const was = await storage.getMessage(message.messageId);
    const { committed } = await storage.insertBatch({ orphanings: [orphaning(message)] });
    expect(committed?.throughPosition).toBe(12n);
    const ids = [before.messageId, after.messageId];
    expect(await listed(storage)).toEqual({ messages: ids, results: ids, filtered: ids, counts: [2, 4] });
    const stored = await storage.getMessage(message.messageId);
    expect(stored).toMatchObject({ orphaned: true, ingestionMs: was.ingestionMs, firstMs: was.firstMs });
    const results = await storage.getCCVData(message.messageId);
    expect(results.map((result) => result.orphaned)).toEqual([true, true]);
    expect([stored, ...results].map((record) => record.position)).toEqual([10n, 11n, 12n]);
    expect((await storage.queryMessages({})).asOf).toEqual({ position: 12n, movePosition: 12n });
    expect((await storage.changesAfter(9n)).headMovePosition).toBe(12n);
    expect(storage.coverage().movePosition).toBe(12n);
  });

  test('an orphaning takes effect only at the block where the message is stored, and once', async () => {
    const { storage } = use();
    const { message } = await storeThree(storage);
    const missing = make.message();
    const nowhere = make.message({ origin: null });
    await storage.insertBatch({ messages: [nowhere] });
    const noEffect = await storage.insertBatch({
      orphanings: [
        { ...orphaning(message), blockHash: make.hex(32) },
        orphaning(missing),
        { messageId: nowhere.messageId, blockHash: make.hex(32) },
      ],
    });
    expect(noEffect.committed).toBeNull();
    await storage.insertBatch({ orphanings: [orphaning(message), orphaning(message)] });
    expect((await storage.insertBatch({ orphanings: [orphaning(message)] })).committed).toBeNull();
  });

  test('a message whose origin moved on is not orphaned by its old block', async () => {
    const { storage } = use();
    const { message } = await storeThree(storage);
    await storage.insertBatch({ messages: [{ ...message, origin: make.origin(99n) }] });
    expect((await storage.insertBatch({ orphanings: [orphaning(message)] })).committed).toBeNull();
    expect((await storage.getMessage(message.messageId)).orphaned).toBe(false);
  });

  test('promise 9: a message that comes back returns with its results, at the end of the lists, with its new origin', async () => {
    const { storage } = use();
    const { before, message, after } = await storeThree(storage);
    await storage.insertBatch({ orphanings: [orphaning(message)] });
    const origin = make.origin(77n);
    const outcome = await storage.insertBatch({ messages: [{ ...message, origin }] });
    expect(outcome.messages).toEqual(['returned']);
    const ids = [before.messageId, after.messageId, message.messageId];
    expect(await listed(storage)).toEqual({ messages: ids, results: ids, filtered: ids, counts: [3, 6] });
    const { ingestionMs } = outcome.committed!;
    const stored = await storage.getMessage(message.messageId);
    expect(stored).toMatchObject({ orphaned: false, ingestionMs, origin });
    expect(stored.firstMs).toBeLessThan(ingestionMs);
    for (const result of await storage.getCCVData(message.messageId))
      expect(result).toMatchObject({ orphaned: false, ingestionMs, firstMs: stored.firstMs });
    expect((await storage.queryCCVData({})).asOf).toEqual({ position: 15n, movePosition: 15n });
    const { items } = await storage.queryCCVData({});
    expect(items.map(place)).toEqual(items.map(place).sort());
  });

  test('promise 9: an orphaned message is not brought back by one without an origin', async () => {
    const { storage } = use();
    const { message } = await storeThree(storage);
    await storage.insertBatch({ orphanings: [orphaning(message)] });
    const outcome = await storage.insertBatch({ messages: [{ ...message, origin: null }] });
    expect(outcome).toMatchObject({ messages: ['duplicate'], committed: null });
    expect(await storage.getMessage(message.messageId)).toMatchObject({ orphaned: true, origin: message.origin });
  });

  test('orphaned and stored again in one batch, a message moves: it is in the lists once', async () => {
    const { storage } = use();
    const { before, message, after } = await storeThree(storage);
    const outcome = await storage.insertBatch({
      orphanings: [orphaning(message)],
      messages: [{ ...message, origin: make.origin(78n) }],
    });
    expect(outcome.messages).toEqual(['returned']);
    expect(outcome.committed?.throughPosition).toBe(12n);
    const ids = [before.messageId, after.messageId, message.messageId];
    expect(await listed(storage)).toEqual({ messages: ids, results: ids, filtered: ids, counts: [3, 6] });
  });

  test('a verifier result for an orphaned message is stored orphaned and comes back with it', async () => {
    const { storage } = use();
    const { message } = await storeThree(storage);
    const { committed } = await storage.insertBatch({ orphanings: [orphaning(message)] });
    const late = make.result(message, 2);
    const outcome = await storage.insertBatch({ verifierResults: [late] });
    expect(outcome.verifierResults).toEqual(['inserted']);
    expect((await storage.countCCVData({})).count).toBe(4);
    expect((await storage.getCCVData(message.messageId)).map((result) => result.orphaned)).toEqual([true, true, true]);
    expect((await storage.queryCCVData({})).asOf.movePosition).toBe(committed?.throughPosition);
    await storage.insertBatch({ messages: [{ ...message, origin: make.origin(79n) }] });
    expect((await storage.countCCVData({})).count).toBe(7);
    expect((await storage.getCCVData(message.messageId)).map((result) => result.orphaned)).toEqual([
      false,
      false,
      false,
    ]);
  });

  test('a result in the batch that brings its message back is listed at once', async () => {
    const { storage } = use();
    const { message } = await storeThree(storage);
    await storage.insertBatch({ orphanings: [orphaning(message)] });
    await storage.insertBatch({ messages: [message], verifierResults: [make.result(message, 2)] });
    expect((await storage.countCCVData({})).count).toBe(7);
  });

  test('an orphaned message keeps its status, takes another, and brings it back', async () => {
    const { storage } = use();
    const { message } = await storeThree(storage);
    const { messageId } = message;
    await storage.insertBatch({ statuses: [{ messageId, status: 'timeout' }], orphanings: [orphaning(message)] });
    expect(await storage.getMessage(messageId)).toMatchObject({ status: 'timeout', orphaned: true });
    await storage.insertBatch({ statuses: [{ messageId, status: 'success' }] });
    await storage.insertBatch({ messages: [message] });
    expect(await storage.getMessage(messageId)).toMatchObject({ status: 'success', orphaned: false });
    expect((await storage.queryUnfinishedMessages({ limit: 10 })).items).toHaveLength(2);
  });

  test('a conflicting copy does not bring an orphaned message back', async () => {
    const { storage } = use();
    const { message } = await storeThree(storage);
    await storage.insertBatch({ orphanings: [orphaning(message)] });
    const outcome = await storage.insertBatch({ messages: [{ ...message, messageExecutorAddress: make.hex(20) }] });
    expect(outcome.messages).toEqual(['conflict']);
    expect((await storage.getMessage(message.messageId)).orphaned).toBe(true);
  });
}
