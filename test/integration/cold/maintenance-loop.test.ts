import { afterEach, describe, expect, test } from 'vitest';
import { Registry } from '../../../src/core/metrics.js';
import type { ColdStorageOptions } from '../../../src/storage/cold/namespace/cold-storage-options.js';
import { createHoldingObjectStore, dataObjects, openMaintained } from '../../support/cold/maintenance.js';
import { allOf, committed, createLife, follow } from '../../support/cold/storage-life.js';
import { eventually } from '../../support/eventually.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';
import { createFaultyObjectStore } from '../../support/s3/object-store-faults.js';

const MINUTE_MS = 60_000;

const directories: TestDirectoryStore[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0)) await directory.remove();
});

/** An archive on a clock of its own that maintains itself, with twelve small flushes in it. */
async function selfMaintained(options: Partial<ColdStorageOptions> = {}) {
  const directory = await createTestDirectoryStore();
  directories.push(directory);
  const faulty = createFaultyObjectStore(directory.store);
  const holding = createHoldingObjectStore(faulty);
  // ahead of the machine's: what is stored now is older than any grace
  const clock = createManualClock(Date.now() + 3 * 60 * MINUTE_MS);
  const metrics = new Registry();
  const archive = openMaintained(holding, {
    compactIntervalMs: 10 * MINUTE_MS,
    vacuumIntervalMs: 60 * MINUTE_MS,
    graceMs: 60 * MINUTE_MS,
    common: { clock, metrics },
    ...options,
  });
  const life = createLife(60, createManualClock());
  for (let flush = 0; flush < 12; flush += 1) {
    await life.live(8);
    await follow(archive, life.origin);
    await archive.flush();
  }
  const metric = async (name: string, labels: Record<string, string> = {}) => {
    const { values } = (await metrics.getSingleMetric(name)?.get()) ?? { values: [] };
    const found = values.find((value) => Object.entries(labels).every(([label, is]) => value.labels[label] === is));
    return found?.value ?? 0;
  };
  return { store: directory.store, faulty, holding, clock, archive, life, metric };
}

describe('an archive that is written to', () => {
  test('compacts after its interval, and vacuums what that left after the grace', async () => {
    const { store, clock, archive, life, metric } = await selfMaintained();
    const before = (await dataObjects(store)).length;
    await clock.advance(15 * MINUTE_MS);
    await eventually('a compaction', async () => (await metric('indexer_cold_compactions_total')) === 1);
    const { tables } = await archive.maintenance.describe();
    // those of executions are too few to be merged
    const ofExecutions = tables.find(({ table }) => table === 'executions')!.files;
    expect(tables.map(({ files }) => files)).toEqual([1, 1, ofExecutions, 1]);
    expect((await dataObjects(store)).length).toBeGreaterThan(before);
    expect(await metric('indexer_cold_compacted_dropped_rows_total', { table: 'ledger' })).toBeGreaterThan(0);
    // the first vacuum may come within the grace, and the next is due only some time after that one has ended
    await eventually('a vacuum', async () => {
      await clock.advance(30 * MINUTE_MS);
      return (await dataObjects(store)).length === 2 * (3 + ofExecutions);
    });
    await eventually(
      'its count',
      async () => (await metric('indexer_cold_vacuumed_files_total', { kind: 'removed' })) > 30,
    );
    expect(await committed(store)).toEqual(await allOf(life.origin));
    await archive.close();
    expect(clock.pending).toBe(0);
  });

  test('goes on after a failure', async () => {
    const { faulty, clock, archive, metric } = await selfMaintained();
    faulty.failOn({ operation: 'put', when: 'before', key: (key) => key.includes('day=') });
    await clock.advance(15 * MINUTE_MS);
    await eventually(
      'a failure',
      async () => (await metric('indexer_cold_maintenance_failures_total', { task: 'compact' })) === 1,
    );
    await clock.advance(15 * MINUTE_MS);
    await eventually('a compaction', async () => (await metric('indexer_cold_compactions_total')) === 1);
    await archive.close();
  });

  test('that is closed in the middle of a compaction ends it without a trace', async () => {
    const { store, holding, clock, archive, life } = await selfMaintained();
    const objects = await dataObjects(store);
    const reached = holding.hold((key) => key.includes('messages/day='));
    await clock.advance(15 * MINUTE_MS);
    const { release } = await reached;
    const closing = archive.close();
    release();
    await closing;
    expect(clock.pending).toBe(0);
    expect(await committed(store)).toEqual(await allOf(life.origin));
    // the messages were compacted before it saw that it was to end, or nothing was
    expect([objects.length, objects.length + 2]).toContain((await dataObjects(store)).length);
  });

  test('with both intervals 0 never does', async () => {
    const { faulty, clock, archive } = await selfMaintained({ compactIntervalMs: 0, vacuumIntervalMs: 0 });
    const before = faulty.calls.length;
    await clock.advance(24 * 60 * MINUTE_MS);
    expect(faulty.calls.length).toBe(before);
    await archive.close();
  });
});

test('a storage that is only read leaves maintenance to those who write', async () => {
  const { store, clock, archive } = await selfMaintained({ compactIntervalMs: 0, vacuumIntervalMs: 0 });
  await archive.close();
  const faulty = createFaultyObjectStore(store);
  const reader = openMaintained(faulty, { role: 'leader', compactIntervalMs: MINUTE_MS, common: { clock } });
  await reader.queryMessages({});
  await clock.advance(30 * MINUTE_MS);
  expect(faulty.calls.filter(({ operation }) => operation === 'put')).toEqual([]);
  await reader.close();
  expect(clock.pending).toBe(0);
});
