import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.js';
import { createShutdown } from '../../../src/core/shutdown.js';

test('what is registered after a shutdown that failed is closed too, and the failure stays the answer', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', note);
  const shutdown = createShutdown({ log: silentLogger });
  const closed: string[] = [];
  shutdown.add('first', () => {
    throw new Error('first failed');
  });
  await expect(shutdown.close()).rejects.toThrow('first failed');
  for (const name of ['late', 'later'])
    shutdown.add(name, () => {
      closed.push(name);
      if (name === 'late') throw new Error('late failed');
    });
  await expect(shutdown.close()).rejects.toThrow('first failed');
  expect(closed).toEqual(['later', 'late']);
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

test('a late failure after a shutdown that worked is told by close and ends nothing else', async () => {
  const shutdown = createShutdown({ log: silentLogger });
  await shutdown.close();
  shutdown.add('late', () => {
    throw new Error('late failed');
  });
  await expect(shutdown.close()).rejects.toThrow('late failed');
});
