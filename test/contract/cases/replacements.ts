import { expect, test } from 'vitest';
import { createRecordMaker } from '../../support/records.js';
import { plain, type Use } from '../subject.js';

const REPLAY = 7n;

export function replacementCases(use: Use): void {
  const make = createRecordMaker(23);

  test('promise 2: a batch that replaces gives a result and its message a new time; a plain one never does', async () => {
    const { storage } = use();
    const [message, other] = [make.message(), make.message()];
    const [result, sibling] = [make.result(message, 0), make.result(message, 1)];
    await storage.insertBatch({ messages: [message], verifierResults: [result, sibling] });
    await storage.insertBatch({ messages: [other] });
    const polledMs = (await storage.queryMessages({})).items.at(-1)!.ingestionMs;
    const [news, later] = [
      { ...result, ccvData: make.bytes(40), attestationMs: result.attestationMs + 1 },
      { ...result, ccvData: make.bytes(41) },
    ];
    const plainOutcome = await storage.insertBatch({ verifierResults: [news] });
    expect(plainOutcome.verifierResults).toEqual(['conflict']);

    const outcome = await storage.insertBatch({ replacesFor: REPLAY, verifierResults: [news, sibling] });
    expect(outcome).toMatchObject({ verifierResults: ['replaced', 'duplicate'], conflicts: [] });
    const { ingestionMs, throughPosition } = outcome.committed!;
    const before = throughPosition - 2n;
    // promise 5: a client that has read up to a time sees both after it
    const since = { startMs: polledMs + 1 };
    expect((await storage.queryMessages(since)).items.map((item) => item.messageId)).toEqual([message.messageId]);
    expect((await storage.queryMessages({})).items.map((item) => item.messageId)).toEqual([
      ...[other.messageId, message.messageId],
    ]);
    const seen = (await storage.queryCCVData(since)).items;
    expect(seen.map(({ ccvData }) => plain(ccvData))).toEqual([plain(news.ccvData)]);
    expect(seen[0]).toMatchObject({ ingestionMs, position: throughPosition, attestationMs: news.attestationMs });
    expect([(await storage.countMessages({})).count, (await storage.countCCVData({})).count]).toEqual([2, 2]);
    expect(await storage.getMessage(message.messageId)).toMatchObject({ ingestionMs, position: before + 1n });
    // promise 6: followers are told both, and that records moved
    const told = await storage.changesAfter(before);
    expect(told.changes.map(({ kind, position }) => [kind, position])).toEqual([
      ['message', before + 1n],
      ['verifierResult', throughPosition],
    ]);
    expect(told.headMovePosition).toBe(throughPosition);

    const again = await storage.insertBatch({ replacesFor: REPLAY, verifierResults: [news] });
    expect(again).toMatchObject({ verifierResults: ['duplicate'], committed: null });
    expect((await storage.insertBatch({ verifierResults: [later, result] })).verifierResults).toEqual([
      ...['conflict', 'conflict'],
    ]);
    const stored = await storage.getCCVData(message.messageId);
    expect(new Set(stored.map(({ ccvData }) => plain(ccvData)))).toEqual(
      new Set([plain(news.ccvData), plain(sibling.ccvData)]),
    );
  });

  test('promise 9: a replaced result of an orphaned message stays out of the lists until its message returns', async () => {
    const { storage } = use();
    const message = make.message({ origin: make.origin(4n) });
    const result = make.result(message, 0);
    await storage.insertBatch({ messages: [message], verifierResults: [result] });
    const { messageId } = message;
    await storage.insertBatch({ orphanings: [{ messageId, blockHash: message.origin!.blockHash }] });
    const was = await storage.getMessage(messageId);
    const news = { ...result, ccvData: make.bytes(30) };
    const outcome = await storage.insertBatch({ replacesFor: REPLAY, verifierResults: [news] });
    expect(outcome.verifierResults).toEqual(['replaced']);
    expect((await storage.queryCCVData({})).items).toEqual([]);
    expect((await storage.queryMessages({})).items).toEqual([]);
    expect(plain(await storage.getMessage(messageId))).toEqual(plain(was));
    expect((await storage.getCCVData(messageId))[0]).toMatchObject({ orphaned: true, ingestionMs: was.ingestionMs });
    await storage.insertBatch({ messages: [{ ...message, origin: make.origin(5n) }] });
    expect((await storage.queryCCVData({})).items.map(({ ccvData }) => plain(ccvData))).toEqual([plain(news.ccvData)]);
  });

  test('a message is never replaced, and a result is not where its body is another', async () => {
    const { storage } = use();
    const message = make.message();
    const result = make.result(message, 0);
    await storage.insertBatch({ messages: [message], verifierResults: [result] });
    const executor = make.hex(20);
    const outcome = await storage.insertBatch({
      replacesFor: REPLAY,
      messages: [{ ...message, messageExecutorAddress: executor }],
      verifierResults: [{ ...result, messageExecutorAddress: executor, ccvData: make.bytes(9) }],
    });
    expect(outcome).toMatchObject({ messages: ['conflict'], verifierResults: ['conflict'] });
  });
}
