import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { neverRead, recentRead } from '../../../src/model/read-conditions.js';
import { createSink } from '../../../src/sink/sink.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { everything, plain } from '../../contract/subject.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { createFaultyStorage } from '../../support/sink/faulty-storage.js';
import { changesOf, SinkSimulation } from '../../support/sink/sink-model.js';
import { openTiers } from '../../support/sink/sink-tiers.js';

/** Several processes over one database, each with a memory of its own. */
describe('several Sinks over one database', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => await database.drop());

  test('writers of both see their own writes at once, and both memories end up as the database', async () => {
    const [a, b] = [await openTiers({ database }), await openTiers({ database })];
    const makers = [createRecordMaker(1), createRecordMaker(2)];
    await Promise.all(
      [a, b, a, b].map(async ({ sink }, writer) => {
        const make = makers[writer % 2]!;
        for (let i = 0; i < 15; i += 1) {
          const message = make.message();
          const { committed } = await sink.insertBatch({
            messages: [message],
            verifierResults: [make.result(message)],
          });
          const { ingestionMs } = committed!;
          expect(await sink.getCCVData(message.messageId)).toHaveLength(1);
          const page = await sink.queryMessages({ startMs: ingestionMs });
          expect(page.items.map(({ messageId }) => messageId)).toContain(message.messageId);
          expect((await sink.queryCCVData({ startMs: ingestionMs, endMs: ingestionMs })).items).not.toEqual([]);
        }
      }),
    );
    for (const { hot, warm, sink } of [a, b]) {
      await eventually('memory holds all', () => hot.storage.coverage().throughPosition === 120n);
      expect(await everything(hot.storage)).toEqual(await everything(warm.storage));
      expect(await everything(sink)).toEqual(await everything(warm.storage));
    }
    await Promise.all([a.close(), b.close()]);
  });

  test('a reader that polls the one by time while the other writes misses nothing', async () => {
    const [writer, reader] = [await openTiers({ database }), await openTiers({ database })];
    const make = createRecordMaker(3);
    let writing = true;
    const done = Promise.all(
      [0, 1, 2].map(async () => {
        for (let i = 0; i < 25; i += 1) await writer.sink.insertBatch({ verifierResults: make.results(3) });
      }),
    ).finally(() => {
      writing = false;
    });
    const seen: string[] = [];
    let startMs = 0;
    let position = -1n;
    for (let last = false; !last; ) {
      last = !writing && reader.hot.storage.coverage().throughPosition === 225n;
      const { items, asOf } = await reader.sink.queryCCVData({ startMs, limit: 1_000 });
      seen.push(...items.map(({ messageId }) => messageId));
      startMs = (items.at(-1)?.ingestionMs ?? startMs - 1) + 1;
      expect(asOf.position).toBeGreaterThanOrEqual(position);
      position = asOf.position;
      await delay(0);
    }
    await done;
    const { items } = await writer.warm.storage.queryCCVData({ limit: 1_000 });
    expect(seen).toEqual(items.map(({ messageId }) => messageId));
    await Promise.all([writer.close(), reader.close()]);
  });

  test('whoever names a time that another process has shown gets all up to it, also from a memory that has not heard', async () => {
    const late = { maxStalenessMs: 600_000, heartbeatMs: 600_000 };
    const [writer, reader] = [await openTiers({ database }), await openTiers({ database, options: late })];
    const make = createRecordMaker(6);
    await writer.sink.insertBatch({ verifierResults: make.results(2) });
    await eventually('memory is warm', () => reader.hot.storage.coverage().throughPosition === 2n);
    const release = reader.warm.hold('changesAfter');
    const { committed } = await writer.sink.insertBatch({ verifierResults: make.results(1) });
    const { ingestionMs: endMs } = committed!;
    expect(reader.hot.storage.coverage().throughMs).toBe(Number.POSITIVE_INFINITY);
    expect((await reader.sink.queryCCVData({ endMs })).items).toHaveLength(3);
    expect((await reader.sink.countCCVData({ endMs })).count).toBe(3);
    release();
    await Promise.all([writer.close(), reader.close()]);
  });

  test('a memory that another process has to tell of is current again without asking for long', async () => {
    const [a, b] = [await openTiers({ database }), await openTiers({ database })];
    const make = createRecordMaker(4);
    const [result] = make.results(1);
    await a.sink.insertBatch({ verifierResults: [result!] });
    await eventually('it has come', () => b.hot.storage.coverage().throughPosition === 1n);
    expect(plain(await b.hot.storage.getCCVData(result!.messageId))).toEqual(
      plain(await a.sink.getCCVData(result!.messageId)),
    );
    await Promise.all([a.close(), b.close()]);
  });

  test.each([1, 2])('random work and failures over Postgres answer as one flat list would, seed %i', async (seed) => {
    const second = await createTestDatabase();
    const common = createCommon();
    const hot = createFaultyStorage(
      createMemoryStorage({ name: 'hot', maxSize: 20, cleanupIntervalMs: 2, maxStalenessMs: 60_000, common }),
    );
    const warm = createFaultyStorage(createPostgresStorage({ name: 'warm', connection: database.connection, common }));
    const next = createFaultyStorage(createPostgresStorage({ name: 'next', connection: second.connection, common }));
    const sink = createSink({
      backends: [
        { storage: hot.storage, ...(seed === 2 ? { condition: recentRead(30) } : {}) },
        { storage: next.storage, required: false, ...(seed === 1 ? { condition: neverRead() } : {}) },
        { storage: warm.storage },
      ],
      retry: { baseMs: 1, maxMs: 10 },
      pageSize: 7,
      common,
    });
    await sink.started();
    const simulation = new SinkSimulation(seed, { sink, warm, followers: [hot, next], pass: async () => undefined });
    await simulation.run(60);
    await simulation.compareAll();
    await simulation.compareAll(warm.storage);
    await eventually('the follower is whole', async () => {
      const [mine, theirs] = [await changesOf(next.storage).catch(() => []), await changesOf(warm.storage)];
      return mine.length === theirs.length;
    });
    expect(plain(await changesOf(next.storage))).toEqual(plain(await changesOf(warm.storage)));
    await sink.close();
    await second.drop();
  });
});
