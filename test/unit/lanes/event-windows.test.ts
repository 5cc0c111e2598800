import { expect, test } from 'vitest';
import { EventWindows, sumOfWindows } from '../../../src/lanes/event-windows.js';

const MINUTE_MS = 60_000;

test('a window has every event that was noted until it is asked, and lets go of each when its minute is over', () => {
  const nowMs = 1_763_000_040_000;
  const [one, other] = [new EventWindows(1), new EventWindows(1)];
  const counts = (atMs: number) => [
    one.window('5m', atMs)[0]?.count,
    one.window('24h', atMs)[0]?.count,
    sumOfWindows([one, other], 1, '5m', atMs)[0]?.count,
  ];
  expect(counts(nowMs)).toEqual([0, 0, 0]);
  one.note(0, nowMs, 1_000, 1, nowMs);
  other.note(0, nowMs, 2_000, 1, nowMs);
  expect(counts(nowMs)).toEqual([1, 1, 2]);
  expect(sumOfWindows([one, other], 1, '5m', nowMs)[0]?.durations).toMatchObject({ count: 2 });
  one.note(0, nowMs, 1_000, -1, nowMs);
  expect(counts(nowMs)).toEqual([0, 0, 1]);
  one.note(0, nowMs, 1_000, 1, nowMs);
  expect(counts(nowMs + 5 * MINUTE_MS)).toEqual([1, 1, 2]);
  expect(counts(nowMs + 6 * MINUTE_MS)).toEqual([0, 1, 0]);
});
