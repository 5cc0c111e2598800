import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { plain } from '../../contract/subject.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

let database: TestDatabase;
let storage: PostgresStorage;

beforeEach(async () => {
  database = await createTestDatabase();
  storage = open();
});
afterEach(async () => {
  await storage.close();
  await database.drop();
});

function open(): PostgresStorage {
  return createPostgresStorage({ connection: database.connection, common: createCommon() });
}

/** Answers of a storage that has answered before, and of one that has not. */
async function expectSameAnswers(): Promise<void> {
  const fresh = open();
  try {
    for (const query of [
      {},
      { limit: 7 },
      { limit: 7, offset: 5 },
      { maxBytes: 50_000 },
      { limit: 3, maxBytes: 100_000 },
    ]) {
      expect(plain(await storage.queryMessages(query))).toEqual(plain(await fresh.queryMessages(query)));
      expect(plain(await storage.queryCCVData(query))).toEqual(plain(await fresh.queryCCVData(query)));
    }
  } finally {
    await fresh.close();
  }
}

test('promise 7: a page tells the rows as they are now, also when they changed without a new position', async () => {
  const make = createRecordMaker(61);
  const messages = Array.from({ length: 20 }, () => make.message());
  await storage.insertBatch({ messages, verifierResults: messages.map((message) => make.result(message)) });
  const [first] = (await storage.queryCCVData({})).items;
  await expectSameAnswers();
  // a record that has not changed is the one that was decoded before
  expect((await storage.queryCCVData({})).items[0]).toBe(first);

  // a database that was set back behind our backs, and written to again
  await database.sql(`UPDATE ccv.verifier_results SET ccv_data = '\\x0102' WHERE position % 2 = 0`);
  await database.sql(`UPDATE ccv.message_bodies SET first_ms = first_ms - 1 WHERE get_byte(message_id, 0) % 2 = 0`);
  await expectSameAnswers();
  await database.sql(`UPDATE ccv.messages SET status = 1 WHERE get_byte(message_id, 0) % 2 = 0`);
  await database.sql(
    `UPDATE ccv.verifier_results SET verdict = 0, verdict_block = 5, attestation_ms = attestation_ms + 1`,
  );
  await expectSameAnswers();

  const [{ messageId, origin }] = messages.filter((message) => message.origin !== null) as [(typeof messages)[0]];
  await storage.insertBatch({ statuses: [{ messageId, status: 'timeout' }] });
  await expectSameAnswers();
  if (origin) await storage.insertBatch({ orphanings: [{ messageId, blockHash: origin.blockHash }] });
  await expectSameAnswers();
});

test('a page has all contents that its bytes have room for, also when one record has most of them', async () => {
  const make = createRecordMaker(62);
  const messages = Array.from({ length: 10 }, (_, index) => make.message({ dataBytes: index === 4 ? 60_000 : 10 }));
  await storage.insertBatch({ messages, verifierResults: messages.map((message) => make.result(message)) });
  for (const list of [storage.queryMessages, storage.queryCCVData]) {
    const { items } = await list({ limit: 10, maxBytes: 100_000 });
    expect(items.map(({ outline }) => outline ?? false)).toEqual(Array(10).fill(false));
    expect(Math.max(...items.map(({ encodedMessage }) => encodedMessage.length))).toBeGreaterThan(60_000);
    const narrow = await list({ limit: 10, maxBytes: 85_000 });
    expect(plain(narrow.items)).toEqual(plain(items));
  }
});

test('promise 4: a page may end between the results of a message, however their rows lie in the table', async () => {
  const make = createRecordMaker(63);
  const messages = Array.from({ length: 3 }, () => make.message());
  const verifierResults = messages.flatMap((message) => Array.from({ length: 4 }, (_, n) => make.result(message, n)));
  await storage.insertBatch({ messages, verifierResults });
  const { items: all } = await storage.queryCCVData({});
  const resultsOf = all.map(({ messageId, verifierSourceAddress }) => `${messageId} ${verifierSourceAddress}`);
  expect(resultsOf).toHaveLength(12);
  expect(resultsOf).toEqual(resultsOf.toSorted());

  await database.sql(`CREATE TABLE moved AS SELECT * FROM ccv.verifier_results;
    DELETE FROM ccv.verifier_results;
    INSERT INTO ccv.verifier_results SELECT * FROM moved ORDER BY verifier_source DESC`);
  for (let limit = 1; limit <= all.length; limit += 1) {
    const told = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await storage.queryCCVData({ limit, ...(cursor && { cursor }) });
      expect(page.items.length).toBeLessThanOrEqual(limit);
      told.push(...page.items);
      cursor = page.nextCursor;
    }
    expect(plain(told)).toEqual(plain(all));
    for (let offset = 0; offset < all.length; offset += 1)
      expect(plain((await storage.queryCCVData({ limit, offset })).items)).toEqual(
        plain(all.slice(offset, offset + limit)),
      );
  }
});
