import { afterEach, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { createDeltaLog } from '../../../src/storage/cold/delta/delta-log.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import { loadZstd } from '../../../src/storage/cold/parquet/zstd.js';
import { TABLE_COLUMNS } from '../../../src/storage/cold/rows/table-columns.js';
import { TABLE_NAMES, type TableName } from '../../../src/storage/cold/rows/table-name.js';
import { openMaintained } from '../../support/cold/maintenance.js';
import {
  allOf,
  committed,
  createDyingStore,
  createLife,
  createMortalStore,
  follow,
} from '../../support/cold/storage-life.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';
import { createFaultyObjectStore } from '../../support/s3/object-store-faults.js';

const directories: TestDirectoryStore[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0)) await directory.remove();
});

async function newStore(): Promise<ObjectStore> {
  const directory = await createTestDirectoryStore();
  directories.push(directory);
  return directory.store;
}

async function logOf(store: ObjectStore, table: TableName) {
  return createDeltaLog({ store, root: `test/${table}`, table, zstd: await loadZstd(), common: createCommon() });
}

/** A flush whose process dies before its commit to a table. */
async function dyingFlush(store: ObjectStore, life: ReturnType<typeof createLife>, table: TableName): Promise<void> {
  const mortal = createMortalStore(store);
  const faulty = createFaultyObjectStore(mortal);
  const archive = openMaintained(faulty);
  await follow(archive, life.origin);
  faulty.failOn({
    operation: 'put',
    when: 'before',
    key: (key) => key.startsWith(`test/${table}/_delta_log/`),
    error: () => {
      mortal.kill();
      throw new ObjectStoreUnavailableError('the process was killed');
    },
  });
  await expect(archive.flush()).rejects.toMatchObject({ name: 'StorageUnavailableError' });
  await archive.close().catch(() => undefined);
}

test('a reader that looks whether there is something new asks one log, once', async () => {
  const store = await newStore();
  const life = createLife(601);
  const archive = openMaintained(store);
  await life.live(20);
  await follow(archive, life.origin);
  await archive.flush();
  const counting = createFaultyObjectStore(store);
  const reader = openMaintained(counting, { role: 'reader', refreshIntervalMs: 0 });
  await reader.ready();
  await reader.countMessages({ endMs: reader.coverage().throughMs });
  const before = counting.calls.length;
  await reader.countMessages({ endMs: reader.coverage().throughMs });
  expect(counting.calls.slice(before).map(({ key }) => key)).toEqual([
    'test/ledger/_delta_log/00000000000000000002.json',
  ]);
  await reader.close();
  await archive.close();
});

test('every table reads as its ledger names it, whatever a flush that died has committed, and as before once that was taken back', async () => {
  const store = await newStore();
  const life = createLife(602);
  const first = openMaintained(store);
  await life.live(20);
  await follow(first, life.origin);
  await first.close();
  const before = await committed(store);
  const filesOf = async (table: TableName) => [...(await (await logOf(store, table)).read())!.files.keys()].sort();
  const files = Object.fromEntries(await Promise.all(TABLE_NAMES.map(async (table) => [table, await filesOf(table)])));
  await life.live(20);
  await dyingFlush(store, life, 'ledger');
  for (const table of ['messages', 'verifier_results'] as const) expect(await filesOf(table)).not.toEqual(files[table]);
  expect(await committed(store)).toEqual(before);
  // the next writer takes it back, and dies before it has anything to show
  await dyingFlush(store, life, 'messages');
  const back = openMaintained(store);
  expect((await back.maintenance.describe()).tornFiles).toBeGreaterThan(0);
  await follow(back, life.origin);
  await back.flush();
  expect((await back.maintenance.describe()).tornFiles).toBe(0);
  expect((await back.maintenance.verify()).problems).toEqual([]);
  await back.close();
  expect(await committed(store)).toEqual(await allOf(life.origin));
});

test('a compaction whose process died before the ledger named it is named by the next one', async () => {
  const store = await newStore();
  const life = createLife(603);
  const archive = openMaintained(store);
  for (let flush = 0; flush < 9; flush += 1) {
    await life.live(10);
    await follow(archive, life.origin);
    await archive.flush();
  }
  const faulty = createDyingStore(store, (key) => key.startsWith('test/ledger/_delta_log/'));
  const compactor = openMaintained(faulty);
  await expect(compactor.maintenance.compact({ full: true })).rejects.toThrow();
  const before = (await archive.maintenance.describe()).tables[0]!;
  expect(before.files).toBeGreaterThan(5);
  await archive.maintenance.compact();
  const after = (await archive.maintenance.describe()).tables[0]!;
  expect(after).toMatchObject({ files: 1, version: before.version + 1 });
  expect(await committed(store)).toEqual(await allOf(life.origin));
  await archive.close();
});

test('a namespace of another format is refused, with the way on', async () => {
  const store = await newStore();
  for (const table of TABLE_NAMES) await (await logOf(store, table)).open(TABLE_COLUMNS[table]);
  const storage = openMaintained(store);
  await expect(storage.ready()).rejects.toMatchObject({
    cause: { code: 'DELTA_UNSUPPORTED', message: expect.stringMatching(/format 1.*storage upgrade/) },
  });
  await storage.close();
});
