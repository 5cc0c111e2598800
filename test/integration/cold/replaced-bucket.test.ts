import { describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { createSink } from '../../../src/sink/sink.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../../src/storage/recall-from.js';
import { createMemoryObjectStore, MemoryBucket } from '../../simulation/process/memory-object-store.js';
import { openMaintained } from '../../support/cold/maintenance.js';
import { committed, createLife, createMortalStore, follow } from '../../support/cold/storage-life.js';
import { eventually } from '../../support/eventually.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createTestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { createLaggingStorage } from '../../support/sink/lagging-storage.js';
import { metricOf } from '../../support/sink/sink-tiers.js';

function newBucket() {
  const bucket = new MemoryBucket();
  return { bucket, store: createMemoryObjectStore(bucket, { nowMs: () => Date.now() }) };
}

const OPTIONS = { compactBytes: 1 << 20 };

describe('a bucket that is not what it was', () => {
  async function flushed() {
    const { bucket, store } = newBucket();
    const life = createLife(302);
    const archive = openMaintained(store, OPTIONS);
    await life.live(20);
    await follow(archive, life.origin);
    await archive.flush();
    const early = new Map(bucket.objects);
    await life.live(20);
    await follow(archive, life.origin);
    await archive.flush();
    // records that supersede nothing: a flush of them reads no file
    await life.origin.insertBatch({ messages: [life.make.message(), life.make.message()] });
    await follow(archive, life.origin);
    return { bucket, life, archive, early };
  }

  test('because it was emptied: nothing is committed on top of nothing, and the tier no longer says that it holds anything', async () => {
    const { bucket, archive } = await flushed();
    bucket.objects.clear();
    await expect(archive.flush()).rejects.toMatchObject({ name: 'StorageFailureError' });
    expect([...bucket.objects.keys()].filter((key) => key.endsWith('.json'))).toEqual([]);
    expect(archive.coverage().throughMs).toBe(-1);
    await archive.close().catch(() => undefined);
  });

  test('because it was set back: no gap is left in the log, which can be opened', async () => {
    const { bucket, archive, early } = await flushed();
    bucket.objects.clear();
    for (const [key, object] of early) bucket.objects.set(key, object);
    await expect(archive.flush()).rejects.toMatchObject({ name: 'StorageFailureError' });
    expect(archive.coverage().throughMs).toBe(-1);
    await archive.close().catch(() => undefined);
    expect(archive.coverage().throughMs).toBe(-1);
    await committed(createMemoryObjectStore(bucket, { nowMs: () => Date.now() }));
  });

  test.each([
    ['ledger', 'emptied', 'follower'],
    ['ledger', 'emptied', 'leader'],
    ['ledger', 'set back', 'follower'],
    ['messages', 'emptied', 'follower'],
    ['messages', 'set back', 'leader'],
    ['verifier_results', 'set back', 'follower'],
  ] as const)(
    'because its table %s alone was %s: no %s opens it, and none removes what it does not know',
    async (table, how, role) => {
      const { bucket, archive, early, life } = await flushed();
      await archive.flush();
      await archive.close();
      for (const key of [...bucket.objects.keys()])
        if (key.startsWith(`test/${table}/`) && (how === 'emptied' || !early.has(key))) bucket.objects.delete(key);
      const left = [...bucket.objects.keys()];
      const storage = openMaintained(createMemoryObjectStore(bucket, { nowMs: () => Date.now() }), { role });
      await expect(storage.ready()).rejects.toMatchObject({ name: 'StorageFailureError' });
      const writing =
        role === 'leader' ? storage.insertBatch({ messages: [life.make.message()] }) : follow(storage, life.origin);
      await expect(writing).rejects.toMatchObject({ name: 'StorageFailureError' });
      expect(storage.coverage().throughMs).toBe(-1);
      await storage.close();
      expect([...bucket.objects.keys()]).toEqual(left);
    },
  );

  test('is not what one is taken for that comes to exist while it is read', async () => {
    const { store } = newBucket();
    const life = createLife(308);
    // nothing but a cursor: no file shows that there is more
    await life.origin.insertBatch({ cursors: [{ sourceId: 's', height: 1n, hash: null, expectedHeight: null }] });
    const archive = openMaintained(store);
    let isFirst = true;
    const reading: ObjectStore = {
      ...createMortalStore(store),
      list: async (prefix, options) => {
        const page = await store.list(prefix, options);
        if (isFirst && prefix.startsWith('test/ledger/')) {
          isFirst = false;
          await follow(archive, life.origin);
          await archive.flush();
        }
        return page;
      },
    };
    const reader = openMaintained(reading);
    await reader.ready();
    expect(isFirst).toBe(false);
    expect(reader.coverage()).toEqual(archive.coverage());
    await reader.close();
    await archive.close();
  });

  test('because it was emptied under the only storage: it refuses writes within a minute, however often it is written to', async () => {
    const { bucket, store } = newBucket();
    const clock = createManualClock();
    const make = createRecordMaker(303);
    const sole = openMaintained(store, { role: 'leader', common: { clock } });
    await sole.insertBatch({ messages: [make.message()] });
    // what a write asks of files that were there is in memory
    await sole.heldMessage(make.message().messageId);
    bucket.objects.clear();
    let refusedAfterMs: number | null = null;
    for (let elapsedMs = 10_000; elapsedMs <= 120_000 && refusedAfterMs === null; elapsedMs += 10_000) {
      await clock.advance(10_000);
      const refused = await sole.insertBatch({ messages: [make.message()] }).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (refused === null) continue;
      expect(refused).toMatchObject({ name: 'StorageFailureError' });
      refusedAfterMs = elapsedMs;
    }
    expect(refusedAfterMs).toBe(60_000);
    expect(sole.coverage().throughMs).toBe(-1);
    await sole.close();
  });
});

test('a database is not pruned by what a bucket held that was emptied', async () => {
  const database = await createTestDatabase();
  const bucket = new MemoryBucket();
  const cold = createLaggingStorage('cold', bucket);
  const common = createCommon();
  const recall = recallFrom(cold.storage);
  const warm = createPostgresStorage({ name: 'warm', connection: database.connection, common, recall });
  const clock = createManualClock();
  const sink = createSink({
    backends: [
      { storage: warm, retentionMs: 1 },
      { storage: cold.storage, tier: 'cold' },
    ],
    common: { ...common, clock: { ...common.clock, sleep: clock.sleep, after: clock.after } },
    pruneIntervalMs: 1000,
  });
  await sink.started();
  await sink.insertBatch({ verifierResults: createRecordMaker(7).results(5) });
  await eventually('the cold tier has heard of everything', () => cold.storage.appliedPosition() === 5n);
  await cold.flush();
  bucket.objects.clear();
  await clock.advance(1000);
  const failures = async () => await metricOf(common, 'indexer_sink_prune_failures_total', { backend: 'warm' });
  await eventually('a round was given up', async () => ((await failures()) ?? 0) > 0);
  expect(warm.coverage().afterPosition).toBe(0n);
  await sink.close().catch(() => undefined);
  await database.drop();
});
