import { describe, expect, test } from 'vitest';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import { createMemoryObjectStore, MemoryBucket } from '../../simulation/process/memory-object-store.js';
import { createHoldingObjectStore, openMaintained } from '../../support/cold/maintenance.js';
import { allOf, committed, createLife, createMortalStore, follow } from '../../support/cold/storage-life.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createFaultyObjectStore } from '../../support/s3/object-store-faults.js';

function newBucket() {
  const bucket = new MemoryBucket();
  return { bucket, store: createMemoryObjectStore(bucket, { nowMs: () => Date.now() }) };
}

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

  test('a flush that takes longer than the takeover time to store its files is not taken for dead', async () => {
    const { store } = newBucket();
    const clock = createManualClock();
    const life = createLife(304, clock);
    const slow: ObjectStore = {
      ...createMortalStore(store),
      putIfAbsent: async (key, bytes) => {
        if (key.includes('/part-') && key.endsWith('.parquet')) await clock.advance(60_000);
        return await store.putIfAbsent(key, bytes);
      },
    };
    await life.live(20);
    const holding = createHoldingObjectStore(slow);
    const one = openMaintained(holding, { takeoverMs: 30_000, common: { clock } });
    await follow(one, life.origin);
    const reached = holding.hold((key) => key.startsWith('test/ledger/_delta_log/00000000000000000001'));
    const flushing = one.flush();
    const { release } = await reached;
    const other = openMaintained(store, { takeoverMs: 30_000, common: { clock } });
    await follow(other, life.origin);
    let outcome = 'waiting';
    const waiting = other.flush().then(() => {
      outcome = 'flushed';
    });
    for (let turns = 0; turns < 50; turns += 1) await clock.advance(20);
    expect(outcome).toBe('waiting');
    release();
    await flushing;
    // its commit was the first, and nothing was taken back
    const { objects } = await store.list('test/messages/_delta_log/');
    expect(objects.length).toBe(2);
    for (let turns = 0; turns < 2000 && outcome === 'waiting'; turns += 1) await clock.advance(50);
    await waiting;
    await Promise.all([one.close(), other.close()]);
    expect(await committed(store)).toEqual(await allOf(life.origin));
  });
});
