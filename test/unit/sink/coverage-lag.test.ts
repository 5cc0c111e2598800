import { expect, test } from 'vitest';
import { CoverageLag } from '../../../src/sink/follow/coverage-lag.js';
import { createManualClock } from '../../support/manual-clock.js';

test('a tier that has not answered for a commit is late since it was told of it, until it answers for that one', async () => {
  const clock = createManualClock();
  const lag = new CoverageLag(clock);
  expect(lag.measure(5n, 5n)).toBe(0);
  expect(lag.measure(7n, 5n)).toBe(0);
  await clock.advance(1_000);
  expect(lag.measure(9n, 5n)).toBe(1_000);
  await clock.advance(500);
  // 8 and 9 came later
  expect(lag.measure(9n, 7n)).toBe(0);
  await clock.advance(200);
  expect(lag.measure(9n, 7n)).toBe(200);
  expect(lag.measure(9n, 9n)).toBe(0);
});
