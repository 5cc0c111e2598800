import { describe, expect, test } from 'vitest';
import { createMemoryObjectStore, MemoryBucket } from '../../simulation/process/memory-object-store.js';
import { openMaintained } from '../../support/cold/maintenance.js';
import { allOf, committed, createLife, follow } from '../../support/cold/storage-life.js';

function newBucket() {
  const bucket = new MemoryBucket();
  return { bucket, store: createMemoryObjectStore(bucket, { nowMs: () => Date.now() }) };
}

describe('a namespace that two indexers with a database each were given by mistake', () => {
  test('takes the history of one of them only, also when both begin at the same time', async () => {
    const { store } = newBucket();
    const lives = [createLife(305), createLife(306)];
    const archives = lives.map(() => openMaintained(store));
    for (const [index, archive] of archives.entries()) {
      await lives[index]!.live(10 + 10 * index);
      await follow(archive, lives[index]!.origin);
    }
    await archives[0]!.flush();
    const expected = await committed(store);
    await expect(archives[1]!.flush()).rejects.toMatchObject({ name: 'DivergedError' });
    await lives[1]!.live(10);
    await expect(follow(archives[1]!, lives[1]!.origin)).rejects.toMatchObject({ name: 'DivergedError' });
    expect(await committed(store)).toEqual(expected);
    await archives[1]!.close().catch(() => undefined);
    await archives[0]!.close();
    expect(await committed(store)).toEqual(expected);
  });

  test.each([1, 2, 3, 4, 5, 6])('archives of one history are never taken for such (seed %i)', async (seed) => {
    const { store } = newBucket();
    const life = createLife(310 + seed);
    const archives = [openMaintained(store), openMaintained(store), openMaintained(store, { flushBytes: 500 })];
    for (let round = 0; round < 12; round += 1) {
      await life.live(6);
      for (const [index, archive] of archives.entries()) {
        if (life.make.random() < 0.6) {
          const set = await life.origin.changesAfter(archive.appliedPosition(), 3 + index * 40);
          await archive.apply(set);
        }
        if (life.make.random() < 0.3) await archive.flush();
        if (life.make.random() < 0.3) await archive.refresh();
      }
    }
    for (const archive of archives) {
      await follow(archive, life.origin);
      await archive.flush();
    }
    expect(await committed(store)).toEqual(await allOf(life.origin));
    for (const archive of archives) await archive.close();
  });
});
