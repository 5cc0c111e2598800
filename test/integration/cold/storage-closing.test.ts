import { afterEach, beforeEach, expect, it } from 'vitest';
import { ClosedError } from '../../../src/core/errors.js';
import {
  ObjectStoreError,
  ObjectStoreUnavailableError,
} from '../../../src/storage/cold/object-store/object-store-errors.js';
import { openMaintained } from '../../support/cold/maintenance.js';
import { allOf, committed, createLife, follow, openArchive } from '../../support/cold/storage-life.js';
import { eventually } from '../../support/eventually.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';
import { createFaultyObjectStore } from '../../support/s3/object-store-faults.js';

let directory: TestDirectoryStore;
beforeEach(async () => {
  directory = await createTestDirectoryStore();
});
afterEach(() => directory.remove());

it.each([
  ['cannot be reached', new ObjectStoreUnavailableError('away')],
  ['was closed under it', new ClosedError('object store')],
])(
  'an archive closes while its store %s, and the next one makes up for what it could not flush',
  async (_what, error) => {
    const life = createLife(71);
    const store = createFaultyObjectStore(directory.store);
    const archive = openArchive(store);
    await life.live(20);
    await follow(archive, life.origin);
    await archive.flush();
    await life.live(20);
    await follow(archive, life.origin);
    store.failOn({ operation: 'put', when: 'before', error });
    await archive.close();

    const next = openArchive(store);
    await next.ready();
    expect(next.appliedPosition()).toBeLessThan((await life.origin.changesAfter(0n, 1)).headPosition);
    await follow(next, life.origin);
    await next.flush();
    await next.close();
    expect(await committed(store)).toEqual(await allOf(life.origin));
  },
);

it('an archive whose store refuses for good says so when it is closed', async () => {
  const life = createLife(72);
  const store = createFaultyObjectStore(directory.store);
  const archive = openArchive(store);
  await life.live(20);
  await follow(archive, life.origin);
  store.failOn({ operation: 'put', when: 'before', error: new ObjectStoreError('refused') });
  await expect(archive.close()).rejects.toMatchObject({ code: 'STORAGE_FAILURE' });
});

it('promise 8: an archive that was closed while a flush failed commits nothing later, when the store is back', async () => {
  const clock = createManualClock();
  const life = createLife(73, clock);
  const store = createFaultyObjectStore(directory.store);
  const archive = openMaintained(store, { flushIntervalMs: 60_000, common: { clock } });
  await life.live(20);
  await follow(archive, life.origin);
  let isReached = false;
  let isReleased = false;
  store.failOn({
    ...{ operation: 'put', when: 'before' },
    error: async () => {
      isReached = true;
      await eventually('the flush may fail', async () => isReleased);
      throw new ObjectStoreUnavailableError('away');
    },
  });
  await clock.advance(60_000);
  await eventually('the flush has begun', async () => isReached);
  const closing = archive.close();
  // that of the last flush
  store.failOn({ operation: 'put', when: 'before', error: new ObjectStoreUnavailableError('away') });
  isReleased = true;
  await closing;
  store.heal();
  const calls = store.calls.length;
  await clock.advance(600_000);
  expect(store.calls.slice(calls)).toEqual([]);
});
