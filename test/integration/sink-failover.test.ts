import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../src/core/common.js';
import type { Hex } from '../../src/core/hex.js';
import { createSink, type Sink } from '../../src/sink/sink.js';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.js';
import { createPostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../src/storage/recall.js';
import type { StoredVerifierResult } from '../../src/storage/records.js';
import type { ObjectStore } from '../../src/storage/s3/object-store.js';
import { createS3Storage, type S3Storage } from '../../src/storage/s3/s3-storage.js';
import { liveEventfully } from '../support/eventful-life.js';
import { eventually } from '../support/eventually.js';
import { createTestDirectoryStore } from '../support/object-store.js';
import { copyDatabase, createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { createRecordMaker } from '../support/records.js';

const common = createCommon();
let cleanups: (() => Promise<unknown>)[];
beforeEach(() => {
  cleanups = [];
});
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** As a worker has them, or, as a reader, an API replica. */
function openSink(warm: TestDatabase, store: ObjectStore, role: 'archive' | 'reader'): { sink: Sink; cold: S3Storage } {
  const cold = createS3Storage({ name: 'cold', store, namespace: 'ccv', role, common });
  const recall = recallFrom(cold);
  const storage = createPostgresStorage({ name: 'warm', connection: warm.connection, common, recall });
  const hot = createMemoryStorage({ name: 'hot', common });
  const sink = createSink({ backends: [{ storage: hot }, { storage }, { storage: cold, tier: 'cold' }], common });
  cleanups.push(() => sink.close());
  return { sink, cold };
}

/** A database that was set back: the last commits are in the cold tier alone. */
async function failedOver(lose: (sink: Sink, make: ReturnType<typeof createRecordMaker>) => Promise<unknown>) {
  const { store, remove } = await createTestDirectoryStore();
  cleanups.push(remove);
  const primary = await createTestDatabase();
  cleanups.push(() => primary.drop());
  const make = createRecordMaker(7);
  const early = openSink(primary, store, 'archive');
  await early.sink.started();
  const [old] = await liveEventfully(early.sink, make, 3);
  await early.sink.close();
  const replica = await copyDatabase(primary);
  cleanups.push(() => replica.drop());
  const late = openSink(primary, store, 'archive');
  await late.sink.started();
  await lose(late.sink, make);
  await eventually('the cold tier was given everything', () => {
    return late.cold.appliedPosition() === late.sink.coverage().throughPosition;
  });
  await late.cold.flush();
  const messages = (await late.sink.queryMessages({ limit: 1000 })).items;
  const results = (await late.sink.queryCCVData({ limit: 1000 })).items;
  const flushedMs = late.cold.coverage().throughMs;
  await late.sink.close();
  return { store, primary, replica, make, old: old!, truth: { messages, results, flushedMs } };
}

/** Bytes of one storage are those of another whatever holds them. */
const inOrder = (results: readonly StoredVerifierResult[]) =>
  results
    .map(({ ccvData, encodedMessage, ...others }) => ({
      ...others,
      ccvData: [...ccvData],
      sizeBytes: encodedMessage.length,
    }))
    .sort((a, b) => Number(a.position - b.position));

const gap = {
  name: 'CoverageGapError',
  retryable: true,
  remedy: expect.stringContaining('ccv-indexer storage restore'),
  message: expect.stringContaining('ccv-indexer storage restore'),
};

describe.each(['archive', 'reader'] as const)(
  'a database without the last commits beside a cold tier that has them (%s)',
  (role) => {
    test('promise 3: answers only for what is certain, by id, by time, by position and counted', async () => {
      let lost: Hex[] = [];
      const { store, replica, old, truth } = await failedOver(async (sink, make) => {
        const messages = await liveEventfully(sink, make, 2);
        lost = messages.map(({ messageId }) => messageId);
      });
      const { sink } = openSink(replica, store, role);
      await sink.started();
      await expect(sink.queryMessages({})).rejects.toMatchObject(gap);
      await expect(sink.queryCCVData({})).rejects.toMatchObject(gap);
      await expect(sink.countMessages({})).rejects.toMatchObject(gap);
      await expect(sink.countCCVData({})).rejects.toMatchObject(gap);
      await expect(sink.changesAfter(0n)).rejects.toMatchObject(gap);
      await expect(sink.queryUnfinishedMessages({ limit: 1 })).rejects.toMatchObject(gap);
      await expect(sink.listCursors()).rejects.toMatchObject(gap);
      await expect(sink.queryConflicts({ afterPosition: 0n, limit: 1 })).rejects.toMatchObject(gap);
      await expect(sink.getMessage(`0x${'00'.repeat(32)}`)).rejects.toMatchObject(gap);
      await expect(sink.getCCVData(`0x${'00'.repeat(32)}`)).rejects.toMatchObject(gap);
      for (const id of [...lost, old.messageId]) {
        const stored = truth.messages.find(({ messageId }) => messageId === id);
        if (stored) expect(await sink.getMessage(id)).toEqual(stored);
        const results = truth.results.filter(({ messageId }) => messageId === id);
        if (results.length > 0) expect(inOrder(await sink.getCCVData(id))).toEqual(inOrder(results));
      }
      const range = { endMs: truth.flushedMs, limit: 1000 };
      expect((await sink.queryMessages(range)).items).toEqual(truth.messages);
      expect(inOrder((await sink.queryCCVData(range)).items)).toEqual(inOrder(truth.results));
      expect((await sink.countMessages(range)).count).toBe(truth.messages.length);
      await expect(sink.queryMessages({ endMs: truth.flushedMs + 1 })).rejects.toMatchObject(gap);
      if (role === 'archive')
        await expect(sink.insertBatch({ messages: [old] })).rejects.toMatchObject({ code: 'FOLLOWER_AHEAD' });
    });
  },
);
