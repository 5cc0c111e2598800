import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.js';
import type { ColdStorage } from '../../../src/storage/cold/cold-storage.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import type { Storage } from '../../../src/storage/storage.js';
import { byCursor, byOffset, listsOf, plain } from '../../contract/subject.js';
import { createMemoryObjectStore, MemoryBucket } from '../../simulation/process/memory-object-store.js';
import { dataObjects, openMaintained } from '../../support/cold/maintenance.js';
import { allOf, committed, createLife, follow } from '../../support/cold/storage-life.js';
import { createManualClock } from '../../support/manual-clock.js';

const HOUR_MS = 3_600_000;
const KIB = 1024;

function newStore(): ObjectStore {
  return createMemoryObjectStore(new MemoryBucket(), systemClock);
}

/** A namespace of many small flushes over days, with statuses, orphanings, returns and other origins. */
async function livedNamespace(seed: number, { flushes = 20, steps = 12, stepMs = HOUR_MS, compactBytes = 128 << 20 }) {
  const store = newStore();
  const clock = createManualClock();
  const life = createLife(seed, clock);
  const archive = openMaintained(store, { compactBytes });
  for (let flush = 0; flush < flushes; flush += 1) {
    await life.live(steps);
    await follow(archive, life.origin);
    await archive.flush();
    await clock.advance(stepMs);
  }
  return { store, life, clock, archive };
}

/** Every list under every kind of question, and what a follower is given from every position. */
async function answersOf(storage: Storage): Promise<unknown> {
  const answers: unknown[] = [await allOf(storage)];
  const { headPosition } = await storage.changesAfter(0n, 1);
  for (let position = 0n; position <= headPosition; position += 1n) {
    const { changes, throughPosition } = await storage.changesAfter(position, 7);
    answers.push(await storage.boundaryAt({ position }));
    answers.push({ throughPosition, changes: changes.map((change) => `${change.kind} ${change.position}`) });
  }
  for (const list of listsOf(storage)) {
    const times = (await list.query({ limit: 10_000 })).items.map(({ ingestionMs }) => ingestionMs);
    for (const ms of times) answers.push(await storage.boundaryAt({ ms }));
    const middleMs = times[times.length >> 1]!;
    for (const range of [{}, { startMs: middleMs }, { endMs: middleMs }, { sourceChainSelectors: [2n] }]) {
      answers.push(await list.count(range).then(({ count }) => count));
      answers.push(plain(await byCursor(list, range, 17)), plain(await byOffset(list, range, 23)));
    }
  }
  return answers;
}

const filesOf = async ({ maintenance }: ColdStorage) =>
  (await maintenance.describe()).tables.reduce((sum, { files }) => sum + files, 0);

test('a compaction says that a file of the table is gone, and leaves everything as it is', async () => {
  const { store, archive } = await livedNamespace(31, { flushes: 10, stepMs: 1000 });
  // those that were replaced since are not missed
  await archive.maintenance.vacuum({ graceMs: 0 });
  const [lost] = (await dataObjects(store)).filter((key) => key.startsWith('test/messages/day='));
  await store.deleteMany([lost!]);
  const before = await dataObjects(store);
  await expect(archive.maintenance.compact({ full: true })).rejects.toMatchObject({
    name: 'StorageFailureError',
    cause: { code: 'OBJECT_NOT_FOUND' },
  });
  expect(await dataObjects(store)).toEqual(before);
  await archive.close();
});

describe('a compaction', () => {
  test.each([
    ['what its policy says', false, 128 << 20],
    ['everything', true, 128 << 20],
    ['what its policy says into small files', false, 48 * KIB],
    ['everything into small files', true, 48 * KIB],
  ])('of %s leaves every answer as it was', async (_, full, compactBytes) => {
    const { store, life, archive } = await livedNamespace(full ? 11 : 12, { compactBytes, stepMs: 3 * HOUR_MS });
    const reader = openMaintained(store, { role: 'leader' });
    const before = await answersOf(reader);
    const filesBefore = await filesOf(archive);
    await reader.close();
    const { tables } = await archive.maintenance.compact({ full });
    const after = openMaintained(store, { role: 'leader' });
    expect(await answersOf(after)).toEqual(before);
    await after.close();
    expect(await committed(store)).toEqual(await allOf(life.origin));
    expect((await archive.maintenance.verify()).problems).toEqual([]);
    expect(await filesOf(archive)).toBeLessThan(filesBefore / 2);
    expect(tables.reduce((sum, { rowsDropped }) => sum + rowsDropped, 0)).toBeGreaterThan(10);
    await archive.close();
  });

  test('of everything leaves one file a table and a day, with one row for each record', async () => {
    const { life, archive } = await livedNamespace(13, { stepMs: HOUR_MS / 10 });
    await archive.maintenance.compact({ full: true });
    const { tables } = await archive.maintenance.describe();
    const { changes } = await life.origin.changesAfter(0n, 100_000);
    expect(tables.map(({ files }) => files)).toEqual([1, 1, 1, 1]);
    const executions = changes.filter((change) => change.kind === 'execution' && !change.record.orphaned).length;
    const listed = [await life.origin.countMessages({}), await life.origin.countCCVData({})].map(({ count }) => count);
    const counts = [...listed, executions];
    expect(tables.slice(0, 3).map(({ rows }) => rows)).toEqual(counts);
    // the ledger has the other records, and that some came back
    const shown = counts.reduce((sum, count) => sum + count, 0);
    expect(tables[3]!.rows).toBeGreaterThan(changes.length - shown);
    expect(tables[3]!.rows).toBeLessThan(changes.length);
    const again = await archive.maintenance.compact({ full: true });
    expect(again.tables.map(({ filesRewritten }) => filesRewritten)).toEqual([0, 0, 0, 0]);
    await archive.close();
  });

  test.each([1, 2, 3, 4, 5, 6])('between flushes, vacuums and restarts ends as its origin (seed %i)', async (seed) => {
    const store = newStore();
    const clock = createManualClock();
    const life = createLife(100 + seed, clock);
    const { random } = life.make;
    const compactBytes = [8, 32, 128 * KIB][seed % 3]! * KIB;
    let archive = openMaintained(store, { compactBytes });
    for (let round = 0; round < 40; round += 1) {
      await life.live(Math.floor(random() * 12));
      await follow(archive, life.origin);
      if (random() < 0.8) await archive.flush();
      await clock.advance(Math.floor(random() * 5 * HOUR_MS));
      const compactor = random() < 0.5 ? archive : openMaintained(store, { compactBytes });
      if (random() < 0.35) await compactor.maintenance.compact({ full: random() < 0.3 });
      if (random() < 0.3) await compactor.maintenance.vacuum({ graceMs: 0 });
      if (compactor !== archive) await compactor.close();
      if (random() < 0.2) {
        await archive.close();
        archive = openMaintained(store, { compactBytes });
        await follow(archive, life.origin);
      }
      if (round % 10 !== 9) continue;
      await archive.flush();
      expect(await committed(store)).toEqual(await allOf(life.origin));
      expect((await archive.maintenance.verify()).problems).toEqual([]);
    }
    await archive.close();
  });
});
