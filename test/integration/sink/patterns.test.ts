import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { alwaysRead, neverRead, olderRead, recentRead, timeRangeRead } from '../../../src/model/read-conditions.js';
import { createSimpleSink, createSink, type Sink } from '../../../src/sink/sink.js';
import { createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { createDirectoryObjectStore } from '../../../src/storage/cold/object-store/directory/directory-store.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { everything, plain } from '../../contract/subject.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker, type RecordMaker } from '../../support/records.js';
import { createFaultyStorage } from '../../support/sink/faulty-storage.js';
import { changesOf } from '../../support/sink/sink-model.js';

/** The arrangements that the storage document describes, each on real databases. */
describe('patterns', () => {
  const common = createCommon();
  let first: TestDatabase;
  let second: TestDatabase;
  let make: RecordMaker;
  const open: Sink[] = [];

  beforeEach(async () => {
    [first, second] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    make = createRecordMaker(99);
  });
  afterEach(async () => {
    for (const sink of open.splice(0)) await sink.close();
    await Promise.all([first.drop(), second.drop()]);
  });

  const postgres = (name: string, database: TestDatabase) =>
    createPostgresStorage({ name, connection: database.connection, common });
  const memory = (name: string, maxSize = 0) =>
    createMemoryStorage({ name, maxSize, cleanupIntervalMs: 5, maxStalenessMs: 60_000, common });
  function using(sink: Sink): Sink {
    open.push(sink);
    return sink;
  }

  /** Some of everything that a store goes through. */
  async function live(sink: Storage, rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round += 1) {
      const [a, b] = [make.message(), make.message()];
      await sink.insertBatch({ messages: [a, b], verifierResults: [make.result(a), make.result(b)] });
      await sink.insertBatch({ orphanings: [{ messageId: a.messageId, blockHash: a.origin!.blockHash }] });
      await sink.insertBatch({ statuses: [{ messageId: b.messageId, status: 'success' }] });
      if (round % 2 === 0) await sink.insertBatch({ messages: [{ ...a, origin: make.origin(7n) }] });
    }
  }

  const sameChanges = async (a: Storage, b: Storage): Promise<boolean> =>
    JSON.stringify(await changesOf(a).catch(() => null), jsonable) ===
    JSON.stringify(await changesOf(b).catch(() => null), jsonable);
  const jsonable = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);

  test('hot, warm and cold: each answers its times, the answer is that of one store', async () => {
    const [warm, cold] = [postgres('warm', first), postgres('cold', second)];
    const whole = createSink({ backends: [{ storage: warm }, { storage: cold, required: false }], common });
    await live(whole, 8);
    await eventually('cold has all', async () => await sameChanges(warm, cold));
    const expected = await everything(warm);
    const times = (await warm.queryMessages({})).items.map(({ ingestionMs }) => ingestionMs);
    await whole.close();

    const splitMs = times[Math.floor(times.length / 3)]!;
    const hot = memory('hot', 8);
    const warmAgain = postgres('warm', first);
    const sink = using(
      createSink({
        backends: [
          { storage: hot, condition: recentRead(24 * 3_600_000) },
          { storage: warmAgain, condition: timeRangeRead(splitMs) },
          {
            storage: postgres('cold', second),
            condition: timeRangeRead(null, splitMs - 1),
            required: false,
            tier: 'cold',
          },
        ],
        maxStalenessMs: 60_000,
        common,
      }),
    );
    await sink.started();
    await eventually('every tier is current', async () =>
      (await sink.status()).every(({ state }) => state === null || state === 'current'),
    );
    await eventually('memory evicted down to its size', () => hot.coverage().afterMs > splitMs);
    expect(sink.explain({}).slices.map(({ backend }) => backend)).toEqual(['cold', 'warm', 'hot']);
    expect(await everything(sink)).toEqual(expected);
    await live(sink, 2);
    expect(await everything(sink)).toEqual(await everything(warmAgain));
  });

  test('cache beside a database: the cache answers what it is complete for, the database the rest', async () => {
    const database = postgres('database', first);
    const cache = memory('cache', 6);
    const sink = using(createSimpleSink([cache, database], common));
    await live(sink, 6);
    await eventually('the cache evicted', () => cache.coverage().afterMs > 0);
    // a busy machine lets the cache wait for news
    const planned = () => sink.explain({}).slices.map(({ backend }) => backend);
    await eventually('both are in the plan', () => planned().join() === 'database,cache' || planned());
    expect(await everything(sink)).toEqual(await everything(database));
    const latest = (await database.queryMessages({ limit: 100 })).items.at(-1)!;
    const reads = () => sink.explain({ startMs: latest.ingestionMs }).slices.map(({ backend }) => backend);
    expect(reads()).toEqual(['cache']);
  });

  test('backup: written, never read, repaired after it failed', async () => {
    const primary = createFaultyStorage(postgres('primary', first));
    const backup = createFaultyStorage(postgres('backup', second));
    const sink = using(
      createSink({
        backends: [{ storage: primary.storage }, { storage: backup.storage, condition: neverRead(), required: false }],
        retry: { baseMs: 2, maxMs: 20 },
        common,
      }),
    );
    await live(sink, 2);
    backup.fail(['apply', 'changesAfter']);
    await live(sink, 2);
    // nobody waits for it, so it may still be busy with what came before
    await eventually('the backup is repaired', async () => (await sink.status())[1]?.repairing === true);
    expect((await sink.status())[1]).toMatchObject({ name: 'backup', repairing: true });
    backup.heal();
    await live(sink, 1);
    await eventually('the backup is whole', async () => await sameChanges(primary.storage, backup.storage));
    await everything(sink);
    for (const read of ['getCCVData', 'getMessage', 'list', 'count'] as const) expect(backup.calls(read)).toBe(0);
    primary.fail(['list']);
    await expect(sink.queryMessages({})).rejects.toMatchObject({
      name: 'CoverageGapError',
      cause: { name: 'StorageUnavailableError' },
    });
  });

  test('migration: dual write, the new one fails and is healed by following, swapped; reads unchanged throughout', async () => {
    const before = createSimpleSink([postgres('old', first)], common);
    await live(before, 5);
    const truth = await everything(before);
    await before.close();

    // 1: the old one leads and is read, the new one is filled from the beginning beside it
    const old = postgres('old', first);
    const next = createFaultyStorage(postgres('new', second));
    const dual = createSink({
      backends: [
        { storage: old, condition: alwaysRead() },
        { storage: next.storage, condition: neverRead(), required: false },
      ],
      pageSize: 4,
      retry: { baseMs: 2, maxMs: 20 },
      common,
    });
    expect(await everything(dual)).toEqual(truth);
    await live(dual, 2);
    next.fail(['apply']);
    await live(dual, 2);
    const during = await everything(dual);
    expect((await dual.status())[1]).toMatchObject({ repairing: true });
    next.heal();
    await eventually('the new one caught up', async () => (await dual.status())[1]?.lag?.positions === '0');
    await eventually('the new one is whole', async () => await sameChanges(old, next.storage));
    expect(await everything(dual)).toEqual(during);
    await dual.close();

    // 2: swapped by configuration
    const [newAgain, oldAgain] = [postgres('new', second), postgres('old', first)];
    const swapped = using(
      createSink({
        backends: [{ storage: newAgain }, { storage: oldAgain, condition: neverRead(), required: false }],
        common,
      }),
    );
    expect(await everything(swapped)).toEqual(during);
    await live(swapped, 2);
    await eventually('the old one follows', async () => await sameChanges(newAgain, oldAgain));
    expect(await everything(swapped)).toEqual(await everything(oldAgain));
  });

  test('swapped before the new one had caught up: writes are refused, nothing gets the same position twice', async () => {
    const before = createSimpleSink([postgres('old', first)], common);
    await live(before, 2);
    await before.close();
    const next = postgres('new', second);
    const swapped = using(
      createSink({
        backends: [{ storage: next }, { storage: postgres('old', first), condition: neverRead(), required: false }],
        common,
      }),
    );
    await expect(swapped.insertBatch({ messages: [make.message()] })).rejects.toMatchObject({
      name: 'FollowerAheadError',
      retryable: false,
      details: { follower: 'old', leader: 'new', headPosition: '0' },
    });
    expect((await next.changesAfter(0n)).headPosition).toBe(0n);
    await expect(swapped.queryMessages({})).rejects.toMatchObject({ remedy: expect.stringContaining('first') });
  });

  test('a database that follows does not start over when the process does', async () => {
    const sink = createSink({
      backends: [
        { storage: postgres('primary', first) },
        { storage: postgres('backup', second), condition: neverRead() },
      ],
      common,
    });
    await live(sink, 3);
    const { headPosition } = await sink.changesAfter(0n);
    await sink.close();
    const primary = createFaultyStorage(postgres('primary', first));
    const asked: unknown[] = [];
    primary.before('changesAfter', (afterPosition) => void asked.push(afterPosition));
    const again = using(
      createSink({
        backends: [{ storage: primary.storage }, { storage: postgres('backup', second), condition: neverRead() }],
        common,
      }),
    );
    await again.started();
    // one change further back only to compare what both hold
    expect(asked[0]).toBe(headPosition - 1n);
    expect(asked[1]).toBe(headPosition);
  });

  test('a backend that was never read by configuration is not a way to read', async () => {
    expect(() => createSink({ backends: [{ storage: memory('only'), condition: neverRead() }] })).toThrowError(
      /every backend is never read/,
    );
    const twice = () => createSink({ backends: [{ storage: memory('same') }, { storage: memory('same') }] });
    expect(twice).toThrowError(/two backends are called same/);
    expect(() => createSink({ backends: [] })).toThrowError(/at least one backend/);
  });

  test('a cold tier that was made to lead does not follow a database', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'ccv-two-leaders-'));
    const store = createDirectoryObjectStore({ directory, common });
    const cold = createColdStorage({ name: 'cold', store, namespace: 'ccv', role: 'leader', common });
    const warm = postgres('warm', first);
    const both = () => createSink({ backends: [{ storage: warm }, { storage: cold, tier: 'cold' }], common });
    expect(both).toThrowError(/cold was made to lead, and cannot follow warm: give it the role 'follower'/);
    await Promise.all([cold.close(), warm.close()]);
    await rm(directory, { recursive: true });
  });

  test('old records only in the archive, new ones only in memory: what nobody covers is an error, not less', async () => {
    const leader = postgres('leader', first);
    const sink = using(
      createSink({
        backends: [
          { storage: memory('hot', 4), condition: recentRead(3_600_000) },
          { storage: leader, condition: olderRead(3_600_000) },
        ],
        common,
      }),
    );
    await live(sink, 4);
    await eventually('memory evicted', async () => (await sink.status())[0]!.coverage.afterMs > 0);
    const gap = sink.queryMessages({});
    await expect(gap).rejects.toMatchObject({ name: 'CoverageGapError', gap: { kind: 'time' }, retryable: true });
    expect(plain(sink.explain({}).slices.map(({ backend }) => backend))).toEqual(['leader', null, 'hot']);
    expect(sink.coverage().afterMs).toBeGreaterThan(0);
  });
});
