import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import type { StoredVerifierResult } from '../../../src/model/records.js';
import { restore } from '../../../src/sink/restore/restore.js';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import { type ColdStorage, createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../../src/storage/recall-from.js';
import { eventually } from '../../support/eventually.js';
import { dumpDatabase } from '../../support/postgres/database-dump.js';
import { copyDatabase, createTestDatabase, failOver, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { createTestDirectoryStore } from '../../support/s3/object-store.js';
import { liveEventfully } from '../../support/sink/eventful-life.js';

const common = createCommon();
let cleanups: (() => Promise<unknown>)[];
beforeEach(() => {
  cleanups = [];
});
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** As a worker has them, or, as a reader, an API replica. */
function openSink(
  warm: TestDatabase,
  store: ObjectStore,
  role: 'follower' | 'reader',
): { sink: Sink; cold: ColdStorage } {
  const cold = createColdStorage({ name: 'cold', store, namespace: 'ccv', role, common });
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
  const early = openSink(primary, store, 'follower');
  await early.sink.started();
  const [old] = await liveEventfully(early.sink, make, 3);
  await early.sink.close();
  const replica = await copyDatabase(primary);
  cleanups.push(() => replica.drop());
  const late = openSink(primary, store, 'follower');
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

describe.each(['follower', 'reader'] as const)(
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
      if (role === 'follower')
        await expect(sink.insertBatch({ messages: [old] })).rejects.toMatchObject({ code: 'FOLLOWER_AHEAD' });
    });
  },
);

describe('a database without the last commits', () => {
  test('promise 3: is not believed by reads that come before anybody was asked where it stands', async () => {
    const { store, replica, make } = await failedOver((sink, maker) =>
      sink.insertBatch({ messages: [maker.message()] }),
    );
    const unknown = make.message().messageId;
    const reads = [
      (sink: Sink) => sink.getCCVData(unknown),
      (sink: Sink) => sink.getMessage(unknown),
      (sink: Sink) => sink.queryMessages({}),
      (sink: Sink) => sink.countCCVData({}),
      (sink: Sink) => sink.changesAfter(0n),
    ];
    const { sink } = openSink(replica, store, 'reader');
    const answers = await Promise.allSettled(reads.map((read) => read(sink)));
    for (const answer of answers) expect(answer).toMatchObject({ status: 'rejected', reason: gap });
  });

  test.each([1, 3, 30])('that wrote %i other commits has diverged, which the next worker finds', async (commits) => {
    const { store, replica } = await failedOver(async (sink, maker) => {
      const [a] = await liveEventfully(sink, maker, 1);
      await sink.insertBatch({ verifierResults: [maker.result(a!)] });
    });
    const stale = createPostgresStorage({ name: 'stale', connection: replica.connection, common });
    const make = createRecordMaker(71);
    for (let commit = 0; commit < commits; commit += 1) await stale.insertBatch({ messages: [make.message()] });
    await stale.close();
    const { sink } = openSink(replica, store, 'follower');
    await expect(sink.insertBatch({ messages: [make.message()] })).rejects.toMatchObject({
      code: 'DIVERGED',
      message: expect.stringContaining("run 'ccv-indexer storage restore'"),
    });
  });
});

describe('a database that is set back under running processes', () => {
  /** A worker and a replica that hold commits which the database is about to lose. */
  async function running() {
    const { store, remove } = await createTestDirectoryStore();
    cleanups.push(remove);
    const primary = await createTestDatabase();
    cleanups.push(() => primary.drop());
    const make = createRecordMaker(9);
    const early = openSink(primary, store, 'follower');
    await early.sink.started();
    await early.sink.insertBatch({ messages: [make.message(), make.message()] });
    await early.sink.close();
    const replica = await copyDatabase(primary);
    cleanups.push(() => replica.drop());
    const worker = openSink(primary, store, 'follower');
    const api = openSink(primary, store, 'reader');
    await Promise.all([worker.sink.started(), api.sink.started()]);
    const lost = make.message();
    await worker.sink.insertBatch({ messages: [lost], verifierResults: [make.result(lost)] });
    const { throughPosition } = worker.sink.coverage();
    for (const { sink, cold } of [worker, api]) {
      await eventually('it is shown', async () => {
        return (await sink.getMessage(lost.messageId).catch(() => null)) !== null;
      });
      await eventually('the cold tier was given it', () => cold.appliedPosition() === throughPosition);
    }
    return { worker, api, primary, replica, make, lost, store };
  }

  test('promise 6: no position is given twice, and promise 3: nothing lost is denied, until it is restored', async () => {
    const { worker, api, primary, replica, make, lost, store } = await running();
    await failOver(primary, replica);
    const dump = await dumpDatabase(primary);
    const batch = { messages: [make.message()] };
    await expect(worker.sink.insertBatch(batch)).rejects.toThrow();
    await eventually('it is known', async () => {
      const failure = await worker.sink.insertBatch(batch).catch((error: unknown) => error);
      return (failure as { code?: string }).code === 'FOLLOWER_AHEAD';
    });
    expect(await dumpDatabase(primary)).toEqual(dump);
    for (const { sink } of [worker, api]) {
      await eventually('it is known', async () => (await sink.status())[2]?.lastError?.code === 'FOLLOWER_AHEAD');
      for (const id of [lost.messageId, make.message().messageId] as const) {
        const failure = await sink.getCCVData(id).catch((error: unknown) => error);
        expect(failure).toMatchObject({ name: 'CoverageGapError' });
      }
      await expect(sink.queryMessages({})).rejects.toMatchObject({ name: 'CoverageGapError' });
      await expect(sink.countCCVData({})).rejects.toMatchObject({ name: 'CoverageGapError' });
    }

    await worker.sink.close();
    const source = createColdStorage({ name: 'cold', store, namespace: 'ccv', role: 'leader', common });
    const target = createPostgresStorage({ name: 'warm', connection: primary.connection, common });
    const inspect = async () => ({ hasOwnHistory: true, sample: [] });
    await restore({ source, target, common, inspect });
    await source.close();
    await target.close();
    await eventually('the replica goes on by itself', async () => {
      const page = await api.sink.queryMessages({}).catch(() => null);
      return page?.items.some(({ messageId }) => messageId === lost.messageId) === true;
    });
    expect(await api.sink.getCCVData(lost.messageId)).toHaveLength(1);
  });

  test('is followed anew by a second database, and itself follows anew', async () => {
    const [first, second] = [await createTestDatabase(), await createTestDatabase()];
    cleanups.push(
      () => first.drop(),
      () => second.drop(),
    );
    const older = await copyDatabase(second);
    cleanups.push(() => older.drop());
    const open = (name: string, { connection }: TestDatabase) => createPostgresStorage({ name, connection, common });
    const backends = [{ storage: open('leader', first) }, { storage: open('backup', second), required: false }];
    const sink = createSink({ backends, common, retry: { baseMs: 2, maxMs: 20 } });
    cleanups.push(() => sink.close());
    const make = createRecordMaker(11);
    await sink.insertBatch({ messages: [make.message(), make.message()] });
    await eventually('the backup holds it', async () => (await sink.status())[1]?.state === 'current');
    await failOver(second, older);
    await sink.insertBatch({ messages: [make.message()] });
    await eventually('the backup holds everything again', async () => {
      const { rows } = await second.sql('SELECT count(*)::int AS n FROM ccv.messages').catch(() => ({ rows: [] }));
      return rows[0]?.n === 3;
    });
    expect((await sink.queryMessages({})).items).toHaveLength(3);
  });

  test('goes on with what is left where nobody holds what is lost, and gives each position once from there', async () => {
    const primary = await createTestDatabase();
    cleanups.push(() => primary.drop());
    const replica = await copyDatabase(primary);
    cleanups.push(() => replica.drop());
    const storage = createPostgresStorage({ name: 'warm', connection: primary.connection, common });
    const sink = createSink({
      backends: [{ storage: createMemoryStorage({ name: 'hot', common }) }, { storage }],
      common,
    });
    cleanups.push(() => sink.close());
    const make = createRecordMaker(10);
    const message = make.message();
    await sink.insertBatch({ messages: [message] });
    await failOver(primary, replica);
    await eventually('it is written again', async () => {
      const outcome = await sink.insertBatch({ messages: [message] }).catch(() => null);
      return outcome?.messages[0] === 'inserted';
    });
    await eventually('memory and database agree', async () => {
      const page = await sink.queryMessages({}).catch(() => null);
      return page?.items.length === 1 && (await sink.status()).every(({ lastError }) => lastError === null);
    });
  });

  test('promises 7 and 9: is noticed also when others have written more than was lost before it is seen again', async () => {
    const { api, worker, primary, replica, make, lost } = await running();
    const other = createPostgresStorage({ name: 'other', connection: replica.connection, common });
    const written = [make.message(), make.message(), make.message(), make.message()];
    for (const message of written) await other.insertBatch({ messages: [message] });
    await other.close();
    await failOver(primary, replica);
    await eventually('memory holds the history that is left', async () => {
      const page = await api.sink.queryMessages({}).catch(() => null);
      const ids = page?.items.map(({ messageId }) => messageId) ?? [];
      return !ids.includes(lost.messageId) && written.every(({ messageId }) => ids.includes(messageId));
    });
    await eventually(
      'the worker has noticed',
      async () => (await worker.sink.status())[2]?.lastError?.code === 'DIVERGED',
    );
    const late = { messages: [make.message()] };
    await expect(worker.sink.insertBatch(late)).rejects.toMatchObject({ code: 'DIVERGED' });
  });
});
