import { expect, test } from 'vitest';
import * as ccv from '../../../src/index.js';
import { createTestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

test('the library: a Sink of memory and Postgres with conditions, through the public face alone', async () => {
  const database = await createTestDatabase({ migrated: false });
  const connection = { connectionString: database.uri };
  await ccv.migrate({ connection });
  const hourMs = 3_600_000;
  const sink = ccv.createSink({
    backends: [
      { storage: ccv.createMemoryStorage({ name: 'hot', ttlMs: 24 * hourMs }), condition: ccv.recentRead(24 * hourMs) },
      { storage: ccv.createPostgresStorage({ name: 'warm', connection }), condition: ccv.alwaysRead() },
    ],
  });
  const make = createRecordMaker(1);
  const message = make.message();
  const result: ccv.VerifierResult = make.result(message);
  await sink.insertBatch({ messages: [message], verifierResults: [result] });
  await expect(sink.insertCCVData(result)).rejects.toBeInstanceOf(ccv.DuplicateCCVDataError);
  const [stored] = await sink.getCCVData(message.messageId);
  expect(ccv.computeMessageId(stored!.encodedMessage)).toBe(message.messageId);
  expect(ccv.decodeMessage(stored!.encodedMessage).version).toBe(1);
  const page = await sink.queryCCVData({ startMs: Date.now() - hourMs, limit: 10 });
  expect(page).toMatchObject({ items: [{ messageId: message.messageId }], nextCursor: null });
  const missing = sink.getCCVData(make.hex(32));
  await expect(missing).rejects.toBeInstanceOf(ccv.CCVDataNotFoundError);
  expect((await sink.status()).map(({ name, role }) => [name, role])).toEqual([
    ['hot', 'follower'],
    ['warm', 'leader'],
  ]);
  await sink.close();
  await database.drop();
});
