import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { compareStorages } from '../../../src/sink/restore/compare-storages.js';
import { type RestoreOptions, type RestoreReport, restore } from '../../../src/sink/restore/restore.js';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import { type ColdStorage, createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { inspectPostgres } from '../../../src/storage/postgres/inspection.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../../src/storage/recall-from.js';
import { everything } from '../../contract/subject.js';
import { eventually } from '../../support/eventually.js';
import { dumpDatabase } from '../../support/postgres/database-dump.js';
import { copyDatabase, createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
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

async function database(): Promise<TestDatabase> {
  const created = await createTestDatabase();
  cleanups.push(() => created.drop());
  return created;
}

async function directory(): Promise<ObjectStore> {
  const { store, remove } = await createTestDirectoryStore();
  cleanups.push(remove);
  return store;
}

function openCold(store: ObjectStore, role: 'follower' | 'leader'): ColdStorage {
  const cold = createColdStorage({ name: 'cold', store, namespace: 'ccv', role, common });
  cleanups.push(() => cold.close());
  return cold;
}

/** A warm and a cold tier, as a worker has them. */
function openSink(warm: TestDatabase, store: ObjectStore): { sink: Sink; cold: ColdStorage } {
  const cold = openCold(store, 'follower');
  const storage = createPostgresStorage({
    name: 'warm',
    connection: warm.connection,
    common,
    recall: recallFrom(cold),
  });
  const sink = createSink({ backends: [{ storage }, { storage: cold, tier: 'cold' }], common });
  cleanups.push(() => sink.close());
  return { sink, cold };
}

/** A worker's life from beginning to end: the database as it was, and its cold tier. */
async function lived(seed: number, rounds = 12): Promise<{ store: ObjectStore; original: TestDatabase }> {
  const [store, original] = [await directory(), await database()];
  const { sink } = openSink(original, store);
  await sink.started();
  const make = createRecordMaker(seed);
  await liveEventfully(sink, make, rounds);
  await sink.close();
  return { store, original };
}

/** A database, the same as it was some commits ago, and a cold tier that has everything. */
async function setBack(seed: number, pruned = false) {
  const { store, original } = await lived(seed, 4);
  if (pruned) {
    const cold = openCold(store, 'follower');
    await cold.ready();
    const { throughMs: ingestionMs, throughPosition: position } = cold.coverage();
    const { connection } = original;
    const warm = createPostgresStorage({ name: 'warm', connection, common, recall: recallFrom(cold) });
    await warm.prune({ ingestionMs, position }, { dutyCycle: 1 });
    await warm.close();
  }
  const replica = await copyDatabase(original);
  cleanups.push(() => replica.drop());
  const { sink } = openSink(original, store);
  await sink.started();
  const known = (await sink.queryMessages({ limit: 2 })).items;
  const make = createRecordMaker(seed + 1000);
  // late results of what the replica knows already, and new records
  await sink.insertBatch({ verifierResults: known.map((message) => make.result(message)) });
  await liveEventfully(sink, make, 3);
  await sink.close();
  return { store, original, replica };
}

/** Restores into a database that nobody else uses. */
async function restoreInto(
  target: TestDatabase,
  store: ObjectStore,
  options: Partial<RestoreOptions> = {},
): Promise<RestoreReport> {
  const source = openCold(store, 'leader');
  const storage = createPostgresStorage({ name: 'warm', connection: target.connection, common });
  const inspection = await inspectPostgres({ name: 'warm', connection: target.connection });
  try {
    return await restore({
      source,
      target: storage,
      common,
      inspect: async () => {
        const { hasOwnCommits, floorPosition } = await inspection.describe();
        return { hasOwnHistory: hasOwnCommits || floorPosition > 0n, sample: await inspection.sampleIds() };
      },
      ...options,
    });
  } finally {
    await inspection.close();
    await storage.close();
    await source.close();
  }
}

/** Ends after so many pages. */
function stoppedAfter(pages: number): Partial<RestoreOptions> {
  const stopping = new AbortController();
  let done = 0;
  return {
    pageSize: 7,
    signal: stopping.signal,
    onProgress: () => {
      done += 1;
      if (done === pages) stopping.abort();
    },
  };
}

describe('a database rebuilt from the cold tier alone', () => {
  test('promise 7: equals the lost one record by record, with times, positions, cursors, quarantine and conflicts', async () => {
    const { store, original } = await lived(1);
    const before = await dumpDatabase(original);
    const rebuilt = await database();
    const report = await restoreInto(rebuilt, store, { pageSize: 10 });
    expect(await dumpDatabase(rebuilt)).toEqual(before);
    expect(report.changes).toEqual({
      message: before['messages']!.length,
      verifierResult: before['verifier_results']!.length,
      execution: before['executions']!.length,
      cursor: before['source_cursors']!.length,
      ...{ quarantine: before['quarantine']!.length, conflict: before['conflicts']!.length },
    });
    for (const count of Object.values(report.changes)) expect(count).toBeGreaterThan(0);
    expect(report.throughPosition).toBe(report.headPosition);
  });

  test('goes on where it was stopped, however often, and ends the same', async () => {
    const { store, original } = await lived(2);
    const rebuilt = await database();
    const stops: bigint[] = [];
    for (const pages of [1, 2, 3]) {
      await expect(restoreInto(rebuilt, store, stoppedAfter(pages))).rejects.toMatchObject({ code: 'ABORTED' });
      const { rows } = await rebuilt.sql('SELECT last_position, head_position FROM ccv.ingest_clock');
      const [{ last_position: last, head_position: head }] = rows as [{ last_position: string; head_position: string }];
      expect(BigInt(last)).toBeLessThan(BigInt(head));
      stops.push(BigInt(last));
    }
    expect(stops).toEqual([...new Set(stops)].sort((a, b) => Number(a - b)));
    const report = await restoreInto(rebuilt, store, { pageSize: 7 });
    expect(report.fromPosition).toBe(stops.at(-1));
    expect(await dumpDatabase(rebuilt)).toEqual(await dumpDatabase(original));
  });

  test('is not changed by another restore', async () => {
    const { store } = await lived(3, 4);
    const rebuilt = await database();
    await restoreInto(rebuilt, store);
    const once = await dumpDatabase(rebuilt);
    const again = await restoreInto(rebuilt, store);
    expect(again.fromPosition).toBe(again.headPosition);
    expect(await dumpDatabase(rebuilt)).toEqual(once);
  });

  test('holds again what was pruned from the lost one', async () => {
    const { store, original } = await lived(4);
    const before = await dumpDatabase(original);
    const cold = openCold(store, 'follower');
    await cold.ready();
    const { throughMs, throughPosition } = cold.coverage();
    const warm = createPostgresStorage({
      name: 'warm',
      connection: original.connection,
      common,
      recall: recallFrom(cold),
    });
    const pruned = await warm.prune({ ingestionMs: throughMs, position: throughPosition }, { dutyCycle: 1 });
    expect(pruned.messages).toBeGreaterThan(0);
    await warm.close();
    const rebuilt = await database();
    await restoreInto(rebuilt, store);
    expect(await dumpDatabase(rebuilt)).toEqual(before);
  });

  test.each([3, 1000])(
    'has the ends of all flushes to start from and to be pruned to (pages of %i)',
    async (pageSize) => {
      const [store, original] = [await directory(), await database()];
      const { sink, cold } = openSink(original, store);
      await sink.started();
      const make = createRecordMaker(6);
      const ends: bigint[] = [];
      for (let flush = 0; flush < 5; flush += 1) {
        await liveEventfully(sink, make, 2);
        const { throughPosition } = sink.coverage();
        await eventually('the cold tier was given everything', () => cold.appliedPosition() >= throughPosition);
        await cold.flush();
        ends.push(throughPosition);
      }
      await sink.close();
      const commits = 'SELECT through_position, ingestion_ms FROM ccv.commits ORDER BY 1';
      const { rows: before } = await original.sql(commits);
      const rebuilt = await database();
      await restoreInto(rebuilt, store, { pageSize });
      const { rows: after } = await rebuilt.sql(commits);
      expect(after).toEqual(before.filter((row) => ends.includes(BigInt(row.through_position))));
      expect(after).toHaveLength(ends.length);
      const again = openCold(store, 'follower');
      const recall = recallFrom(again);
      const warm = createPostgresStorage({ name: 'warm', connection: rebuilt.connection, common, recall });
      const { floor } = await warm.prune({ ingestionMs: Number.MAX_SAFE_INTEGER, position: ends[2]! + 1n });
      expect(floor.position).toBe(ends[2]);
      await warm.close();
    },
  );

  test('is written to and followed by the same cold tier afterwards', async () => {
    const { store, original } = await lived(5);
    const rebuilt = await database();
    await restoreInto(rebuilt, store);
    const { sink, cold } = openSink(rebuilt, store);
    await sink.started();
    await liveEventfully(sink, createRecordMaker(55), 3);
    await eventually('the cold tier has heard of everything', () => {
      return cold.appliedPosition() === sink.coverage().throughPosition;
    });
    await cold.flush();
    const expected = await everything(sink);
    await sink.close();
    const reader = openCold(store, 'leader');
    expect(await everything(reader)).toEqual(expected);
    const fresh = createPostgresStorage({ name: 'lost', connection: original.connection, common });
    cleanups.push(() => fresh.close());
    expect((await fresh.countMessages({})).count).toBeLessThan((await reader.countMessages({})).count);
  });
});

describe('a database that lacks the last commits', () => {
  test.each([3, 1000])('equals the one that had them again, record by record (pages of %i)', async (pageSize) => {
    const { store, original, replica } = await setBack(14);
    const before = await dumpDatabase(original);
    const report = await restoreInto(replica, store, { pageSize });
    expect(report.fromPosition).toBeGreaterThan(0n);
    expect(report.throughPosition).toBeGreaterThan(report.fromPosition);
    expect(await dumpDatabase(replica)).toEqual(before);
    const again = await restoreInto(replica, store);
    expect(again.fromPosition).toBe(again.headPosition);
    expect(await dumpDatabase(replica)).toEqual(before);
  });

  test('is compared record by record where no commit of it is known', async () => {
    const { store, original, replica } = await setBack(17);
    const before = await dumpDatabase(original);
    await replica.sql('DELETE FROM ccv.commits');
    const report = await restoreInto(replica, store);
    expect(report.fromPosition).toBeGreaterThan(0n);
    expect(await dumpDatabase(replica)).toEqual(before);
    const changed = await copyDatabase(replica);
    cleanups.push(() => changed.drop());
    await changed.sql(`DELETE FROM ccv.commits; UPDATE ccv.verifier_results SET verifier_name = 'another'
      WHERE position = (SELECT min(position) FROM ccv.verifier_results)`);
    await expect(restoreInto(changed, store)).rejects.toMatchObject({ code: 'DIVERGED' });
  });

  test('goes on where its restore was stopped, and is written to and followed afterwards', async () => {
    const { store, original, replica } = await setBack(15);
    const before = await dumpDatabase(original);
    await expect(restoreInto(replica, store, stoppedAfter(2))).rejects.toMatchObject({ code: 'ABORTED' });
    await restoreInto(replica, store, { pageSize: 7 });
    expect(await dumpDatabase(replica)).toEqual(before);
    const { sink } = openSink(replica, store);
    await sink.started();
    await liveEventfully(sink, createRecordMaker(151), 1);
    const expected = await everything(sink);
    await sink.close();
    expect(await everything(openCold(store, 'leader'))).toEqual(expected);
  });

  test('takes them also where it was pruned, and answers together with the cold tier as before', async () => {
    const { store, original, replica } = await setBack(16, true);
    const truth = openSink(original, store).sink;
    const expected = await everything(truth);
    await truth.close();
    await restoreInto(replica, store);
    const { sink } = openSink(replica, store);
    await sink.started();
    expect(await everything(sink)).toEqual(expected);
  });
});

describe('a restore is refused', () => {
  test('when there is nothing to restore from', async () => {
    await expect(restoreInto(await database(), await directory())).rejects.toMatchObject({ code: 'RESTORE_NOTHING' });
  });

  test('from a cold tier that was still catching up', async () => {
    const store = await directory();
    const { original } = await lived(12, 3);
    const warm = createPostgresStorage({ name: 'warm', connection: original.connection, common });
    const cold = openCold(store, 'follower');
    await cold.ready();
    await cold.apply(await warm.changesAfter(0n, 10));
    await cold.flush();
    await warm.close();
    const target = await database();
    const before = await dumpDatabase(target);
    await expect(restoreInto(target, store)).rejects.toMatchObject({ code: 'RESTORE_SOURCE_INCOMPLETE' });
    expect(await dumpDatabase(target)).toEqual(before);
  });

  test('into a database with records of its own, which stay as they are', async () => {
    const [{ store }, { original }] = [await lived(6, 3), await lived(66, 2)];
    const before = await dumpDatabase(original);
    await expect(restoreInto(original, store)).rejects.toMatchObject({
      code: 'DIVERGED',
      message: expect.stringContaining("drop the database's schema"),
    });
    expect(await dumpDatabase(original)).toEqual(before);
  });

  test.each([1, 40])('into a database that wrote %i other commits after it was set back', async (commits) => {
    const { store, replica } = await setBack(13);
    const warm = createPostgresStorage({ name: 'warm', connection: replica.connection, common });
    const make = createRecordMaker(131);
    for (let commit = 0; commit < commits; commit += 1) await warm.insertBatch({ messages: [make.message()] });
    await warm.close();
    const before = await dumpDatabase(replica);
    await expect(restoreInto(replica, store)).rejects.toMatchObject({
      code: 'DIVERGED',
      message: expect.stringContaining('storage restore'),
    });
    expect(await dumpDatabase(replica)).toEqual(before);
  });

  test('into a database that a worker wrote to after a restore had ended', async () => {
    const { store } = await lived(7, 3);
    const rebuilt = await database();
    await restoreInto(rebuilt, store);
    const warm = createPostgresStorage({ name: 'warm', connection: rebuilt.connection, common });
    await warm.insertBatch({ messages: [createRecordMaker(77).message()] });
    await warm.close();
    await expect(restoreInto(rebuilt, store)).rejects.toMatchObject({ code: 'RESTORE_TARGET_AHEAD' });
  });

  test.each([
    ['wholly', {}],
    ['partly', stoppedAfter(2)],
  ])('into a database that was %s restored from another history, of the same messages too', async (_name, partly) => {
    const [first, second] = [await lived(8, 6), await lived(8, 7)];
    const rebuilt = await database();
    await restoreInto(rebuilt, first.store, partly).catch((error: Error) => expect(error.name).toBe('AbortedError'));
    const before = await dumpDatabase(rebuilt);
    expect(before['messages']!.length).toBeGreaterThan(0);
    await expect(restoreInto(rebuilt, second.store)).rejects.toMatchObject({ code: 'DIVERGED' });
    expect(await dumpDatabase(rebuilt)).toEqual(before);
  });

  test('from a cold tier of another history that stands below the database', async () => {
    const { store } = await lived(9, 5);
    const behind = await lived(10, 2);
    const rebuilt = await database();
    await restoreInto(rebuilt, store);
    await expect(restoreInto(rebuilt, behind.store)).rejects.toMatchObject({ code: 'DIVERGED' });
  });
});

test('two storages are compared by what they list and by every cursor, entry and conflict', async () => {
  const { store, original } = await lived(11, 4);
  const warm = createPostgresStorage({ name: 'warm', connection: original.connection, common });
  cleanups.push(() => warm.close());
  const cold = openCold(store, 'leader');
  const same = await compareStorages(warm, cold, Number.MAX_SAFE_INTEGER);
  expect(same.map((each) => each.same)).toEqual([true, true, true, true, true]);
  expect(same.every(({ first }) => first > 0)).toBe(true);
  await original.sql("UPDATE ccv.source_cursors SET hash = decode(repeat('00', 32), 'hex')");
  await original.sql('DELETE FROM ccv.conflicts');
  const different = await compareStorages(warm, cold, Number.MAX_SAFE_INTEGER);
  expect(different.filter((each) => !each.same).map(({ what }) => what)).toEqual(['cursors', 'conflicts']);
});
