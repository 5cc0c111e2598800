import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.js';
import { createCommon } from '../../../src/core/common.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { TABLE_NAMES, type TableName } from '../../../src/storage/cold/rows/table-name.js';
import { createMemoryObjectStore, MemoryBucket } from '../../simulation/process/memory-object-store.js';
import {
  createHoldingObjectStore,
  dataObjects,
  type HoldingObjectStore,
  openMaintained,
} from '../../support/cold/maintenance.js';
import { allOf, committed, createLife, follow } from '../../support/cold/storage-life.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createFaultyObjectStore } from '../../support/s3/object-store-faults.js';

const OPTIONS = { compactBytes: 1 << 20 };
/** For a compaction that waits for a flush which stands still: no time passes while it does. */
const HASTY = { ...OPTIONS, common: createCommon({ clock: { ...systemClock, sleep: async () => undefined } }) };

function newStore(): ObjectStore {
  return createMemoryObjectStore(new MemoryBucket(), systemClock);
}

/** Small files enough for a compaction, and a life that goes on. */
async function livedNamespace(seed: number, flushes = 12) {
  const store = newStore();
  // of a day long past: no status is waited for
  const life = createLife(seed, createManualClock());
  const archive = openMaintained(store, OPTIONS);
  for (let flush = 0; flush < flushes; flush += 1) {
    await life.live(10);
    await follow(archive, life.origin);
    await archive.flush();
  }
  // files that flushes have replaced
  await archive.maintenance.vacuum({ graceMs: 0 });
  await archive.close();
  return { store, life };
}
type Lived = Awaited<ReturnType<typeof livedNamespace>>;

/** Begins work and resolves when it stands before its commit to a table, with what lets it go on to its end. */
async function standBefore<T>(
  holding: HoldingObjectStore,
  table: TableName,
  work: () => Promise<T>,
): Promise<() => Promise<T>> {
  const reached = holding.hold((key) => key.startsWith(`test/${table}/_delta_log/`));
  const working = work();
  const { release } = await reached;
  return async () => {
    release();
    return await working;
  };
}

/** An archive whose flush of what has happened since stands before its commit to a table. */
async function pausedFlush({ store, life }: Lived, table: TableName) {
  const holding = createHoldingObjectStore(store);
  const archive = openMaintained(holding, OPTIONS);
  await life.live(20);
  await follow(archive, life.origin);
  return { archive, finish: await standBefore(holding, table, () => archive.flush()) };
}

/** A compaction that stands before its commit to a table. */
async function pausedCompaction({ store }: Lived, table: TableName) {
  const holding = createHoldingObjectStore(store);
  const compactor = openMaintained(holding, OPTIONS);
  return { compactor, finish: await standBefore(holding, table, () => compactor.maintenance.compact()) };
}

async function compact(store: ObjectStore): Promise<void> {
  const storage = openMaintained(store, HASTY);
  await storage.maintenance.compact();
  await storage.close();
}

/** It holds what happened, each change once, and nothing of it is damaged. */
async function expectSound({ store, life }: Lived): Promise<void> {
  expect(await committed(store)).toEqual(await allOf(life.origin));
  const storage = openMaintained(store, OPTIONS);
  const { problems } = await storage.maintenance.verify();
  await storage.close();
  expect(problems).toEqual([]);
}

describe('at the same time', () => {
  test.each([1, 2, 3, 4])('two compactions, a flush and reads leave every change once (seed %i)', async (seed) => {
    const lived = await livedNamespace(200 + seed);
    const { store, life } = lived;
    const [one, other, flusher] = [
      openMaintained(store, OPTIONS),
      openMaintained(store, OPTIONS),
      openMaintained(store),
    ];
    for (let round = 0; round < 4; round += 1) {
      await life.live(12);
      await follow(flusher, life.origin);
      await Promise.all([
        one.maintenance.compact({ full: round % 2 === 1 }),
        other.maintenance.compact({ full: round === 3 }),
        flusher.flush(),
        flusher.maintenance.compact(),
        one.maintenance.vacuum({ graceMs: 60_000 }),
        committed(store),
      ]);
      expect(await committed(store)).toEqual(await allOf(life.origin));
    }
    await expectSound(lived);
    await Promise.all([one.close(), other.close(), flusher.close()]);
    expect(await committed(store)).toEqual(await allOf(life.origin));
  });

  test.each(TABLE_NAMES)('a flush that stands before its commit to %s goes on over a compaction', async (table) => {
    const lived = await livedNamespace(211);
    const faulty = createFaultyObjectStore(lived.store);
    const { archive, finish } = await pausedFlush({ ...lived, store: faulty }, table);
    const stored = () =>
      faulty.calls.filter(({ operation, key }) => operation === 'put' && key.includes('part-')).length;
    const before = stored();
    await compact(lived.store);
    await finish();
    // of its files those of messages stand for files that the compaction took
    if (table !== 'messages') expect(stored()).toBe(before);
    await expectSound(lived);
    expect((await archive.maintenance.describe()).tornFiles).toBe(0);
    await archive.close();
  });

  // files of executions are too few to be merged
  const merged = TABLE_NAMES.filter((table) => table !== 'executions');
  test.each(merged)('a compaction that stands before its commit to %s goes on over a flush', async (table) => {
    const lived = await livedNamespace(220);
    const archive = openMaintained(lived.store, OPTIONS);
    await lived.life.live(40);
    await follow(archive, lived.life.origin);
    const { compactor, finish } = await pausedCompaction(lived, table);
    // supersedes rows that were just written anew
    await archive.flush();
    const { tables } = await finish();
    expect(tables.find((each) => each.table === table)!.filesRewritten).toBeGreaterThan(8);
    await expectSound(lived);
    await Promise.all([compactor.close(), archive.close()]);
  });

  test('a compaction whose files another one took begins anew and leaves nothing behind', async () => {
    const lived = await livedNamespace(230);
    const { compactor, finish } = await pausedCompaction(lived, 'messages');
    await compact(lived.store);
    const before = (await dataObjects(lived.store)).length;
    const { tables } = await finish();
    expect(tables.map(({ filesRewritten }) => filesRewritten)).toEqual([0, 0, 0, 0]);
    // what it had stored when it lost is gone
    expect((await dataObjects(lived.store)).length).toBe(before - 2);
    await expectSound(lived);
    await compactor.close();
  });

  test.each(TABLE_NAMES)('a vacuum without grace makes a flush before its commit to %s begin anew', async (table) => {
    const lived = await livedNamespace(240);
    const { archive, finish } = await pausedFlush(lived, table);
    const other = openMaintained(lived.store, OPTIONS);
    const { orphans } = await other.maintenance.vacuum({ graceMs: 0 });
    expect(orphans).toBeGreaterThan(0);
    await finish();
    await expectSound(lived);
    await Promise.all([other.close(), archive.close()]);
  });

  test('a vacuum without grace leaves the files of a flush that has only its last commit to do', async () => {
    const lived = await livedNamespace(245);
    const { store, life } = lived;
    const holding = createHoldingObjectStore(store);
    const archive = openMaintained(holding, OPTIONS);
    // nothing for the ledger: its commit cannot be made to conflict
    const messages = Array.from({ length: 5 }, () => life.make.message());
    await life.origin.insertBatch({ messages, verifierResults: messages.map((message) => life.make.result(message)) });
    await follow(archive, life.origin);
    const finish = await standBefore(holding, 'ledger', () => archive.flush());
    const other = openMaintained(store, OPTIONS);
    expect((await other.maintenance.describe()).tornFiles).toBe(2);
    const stored = (await dataObjects(store)).length;
    expect(await other.maintenance.vacuum({ graceMs: 0 })).toMatchObject({ removedFiles: 0, orphans: 0 });
    expect((await dataObjects(store)).length).toBe(stored);
    await finish();
    await expectSound(lived);
    await Promise.all([other.close(), archive.close()]);
  });

  test('a vacuum without grace makes a compaction before its commit begin anew', async () => {
    const lived = await livedNamespace(250);
    const { compactor, finish } = await pausedCompaction(lived, 'messages');
    const other = openMaintained(lived.store, OPTIONS);
    expect((await other.maintenance.vacuum({ graceMs: 0 })).orphans).toBe(2);
    const { tables } = await finish();
    expect(tables[0]!.filesAfter).toBe(1);
    await expectSound(lived);
    await Promise.all([compactor.close(), other.close()]);
  });

  test('a vacuum within the grace leaves files that a flush has stored and not committed', async () => {
    const lived = await livedNamespace(260);
    const { archive, finish } = await pausedFlush(lived, 'messages');
    const other = openMaintained(lived.store, OPTIONS);
    await other.maintenance.compact();
    const stored = (await dataObjects(lived.store)).length;
    expect(await other.maintenance.vacuum()).toMatchObject({ removedFiles: 0, orphans: 0 });
    expect((await dataObjects(lived.store)).length).toBe(stored);
    await finish();
    await expectSound(lived);
    await Promise.all([other.close(), archive.close()]);
  });
});

test('a look at the logs that a commit overtakes takes nothing of it back', async () => {
  const store = newStore();
  const life = createLife(280);
  let reached: (release: () => void) => void = () => undefined;
  let isHeld = false;
  const slow: ObjectStore = {
    ...createHoldingObjectStore(store),
    get: async (key, range) => {
      const answer = store.get(key, range);
      await answer.catch(() => 'told below');
      // the last thing that it looks at: the answer is as of before what happens now
      if (isHeld && key.startsWith('test/verifier_results/_delta_log/'))
        await new Promise<void>((release) => {
          isHeld = false;
          reached(release);
        });
      return await answer;
    },
  };
  const storage = openMaintained(slow, { role: 'leader' });
  await storage.insertBatch({ messages: [life.make.message()] });
  const holding = new Promise<() => void>((resolve) => {
    reached = resolve;
  });
  isHeld = true;
  const looking = storage.maintenance.describe();
  const release = await holding;
  const message = life.make.message();
  await storage.insertBatch({ messages: [message] });
  release();
  await looking;
  expect((await storage.getMessage(message.messageId)).messageId).toBe(message.messageId);
  expect((await storage.countMessages({})).count).toBe(2);
  await storage.close();
});

describe('a reader that holds an old view', () => {
  test('answers as of then during compactions, flushes and vacuums within the grace, and anew after one beyond it', async () => {
    const { store, life } = await livedNamespace(270);
    const old = await allOf(life.origin);
    const reader = openMaintained(store, { role: 'leader', refreshIntervalMs: 1_000_000 });
    await reader.ready();
    const archive = openMaintained(store, OPTIONS);
    for (let round = 0; round < 3; round += 1) {
      await archive.maintenance.compact({ full: round === 2 });
      await archive.maintenance.vacuum();
      // nothing of it is cached yet in the first round
      expect(await allOf(reader)).toEqual(old);
      await life.live(30);
      await follow(archive, life.origin);
      await archive.flush();
    }
    expect(await allOf(reader)).toEqual(old);
    const uncached = openMaintained(store, { role: 'leader', refreshIntervalMs: 1_000_000 });
    await uncached.ready();
    await life.live(30);
    await follow(archive, life.origin);
    await archive.flush();
    await archive.maintenance.compact({ full: true });
    const { removedFiles } = await archive.maintenance.vacuum({ graceMs: 0 });
    expect(removedFiles).toBeGreaterThan(50);
    // its files are gone: it looks again and answers with what stands for them
    expect(await allOf(uncached)).toEqual(await allOf(life.origin));
    await Promise.all([reader.close(), uncached.close(), archive.close()]);
  });
});
