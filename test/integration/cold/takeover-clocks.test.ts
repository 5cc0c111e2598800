import { describe, expect, test } from 'vitest';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import { createMemoryObjectStore, MemoryBucket } from '../../simulation/process/memory-object-store.js';
import { openMaintained } from '../../support/cold/maintenance.js';
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
});
