import { expect, test } from 'vitest';
import { createResultCount } from '../../../src/api/v2/stats.js';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import { createManualClock } from '../../support/manual-clock.js';

test('verifications are counted once at a time, again after ten seconds, and again after a failure', async () => {
  const clock = createManualClock();
  const asked: { resolve(count: number): void; reject(error: Error): void }[] = [];
  const count = createResultCount(
    {
      count: async () => {
        const found = await new Promise<number>((resolve, reject) => asked.push({ resolve, reject }));
        return { count: found, asOf: { position: 1n, movePosition: 0n } };
      },
    },
    clock,
  );
  const first = count();
  await clock.advance(60_000);
  const second = count();
  expect(asked).toHaveLength(1);
  asked[0]?.resolve(7);
  expect(await Promise.all([first, second])).toEqual([7, 7]);
  await clock.advance(9_999);
  expect(await count()).toBe(7);
  await clock.advance(1);
  const failed = expect(count()).rejects.toThrow('warm');
  asked[1]?.reject(new StorageUnavailableError('warm', 'count'));
  await failed;
  const third = count();
  asked[2]?.resolve(8);
  expect(await third).toBe(8);
  expect(asked).toHaveLength(3);
});
