import { afterEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import { Follower } from '../../../src/sink/follow/follower.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createRecordMaker } from '../../support/records.js';
import { createFaultyStorage } from '../../support/sink/faulty-storage.js';

/** A follower that is some pages behind its leader. On a manual clock; the leader is a memory that counts as durable. */
describe('pages of a leader', () => {
  const cleanups: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function setUp(pageSize = 5) {
    const clock = createManualClock();
    const common = createCommon({ clock });
    const warm = createFaultyStorage(createMemoryStorage({ name: 'warm', common }), { durable: true });
    const hot = createFaultyStorage(createMemoryStorage({ name: 'hot', common }));
    const make = createRecordMaker(1);
    const write = async () => await warm.storage.insertBatch({ verifierResults: make.results(1) });
    for (let commit = 0; commit < 20; commit += 1) await write();
    const asked: bigint[] = [];
    warm.before('changesAfter', (after) => void asked.push(after as bigint));
    const missed: Error[] = [];
    const follower = new Follower({
      leader: warm.storage,
      storage: hot.storage,
      changesAfter: (after, limit) => warm.storage.changesAfter(after, limit),
      common,
      options: { heartbeatMs: 1_000, pageSize, retry: { baseMs: 100, maxMs: 800 } },
      events: {
        onMissed: (error) => void missed.push(error),
        onHealed: () => undefined,
        onProgress: () => undefined,
      },
    });
    cleanups.push(
      () => hot.storage.close(),
      () => warm.storage.close(),
      () => follower.close(),
    );
    return { clock, warm, hot, write, follower, asked, missed };
  }

  test('the next one is read while a follower applies the one before', async () => {
    const { clock, hot, follower, asked } = await setUp();
    const release = hot.hold('apply');
    follower.start();
    await clock.settle();
    expect(follower.throughPosition).toBe(0n);
    expect(asked.slice(-2)).toEqual([0n, 5n]);
    release();
    await clock.settle();
    expect(follower.throughPosition).toBe(20n);
    expect(asked.slice(-4)).toEqual([0n, 5n, 10n, 15n]);
    expect(follower.state).toBe('current');
  });

  test('promise 4: one that was read before a question was asked does not answer it', async () => {
    const { clock, hot, write, follower, asked } = await setUp(10);
    const release = hot.hold('apply');
    follower.start();
    await clock.settle();
    // the last page is here
    expect(asked.at(-1)).toBe(10n);
    const before = asked.length;
    const confirmed = follower.confirm();
    await write();
    release();
    await confirmed;
    expect(asked.slice(before)).toContain(20n);
    expect(follower.throughPosition).toBe(21n);
  });

  test('one that could not be read ahead is read when it is needed', async () => {
    const { clock, warm, hot, follower, missed, asked } = await setUp();
    let failures = 0;
    warm.before('changesAfter', (after) => {
      asked.push(after as bigint);
      if (after !== 5n || failures > 0) return;
      failures += 1;
      throw new StorageUnavailableError('warm', 'read changes');
    });
    const release = hot.hold('apply');
    follower.start();
    await clock.settle();
    expect(failures).toBe(1);
    release();
    await clock.settle();
    expect(follower.throughPosition).toBe(20n);
    expect(asked.filter((after) => after === 5n)).toHaveLength(2);
    expect(missed).toEqual([]);
  });
});
