import { afterEach, expect, test } from 'vitest';
import type { ObjectStore } from '../../../../src/storage/cold/object-store/object-store.js';
import { ObjectStoreUnavailableError } from '../../../../src/storage/cold/object-store/object-store-errors.js';
import { openMaintained } from '../../../support/cold/maintenance.js';
import { plainChange, unpackFormat } from '../../../support/cold/old-formats.js';
import { committed, createLife, createMortalStore, follow } from '../../../support/cold/storage-life.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../../support/s3/object-store.js';
import { createFaultyObjectStore } from '../../../support/s3/object-store-faults.js';

const directories: TestDirectoryStore[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0)) await directory.remove();
});

async function emptyPlace(): Promise<TestDirectoryStore> {
  const directory = await createTestDirectoryStore();
  directories.push(directory);
  return directory;
}

async function inFormat1() {
  const { directory, store } = await emptyPlace();
  return { store, changes: unpackFormat(1, directory) };
}

async function upgraded(from: ObjectStore, store: ObjectStore) {
  const storage = openMaintained(store);
  try {
    return await storage.maintenance.upgrade({ from });
  } finally {
    await storage.close();
  }
}

/** Every change, written as those of the fixture. */
async function changesIn(store: ObjectStore): Promise<unknown[]> {
  const storage = openMaintained(store);
  try {
    const { changes } = await storage.changesAfter(0n, 100_000);
    return changes.map(plainChange);
  } finally {
    await storage.close();
  }
}

async function problemsIn(store: ObjectStore): Promise<unknown> {
  const storage = openMaintained(store);
  const { problems } = await storage.maintenance.verify();
  await storage.close();
  return problems;
}

test('the copy has every record in its last state and the orphaned ones, and the source stays as it is', async () => {
  const { store: old, changes } = await inFormat1();
  const { store } = await emptyPlace();
  const before = await objectsOf(old);
  const report = await upgraded(old, store);
  expect(report).toEqual({ position: 116n, rows: 89, orphans: 4 });
  expect(await changesIn(store)).toEqual(changes);
  expect(await problemsIn(store)).toEqual([]);
  expect(await objectsOf(old)).toEqual(before);
  expect(await upgraded(old, store)).toEqual({ position: 116n, rows: 0, orphans: 0 });
});

test('cut off before or after any put, the next upgrade ends as an undisturbed one', async () => {
  const { store: old, changes } = await inFormat1();
  const counting = createFaultyObjectStore((await emptyPlace()).store);
  await upgraded(old, counting);
  const puts = counting.calls.filter(({ operation }) => operation === 'put').length;
  expect(puts).toBeGreaterThan(20);
  for (let nth = 1; nth <= puts; nth += 1)
    for (const when of ['before', 'after'] as const) {
      const { store } = await emptyPlace();
      const mortal = createMortalStore(store);
      const faulty = createFaultyObjectStore(mortal);
      faulty.failOn({
        ...{ operation: 'put', nth, when },
        error: () => {
          mortal.kill();
          throw new ObjectStoreUnavailableError('the process was killed');
        },
      });
      await expect(upgraded(old, faulty)).rejects.toMatchObject({ name: 'StorageUnavailableError' });
      await upgraded(old, store);
      expect(await changesIn(store)).toEqual(changes);
      if (when === 'after') expect(await problemsIn(store)).toEqual([]);
    }
});

test('a copy that has not ended is opened by nothing but an upgrade', async () => {
  const { store: old } = await inFormat1();
  const { store } = await emptyPlace();
  const faulty = createFaultyObjectStore(store);
  faulty.failOn({
    operation: 'put',
    when: 'before',
    nth: 3,
    key: (key) => key.includes('ledger/_delta_log'),
  });
  await expect(upgraded(old, faulty)).rejects.toMatchObject({ name: 'StorageUnavailableError' });
  await expect(committed(store)).rejects.toMatchObject({
    cause: { code: 'DELTA_UNSUPPORTED', message: expect.stringContaining('upgrade that has not ended') },
  });
  const follower = openMaintained(store);
  const { origin, live } = createLife(3);
  await live(5);
  await expect(follow(follower, origin)).rejects.toMatchObject({ cause: { code: 'DELTA_UNSUPPORTED' } });
  await follower.close();
});

test('an upgrade is refused into a place with other data, and of a namespace of the present format', async () => {
  const { store: old } = await inFormat1();
  const { store } = await emptyPlace();
  const { origin, live } = createLife(4);
  await live(5);
  const archive = openMaintained(store);
  await follow(archive, origin);
  await archive.close();
  const before = await committed(store);
  await expect(upgraded(old, store)).rejects.toMatchObject({ code: 'UPGRADE_REFUSED' });
  await expect(upgraded(store, (await emptyPlace()).store)).rejects.toMatchObject({
    code: 'UPGRADE_REFUSED',
    message: expect.stringContaining('of format 3 already'),
  });
  await expect(upgraded((await emptyPlace()).store, (await emptyPlace()).store)).rejects.toMatchObject({
    code: 'UPGRADE_REFUSED',
    message: expect.stringContaining('holds nothing'),
  });
  expect(await committed(store)).toEqual(before);
});

async function objectsOf(store: ObjectStore): Promise<string[]> {
  return (await store.list('')).objects.map(({ key, sizeBytes }) => `${key} ${sizeBytes}`);
}
