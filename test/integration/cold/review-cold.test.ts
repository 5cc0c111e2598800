import { describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { Registry } from '../../../src/core/metrics.js';
import { createSink } from '../../../src/sink/sink.js';
import { createDeltaLog } from '../../../src/storage/cold/delta/delta-log.js';
import { Catalog } from '../../../src/storage/cold/namespace/catalog.js';
import { DataFileReader } from '../../../src/storage/cold/namespace/file-reader.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import { loadZstd } from '../../../src/storage/cold/parquet/zstd.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../../src/storage/recall-from.js';
import { createMemoryObjectStore, MemoryBucket } from '../../simulation/process/memory-object-store.js';
import { openMaintained } from '../../support/cold/maintenance.js';
import { allOf, committed, createLife, createMortalStore, follow } from '../../support/cold/storage-life.js';
import { eventually } from '../../support/eventually.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createTestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { createFaultyObjectStore } from '../../support/s3/object-store-faults.js';
import { createLaggingStorage } from '../../support/sink/lagging-storage.js';
import { metricOf } from '../../support/sink/sink-tiers.js';

function newBucket() {
  const bucket = new MemoryBucket();
  return { bucket, store: createMemoryObjectStore(bucket, { nowMs: () => Date.now() }) };
}

async function catalogOver(store: ObjectStore): Promise<Catalog> {
  const [zstd, common] = [await loadZstd(), createCommon()];
  const logOf = (table: string) => createDeltaLog({ store, root: `test/${table}`, table, zstd, common });
  return new Catalog({
    logs: { messages: logOf('messages'), verifier_results: logOf('verifier_results'), ledger: logOf('ledger') },
    reader: new DataFileReader({ store, zstd, keyOf: (table, path) => `test/${table}/${path}`, cacheBytes: 1 << 24 }),
    common,
  });
}

const OPTIONS = { compactBytes: 1 << 20 };

describe('a compaction that was overtaken by a flush and another compaction', () => {
  test('does not lose rows from the view of its process', async () => {
    const { store } = newBucket();
    const life = createLife(301);
    const archive = openMaintained(store, OPTIONS);
    const flush = async () => {
      await life.live(15);
      await follow(archive, life.origin);
      await archive.flush();
    };
    await flush();
    await flush();
    const catalog = await catalogOver(store);
    const base = await catalog.refresh();
    const rowsOf = (files: readonly { readonly rows: number }[]) => files.reduce((sum, { rows }) => sum + rows, 0);
    const before = rowsOf(base.tables.messages.files);
    // what another process does while a group of this one is merged: a flush, and that is merged with older files
    await flush();
    await archive.maintenance.compact({ full: true });
    expect(await catalog.replace(base, { table: 'messages', removed: [], added: [] })).toBe(true);
    expect(catalog.view.torn).toEqual([]);
    expect(rowsOf(catalog.view.tables.messages.files)).toBeGreaterThan(before / 2);
    await archive.close();
  });
});

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

describe('an archive whose store is away when it is opened', () => {
  test('leaves nothing running of its failed attempts, and opens when it is back', async () => {
    const { store } = newBucket();
    const faulty = createFaultyObjectStore(store);
    const clock = createManualClock();
    const metrics = new Registry();
    const life = createLife(307, clock);
    await life.live(10);
    const other = openMaintained(store);
    await follow(other, life.origin);
    await other.close();
    const archive = openMaintained(faulty, { common: { clock, metrics } });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      faulty.failOn({ operation: 'get', when: 'before' });
      await expect(archive.ready()).rejects.toMatchObject({ name: 'StorageUnavailableError' });
      expect(clock.pending).toBe(0);
    }
    await archive.ready();
    expect(clock.pending).toBe(1);
    const { throughPosition } = archive.coverage();
    expect(throughPosition).toBeGreaterThan(0n);
    const { values } = (await metrics.getSingleMetric('indexer_cold_position')?.get()) ?? { values: [] };
    expect(values.map(({ value }) => BigInt(value))).toEqual([throughPosition]);
    await archive.close();
    expect(clock.pending).toBe(0);
  });
});

describe('clocks', () => {
  test('a writer that died with a clock a day ahead holds others up for the takeover time only', async () => {
    const { store } = newBucket();
    const clock = createManualClock();
    const life = createLife(303, clock);
    await life.live(20);
    const mortal = createMortalStore(store);
    const faulty = createFaultyObjectStore(mortal);
    faulty.failOn({
      operation: 'put',
      when: 'after',
      key: (key) => key.endsWith('/messages/_delta_log/00000000000000000001.json'),
      error: () => {
        mortal.kill();
        throw new ObjectStoreUnavailableError('the process was killed');
      },
    });
    const ahead = openMaintained(faulty, { common: { clock: createManualClock(clock.nowMs() + 86_400_000) } });
    await follow(ahead, life.origin);
    await expect(ahead.flush()).rejects.toThrow();
    const other = openMaintained(store, { takeoverMs: 30_000, common: { clock } });
    await follow(other, life.origin);
    let outcome = 'pending';
    for (let tries = 0; tries < 20 && outcome !== 'flushed'; tries += 1) {
      const flushing = other.flush().then(
        () => 'flushed',
        () => 'failed',
      );
      outcome = 'pending';
      void flushing.then((result) => {
        outcome = result;
      });
      for (let turns = 0; turns < 2000 && outcome === 'pending'; turns += 1) await clock.advance(50);
      await clock.advance(5_000);
    }
    expect(outcome).toBe('flushed');
    await other.close();
    expect(await committed(store)).toEqual(await allOf(life.origin));
  });
});

describe('while nothing can be flushed', () => {
  test('a buffer that is full takes nothing more', async () => {
    const { store } = newBucket();
    const faulty = createFaultyObjectStore(store);
    const life = createLife(304);
    await life.live(400);
    const archive = openMaintained(faulty, { flushBytes: 1000 });
    await archive.ready();
    let refused: bigint | null = null;
    for (let page = 0; page < 200; page += 1) {
      for (let nth = 1; nth < 40; nth += 1) faulty.failOn({ operation: 'put', nth, when: 'before' });
      const at = archive.appliedPosition();
      const set = await life.origin.changesAfter(at, 10);
      const failed = await archive.apply(set).then(
        () => false,
        () => true,
      );
      if (!failed) continue;
      refused ??= archive.appliedPosition();
      if (page > 60) break;
    }
    expect(refused).not.toBeNull();
    expect(archive.appliedPosition()).toBe(refused);
    faulty.heal();
    await follow(archive, life.origin);
    await archive.flush();
    await archive.close();
    expect(await committed(store)).toEqual(await allOf(life.origin));
  });
});

describe('a namespace that two indexers with a database each were given by mistake', () => {
  test('takes the history of one of them only, also when both begin at the same time', async () => {
    const { store } = newBucket();
    const lives = [createLife(305), createLife(306)];
    const archives = lives.map(() => openMaintained(store));
    for (const [index, archive] of archives.entries()) {
      await lives[index]!.live(10 + 10 * index);
      await follow(archive, lives[index]!.origin);
    }
    await archives[0]!.flush();
    const expected = await committed(store);
    await expect(archives[1]!.flush()).rejects.toMatchObject({ name: 'DivergedError' });
    await lives[1]!.live(10);
    await expect(follow(archives[1]!, lives[1]!.origin)).rejects.toMatchObject({ name: 'DivergedError' });
    expect(await committed(store)).toEqual(expected);
    await archives[1]!.close().catch(() => undefined);
    await archives[0]!.close();
    expect(await committed(store)).toEqual(expected);
  });

  test.each([1, 2, 3, 4, 5, 6])('archives of one history are never taken for such (seed %i)', async (seed) => {
    const { store } = newBucket();
    const life = createLife(310 + seed);
    const archives = [openMaintained(store), openMaintained(store), openMaintained(store, { flushBytes: 500 })];
    for (let round = 0; round < 12; round += 1) {
      await life.live(6);
      for (const [index, archive] of archives.entries()) {
        if (life.make.random() < 0.6) {
          const set = await life.origin.changesAfter(archive.appliedPosition(), 3 + index * 40);
          await archive.apply(set);
        }
        if (life.make.random() < 0.3) await archive.flush();
        if (life.make.random() < 0.3) await archive.refresh();
      }
    }
    for (const archive of archives) {
      await follow(archive, life.origin);
      await archive.flush();
    }
    expect(await committed(store)).toEqual(await allOf(life.origin));
    for (const archive of archives) await archive.close();
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
