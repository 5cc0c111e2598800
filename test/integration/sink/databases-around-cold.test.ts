import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { IndexerError } from '../../../src/core/errors.js';
import { neverRead } from '../../../src/model/read-conditions.js';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import type { SinkOptions } from '../../../src/sink/sink-options.js';
import { type ColdStorage, createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import type { ColdStorageOptions } from '../../../src/storage/cold/namespace/cold-storage-options.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../../src/storage/recall-from.js';
import type { Storage } from '../../../src/storage/storage.js';
import { everything } from '../../contract/subject.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { startPostgresProxy } from '../../support/postgres/proxy.js';
import { createRecordMaker, type RecordMaker } from '../../support/records.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';

/** Arrangements of databases around one cold tier: what operators do with them over years. */
describe('tiers around a cold one', () => {
  const common = createCommon();
  let first: TestDatabase;
  let second: TestDatabase;
  let objects: TestDirectoryStore;
  let make: RecordMaker;
  let open: Sink[];

  beforeEach(async () => {
    [first, second] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    objects = await createTestDirectoryStore();
    make = createRecordMaker(31);
    open = [];
  });
  afterEach(async () => {
    for (const sink of open) await sink.close();
    await Promise.all([first.drop(), second.drop(), objects.remove()]);
  });

  const openCold = (options: Partial<ColdStorageOptions> = {}) =>
    createColdStorage({
      ...{ name: 'cold', store: objects.store, namespace: 'ccv', role: 'follower', common, takeoverMs: 0 },
      ...{ flushIntervalMs: 3_600_000, refreshIntervalMs: 0, ...options },
    });
  const postgres = (name: string, database: TestDatabase, cold: ColdStorage): PostgresStorage =>
    createPostgresStorage({ name, connection: database.connection, common, recall: recallFrom(cold) });
  async function sinkOf(backends: SinkOptions['backends'], options: Partial<SinkOptions> = {}): Promise<Sink> {
    const sink = createSink({ backends, common, retry: { baseMs: 1, maxMs: 20 }, ...options });
    open.push(sink);
    await sink.started();
    return sink;
  }
  async function closeAll(): Promise<void> {
    for (const sink of open.splice(0)) await sink.close();
  }

  /** Some of everything that a store goes through; what is said to be done stays. */
  async function live(sink: Storage, rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round += 1) {
      const [a, b, c] = [make.message(), make.message(), make.message()];
      const results = [make.result(a), make.result(b), make.result(c)];
      await sink.insertBatch({ messages: [a, b, c], verifierResults: results });
      await sink.insertBatch({ orphanings: [{ messageId: a.messageId, blockHash: a.origin!.blockHash }] });
      await sink.insertBatch({ statuses: [{ messageId: b.messageId, status: 'success' }] });
      await sink.insertBatch({ verifierResults: [make.result(b, 1)] });
      if (round % 2 === 0) await sink.insertBatch({ messages: [{ ...a, origin: make.origin(7n) }] });
      if (round % 3 === 0) await sink.insertBatch({ verifierResults: [{ ...results[1]!, ccvData: make.bytes(9) }] });
    }
  }
  const pruneTo = async (warm: PostgresStorage, cold: Storage) => {
    const { throughMs, throughPosition } = cold.coverage();
    return await warm.prune({ ingestionMs: throughMs, position: throughPosition }, { dutyCycle: 1 });
  };
  const jsonable = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
  const state = async (read: Promise<unknown>): Promise<object> => JSON.parse(JSON.stringify(await read, jsonable));

  test.each([3, 1_000])(
    'a new database follows a pruned one to the end, leads, is pruned itself, and nothing differs (pages of %i)',
    async (pageSize) => {
      const options = { pageSize, maxStalenessMs: 50 };
      const cold = openCold();
      const old = postgres('old', first, cold);
      const before = await sinkOf([{ storage: old }, { storage: cold, tier: 'cold' }], options);
      await live(before, 12);
      await eventually('all is buffered', () => cold.appliedPosition() === old.coverage().throughPosition);
      await cold.flush();
      await pruneTo(old, cold);
      expect(old.coverage().afterPosition).toBeGreaterThan(0n);
      await live(before, 5);
      await closeAll();

      // step 1: dual write
      const cold1 = openCold();
      const [old1, new1] = [postgres('old', first, cold1), postgres('new', second, cold1)];
      const dual = await sinkOf(
        [
          { storage: old1 },
          { storage: new1, required: false, condition: neverRead() },
          { storage: cold1, tier: 'cold' },
        ],
        options,
      );
      await live(dual, 2);
      await eventually(
        'the new one has all',
        () => new1.coverage().throughPosition === old1.coverage().throughPosition,
      );
      expect(await state(everything(new1))).toEqual(await state(everything(dual)));
      expect(new1.coverage()).toMatchObject({ afterMs: -1, afterPosition: 0n });
      await live(dual, 3);
      await eventually('the new one has it', () => new1.coverage().throughPosition === old1.coverage().throughPosition);
      await closeAll();

      // step 2: swapped, cold stands behind both
      const cold2 = openCold();
      const [old2, new2] = [postgres('old', first, cold2), postgres('new', second, cold2)];
      const swapped = await sinkOf(
        [
          { storage: new2 },
          { storage: old2, required: false, condition: neverRead() },
          { storage: cold2, tier: 'cold' },
        ],
        options,
      );
      await live(swapped, 4);
      const truth = await state(everything(new2));
      expect(await state(everything(swapped))).toEqual(truth);
      await eventually(
        'the old one has all',
        () => old2.coverage().throughPosition === new2.coverage().throughPosition,
      );
      await eventually('cold has all', () => cold2.appliedPosition() === new2.coverage().throughPosition);
      await cold2.flush();
      await pruneTo(new2, cold2);
      await pruneTo(old2, cold2);
      expect(new2.coverage().afterPosition).toBeGreaterThan(0n);
      expect(await state(everything(swapped))).toEqual(truth);
      await live(swapped, 3);
      await cold2.flush();
      const after = await state(everything(swapped));
      await closeAll();
      const alone = openCold({ role: 'leader' });
      expect(await state(everything(alone))).toEqual(after);
      await alone.close();
    },
  );

  test('a process that cannot reach its database does not list from the cold tier what has left the lists since', async () => {
    const cold = openCold();
    const warm = postgres('warm', first, cold);
    const writer = await sinkOf([{ storage: warm }, { storage: cold, tier: 'cold' }]);
    const [a, b] = [make.message(), make.message()];
    await writer.insertBatch({ messages: [a, b] });
    await writer.insertBatch({ messages: [make.message()] });
    await eventually('all is buffered', () => cold.appliedPosition() === warm.coverage().throughPosition);
    await cold.flush();
    const endMs = cold.coverage().throughMs;

    const proxy = await startPostgresProxy(first.tcp);
    const readerCold = openCold({ role: 'reader' });
    const readerWarm = createPostgresStorage({
      ...{ name: 'warm', connection: proxy.tcp, common, recall: recallFrom(readerCold) },
    });
    const reader = await sinkOf([{ storage: readerWarm }, { storage: readerCold, tier: 'cold' }]);
    await eventually('cold is looked at', () => readerCold.coverage().throughPosition === 3n);
    expect((await reader.queryMessages({ endMs })).items).toHaveLength(3);
    await proxy.shut();
    await writer.insertBatch({ orphanings: [{ messageId: a.messageId, blockHash: a.origin!.blockHash }] });
    await writer.insertBatch({ statuses: [{ messageId: b.messageId, status: 'success' }] });
    try {
      const codeOf = (thrown: unknown) => (thrown instanceof IndexerError ? thrown.code : thrown);
      const refused = async () => await reader.countMessages({ endMs }).then(String, codeOf);
      await eventually('what it knows is too old', async () => (await refused()) === 'COVERAGE_GAP');
      await expect(reader.queryMessages({ endMs })).rejects.toMatchObject({ code: 'COVERAGE_GAP' });
      await expect(reader.queryCCVData({ endMs })).rejects.toMatchObject({ code: 'COVERAGE_GAP' });
    } finally {
      await proxy.open();
      await eventually(
        'answers are right again',
        async () => (await reader.countMessages({ endMs }).catch(() => ({ count: -1 }))).count === 2,
      );
      await closeAll();
      await proxy.close();
    }
  });

  test('a database that leads and is never read still helps the cold tier with old ids', async () => {
    const cold = openCold();
    const warm = postgres('warm', first, cold);
    const hot = createMemoryStorage({ name: 'hot', maxSize: 2, cleanupIntervalMs: 1, common });
    const sink = await sinkOf([
      { storage: hot },
      { storage: warm, condition: neverRead() },
      { storage: cold, tier: 'cold' },
    ]);
    const messages = Array.from({ length: 12 }, () => make.message());
    for (const message of messages)
      await sink.insertBatch({ messages: [message], verifierResults: [make.result(message)] });
    await eventually('all is buffered', () => cold.appliedPosition() === warm.coverage().throughPosition);
    await cold.flush();
    await eventually('memory has evicted', () => hot.coverage().afterMs > 0);
    expect((await sink.countMessages({})).count).toBe(12);
    expect(await sink.getMessage(messages[0]!.messageId)).toMatchObject({ messageId: messages[0]!.messageId });
    expect(await sink.getCCVData(messages[0]!.messageId)).toHaveLength(1);
  });

  test('a change of what another process has pruned is not refused because the cold tier was looked at a while ago', async () => {
    const [mine, theirs] = [openCold({ refreshIntervalMs: 3_600_000 }), openCold()];
    const [warm, pruned] = [postgres('warm', first, mine), postgres('warm', first, theirs)];
    await mine.ready();
    const result = make.results(1)[0]!;
    const writer = await sinkOf([{ storage: pruned }, { storage: theirs, tier: 'cold' }]);
    await writer.insertBatch({ verifierResults: [result] });
    await eventually('all is buffered', () => theirs.appliedPosition() === 1n);
    await theirs.flush();
    await pruneTo(pruned, theirs);
    expect(mine.coverage().throughPosition).toBe(0n);
    const outcome = await warm.insertBatch({ verifierResults: [{ ...result, ccvData: make.bytes(9) }] });
    expect(outcome.verifierResults).toEqual(['conflict']);
    await warm.close();
    await mine.close();
  });
});
