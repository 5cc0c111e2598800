import { describe, expect, test } from 'vitest';
import {
  admitsLookups,
  admittedInterval,
  alwaysRead,
  describeCondition,
  intersect,
  neverRead,
  olderRead,
  type ReadCondition,
  recentRead,
  timeRangeRead,
} from '../../../src/model/read-conditions.js';

const NOW = 1_000_000;
const OPEN = Number.POSITIVE_INFINITY;

describe('read conditions', () => {
  test.each<[string, ReadCondition, { fromMs: number; toMs: number } | null]>([
    ['always', alwaysRead(), { fromMs: 0, toMs: OPEN }],
    ['never', neverRead(), null],
    ['a time range', timeRangeRead(5, 9), { fromMs: 5, toMs: 9 }],
    ['a time range of one millisecond', timeRangeRead(5, 5), { fromMs: 5, toMs: 5 }],
    ['a time range without start', timeRangeRead(undefined, 9), { fromMs: 0, toMs: 9 }],
    ['a time range without end', timeRangeRead(5), { fromMs: 5, toMs: OPEN }],
    ['a time range that ended before time', timeRangeRead(null, -1), null],
    ['recent', recentRead(1000), { fromMs: NOW - 1000, toMs: OPEN }],
    ['recent for longer than there has been time', recentRead(NOW * 2), { fromMs: 0, toMs: OPEN }],
    ['older', olderRead(1000), { fromMs: 0, toMs: NOW - 1000 }],
    ['older than everything', olderRead(NOW + 1), null],
  ])('%s', (_name, condition, interval) => {
    expect(admittedInterval(condition, NOW)).toEqual(interval);
  });

  test('recent and older of the same duration leave no gap', () => {
    const recent = admittedInterval(recentRead(10), NOW);
    const older = admittedInterval(olderRead(10), NOW);
    expect(recent!.fromMs).toBeLessThanOrEqual(older!.toMs + 1);
  });

  test('only never keeps a backend from lookups by id', () => {
    for (const condition of [alwaysRead(), timeRangeRead(1, 2), recentRead(1), olderRead(1)])
      expect(admitsLookups(condition)).toBe(true);
    expect(admitsLookups(neverRead())).toBe(false);
  });

  test.each([
    () => timeRangeRead(2, 1),
    () => timeRangeRead(0.5),
    () => timeRangeRead(0, Number.NaN),
    () => recentRead(-1),
    () => olderRead(1.5),
    () => recentRead(OPEN),
  ])('what cannot be meant is refused', (make) => {
    expect(make).toThrowError(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  test('an unknown condition throws', () => {
    expect(() => admittedInterval({ kind: 'sometimes' } as never, NOW)).toThrowError(/unknown read condition/);
    expect(() => describeCondition({ kind: 'sometimes' } as never)).toThrowError(/unknown read condition/);
  });

  test('a condition reads as an operator would write it', () => {
    expect(
      [alwaysRead(), neverRead(), timeRangeRead(1), timeRangeRead(null, 2), recentRead(3), olderRead(4)].map(
        describeCondition,
      ),
    ).toEqual(['always', 'never', 'timeRange(1..)', 'timeRange(..2)', 'recent(3 ms)', 'older(4 ms)']);
  });

  test('intervals intersect inclusively', () => {
    expect(intersect({ fromMs: 0, toMs: 5 }, { fromMs: 5, toMs: OPEN })).toEqual({ fromMs: 5, toMs: 5 });
    expect(intersect({ fromMs: 0, toMs: 4 }, { fromMs: 5, toMs: OPEN })).toBeNull();
  });
});
