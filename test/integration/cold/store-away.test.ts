import { describe, expect, test } from 'vitest';
import { Registry } from '../../../src/core/metrics.js';
import { createMemoryObjectStore, MemoryBucket } from '../../simulation/process/memory-object-store.js';
import { openMaintained } from '../../support/cold/maintenance.js';
import { allOf, committed, createLife, follow } from '../../support/cold/storage-life.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createFaultyObjectStore } from '../../support/s3/object-store-faults.js';

function newBucket() {
  const bucket = new MemoryBucket();
  return { bucket, store: createMemoryObjectStore(bucket, { nowMs: () => Date.now() }) };
}

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
