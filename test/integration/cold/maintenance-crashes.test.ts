import { beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import { TABLE_NAMES } from '../../../src/storage/cold/rows/table-name.js';
import { createMemoryObjectStore, MemoryBucket } from '../../simulation/process/memory-object-store.js';
import { dataObjects, openMaintained } from '../../support/cold/maintenance.js';
import { committed, createLife, createMortalStore, follow } from '../../support/cold/storage-life.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createFaultyObjectStore, type FaultyOperation } from '../../support/s3/object-store-faults.js';

const WHEN = ['before', 'after'] as const;
const OPTIONS = { compactBytes: 1 << 20 };

/** What a process does that is killed in the middle. */
const TASKS = {
  compact: async (store: ObjectStore) => {
    const storage = openMaintained(store, OPTIONS);
    try {
      await storage.maintenance.compact();
    } finally {
      await storage.close();
    }
  },
  'compact everything': async (store: ObjectStore) => {
    const storage = openMaintained(store, OPTIONS);
    try {
      await storage.maintenance.compact({ full: true });
    } finally {
      await storage.close();
    }
  },
  vacuum: async (store: ObjectStore) => {
    const storage = openMaintained(store, OPTIONS);
    try {
      await storage.maintenance.vacuum({ graceMs: 0 });
    } finally {
      await storage.close();
    }
  },
} as const;

const template = new MemoryBucket();

/** Compacted files that wait for a vacuum, orphans, and small files that wait for a compaction. */
beforeAll(async () => {
  const store = createMemoryObjectStore(template, systemClock);
  const life = createLife(40, createManualClock());
  const archive = openMaintained(store, OPTIONS);
  for (let flush = 0; flush < 20; flush += 1) {
    await life.live(8);
    await follow(archive, life.origin);
    await archive.flush();
    if (flush === 9) await archive.maintenance.compact();
  }
  for (const table of TABLE_NAMES)
    await store.putIfAbsent(`test/${table}/day=2025-11-13/part-orphan.zstd.parquet`, new Uint8Array(9));
  await archive.close();
});

function copy(): ObjectStore {
  const bucket = new MemoryBucket();
  for (const [key, object] of template.objects) bucket.objects.set(key, object);
  return createMemoryObjectStore(bucket, systemClock);
}

/** All there is, once what was left over is removed. */
async function endState(store: ObjectStore): Promise<unknown> {
  const storage = openMaintained(store, OPTIONS);
  const { tables } = await storage.maintenance.describe();
  await storage.maintenance.vacuum({ graceMs: 0 });
  const verified = await storage.maintenance.verify();
  await storage.close();
  return {
    answers: await committed(store),
    tables: tables.map(({ table, files, rows }) => ({ table, files, rows })),
    objects: (await dataObjects(store)).length,
    problems: verified.problems,
  };
}

describe.each(Object.entries(TASKS))('a process that dies in the middle of: %s', (name, task) => {
  test('before or after any write or delete, ends as if nothing had happened once another one has done it', async () => {
    const undisturbed = copy();
    const before = await committed(undisturbed);
    const counting = createFaultyObjectStore(undisturbed);
    await task(counting);
    const points = counting.calls.filter(({ operation }) => operation === 'put' || operation === 'delete');
    const expected = await endState(undisturbed);
    expect(points.length).toBeGreaterThan(3);
    const log: string[] = [];
    const seen: Record<string, number> = {};
    for (const { operation, key } of points) {
      seen[operation] = (seen[operation] ?? 0) + 1;
      for (const when of WHEN) {
        const store = copy();
        const mortal = createMortalStore(store);
        const faulty = createFaultyObjectStore(mortal);
        faulty.failOn({
          operation: operation as FaultyOperation,
          nth: seen[operation]!,
          when,
          error: () => {
            mortal.kill();
            throw new ObjectStoreUnavailableError('the process was killed');
          },
        });
        await expect(task(faulty)).rejects.toMatchObject({ name: 'StorageUnavailableError' });
        expect(await committed(store)).toEqual(before);
        await task(store);
        const after = await endState(store);
        expect(after).toEqual(expected);
        const what = key.replace(/[0-9a-f]{8}-[0-9a-f-]+/, '…').replace(/^test\//, '');
        log.push(`${when} ${operation} ${seen[operation]} ${what}: as undisturbed`);
      }
    }
    console.log([`${name}: ${log.length} points`, ...log].join('\n  '));
  });
});

test('a vacuum that dies when a part of a batch is deleted leaves the rest to the next one', async () => {
  const store = copy();
  const before = await committed(store);
  const expectedStore = copy();
  const expected = await endState(expectedStore);
  const partial: ObjectStore = {
    ...createMortalStore(store),
    deleteMany: async (keys) => {
      await store.deleteMany(keys.filter((_, place) => place % 2 === 0));
      throw new ObjectStoreUnavailableError('the process was killed');
    },
  };
  await expect(TASKS.vacuum(partial)).rejects.toMatchObject({ name: 'StorageUnavailableError' });
  expect(await committed(store)).toEqual(before);
  expect(await endState(store)).toEqual(expected);
});
