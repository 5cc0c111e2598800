import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { bytesToHex } from '../../../src/core/hex.js';
import { CCVDataNotFoundError } from '../../../src/model/storage-errors.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { plain } from '../../contract/subject.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

let database: TestDatabase;
let storage: PostgresStorage;
const common = createCommon();

beforeEach(async () => {
  database = await createTestDatabase();
  storage = createPostgresStorage({ connection: database.connection, common });
});
afterEach(async () => {
  await storage.close();
  await database.drop();
});

/** Pieces of database work so far, by what they are for. */
async function worksOf(label: string): Promise<number> {
  const metric = await common.metrics.getSingleMetric('indexer_postgres_work_duration_seconds')?.get();
  const counts = metric?.values.filter(
    (value) => (value as { metricName?: string }).metricName?.endsWith('_count') && value.labels['label'] === label,
  );
  return counts?.reduce((sum, { value }) => sum + value, 0) ?? 0;
}

test('a hundred lookups at once are few queries, and each is what it is alone', async () => {
  const make = createRecordMaker(60);
  // of every size: beside those of others, too large for that, stored apart from their row
  const messages = [0, 100, 7_000, 9_000, 30_000].flatMap((dataBytes) =>
    Array.from({ length: 20 }, () => make.message({ dataBytes })),
  );
  const verifierResults = messages.flatMap((message, index) =>
    Array.from({ length: index % 4 }, (_, ccv) =>
      make.result(message, 0, { source: make.hex(20), dest: make.hex(20 + ccv) }),
    ),
  );
  await storage.insertBatch({ messages, verifierResults });
  const ids = [...messages.map(({ messageId }) => messageId), make.hex(32)];
  const settled = (asks: Promise<unknown>[]) => Promise.allSettled(asks);
  for (const part of [undefined, { maxBytes: 1 }, { maxBytes: 20_000 }]) {
    const alone = [];
    for (const id of ids) alone.push(...(await settled([storage.getCCVData(id, part)])));
    const before = await worksOf('get ccv data');
    const together = await settled(ids.map((id) => storage.getCCVData(id, part)));
    expect(plain(together)).toEqual(plain(alone));
    // those that are too large are asked for by themselves
    const large = ids.length - 61;
    expect((await worksOf('get ccv data')) - before).toBeLessThanOrEqual(large + 3);
  }
  const before = await worksOf('get message');
  const small = messages.slice(0, 60);
  const found = await Promise.all(small.map(({ messageId }) => storage.getMessage(messageId)));
  expect(found.map(({ messageId }) => messageId)).toEqual(small.map(({ messageId }) => messageId));
  expect((await worksOf('get message')) - before).toBeLessThanOrEqual(2);
  expect(found.map(({ encodedMessage }) => bytesToHex(encodedMessage))).toEqual(
    small.map(({ encodedMessage }) => bytesToHex(encodedMessage)),
  );
});

test('promise 5: a lookup asked for after a write was acknowledged shows it, however many are under way', async () => {
  const make = createRecordMaker(61);
  const clients = Array.from({ length: 40 }, () => make.message());
  await Promise.all(
    clients.map(async (message) => {
      for (let written = 1; written <= 8; written += 1) {
        await storage.insertBatch({ verifierResults: [make.result(message, 0, { source: make.hex(20) })] });
        const results = await storage.getCCVData(message.messageId);
        expect(results).toHaveLength(written);
        const sources = results.map(({ verifierSourceAddress }) => verifierSourceAddress);
        expect(sources).toEqual([...sources].sort());
      }
    }),
  );
});

test('a record that cannot be read fails its own lookup, and not those that share its query', async () => {
  const make = createRecordMaker(62);
  const results = make.results(20);
  await storage.insertBatch({ verifierResults: results });
  const [bad, ...good] = results.map(({ messageId }) => messageId);
  await database.sql('ALTER TABLE ccv.verifier_results DROP CONSTRAINT IF EXISTS verifier_results_verdict_check');
  await database.sql(`UPDATE ccv.verifier_results SET verdict = 99, verdict_block = 1 WHERE message_id = $1`, [
    Buffer.from(bad!.slice(2), 'hex'),
  ]);
  const asked = [bad!, ...good].map((id) => storage.getCCVData(id));
  const [failed, ...answered] = await Promise.allSettled(asked);
  expect(failed).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('99') } });
  expect(answered.every(({ status }) => status === 'fulfilled')).toBe(true);
});

test('an id without records and one that is wrong are told to those who asked, and the others get theirs', async () => {
  const make = createRecordMaker(63);
  const [result] = make.results(1);
  await storage.insertBatch({ verifierResults: [result!] });
  const [found, unknown, wrong] = await Promise.allSettled([
    storage.getCCVData(result!.messageId),
    storage.getCCVData(make.hex(32)),
    storage.getCCVData('0x12'),
  ]);
  expect(found.status).toBe('fulfilled');
  expect(unknown).toMatchObject({ status: 'rejected', reason: expect.any(CCVDataNotFoundError) });
  expect(wrong).toMatchObject({ status: 'rejected', reason: { code: 'INVALID_ARGUMENT' } });
});

test('connections that are cut under many lookups are not seen by those who ask', async () => {
  const make = createRecordMaker(64);
  const results = make.results(50);
  await storage.insertBatch({ verifierResults: results });
  for (let round = 0; round < 4; round += 1) {
    const asked = results.map(({ messageId }) => storage.getCCVData(messageId));
    await database.sql(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    const found = await Promise.all(asked);
    expect(found.map(([each]) => each?.messageId)).toEqual(results.map(({ messageId }) => messageId));
  }
});
