import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planSlices } from '../../../src/sink/read/planner.js';

const OPEN = Number.POSITIVE_INFINITY;
const backend = (name: string, fromMs: number, toMs: number) => ({ name, usable: { fromMs, toMs } });
const brief = (slices: readonly { startMs: number; endMs: number; candidate: { name: string } | null }[]) =>
  slices.map(({ startMs, endMs, candidate }) => [startMs, endMs, candidate?.name ?? null]);

describe('query plan', () => {
  test('a range across a boundary is cut there, each side to its tier', () => {
    expect(brief(planSlices(0, OPEN, [backend('hot', 100, OPEN), backend('warm', 0, OPEN)]))).toEqual([
      [0, 99, 'warm'],
      [100, OPEN, 'hot'],
    ]);
  });

  test('the first in configured order wins where several can answer', () => {
    const [hot, warm] = [backend('hot', 0, OPEN), backend('warm', 0, OPEN)];
    expect(brief(planSlices(0, OPEN, [hot, warm]))).toEqual([[0, OPEN, 'hot']]);
    expect(brief(planSlices(0, OPEN, [warm, hot]))).toEqual([[0, OPEN, 'warm']]);
  });

  test('three tiers with both ends limited', () => {
    expect(
      brief(planSlices(5, OPEN, [backend('hot', 80, OPEN), backend('warm', 40, OPEN), backend('cold', 0, 60)])),
    ).toEqual([
      [5, 39, 'cold'],
      [40, 79, 'warm'],
      [80, OPEN, 'hot'],
    ]);
  });

  test('promise 3: a part that nobody can answer stays in the plan without a backend', () => {
    expect(brief(planSlices(0, 100, [backend('a', 0, 40), backend('b', 60, 80)]))).toEqual([
      [0, 40, 'a'],
      [41, 59, null],
      [60, 80, 'b'],
      [81, 100, null],
    ]);
  });

  test('a backend that ends in time does not answer the open end', () => {
    expect(brief(planSlices(0, OPEN, [backend('a', 0, 1_000)]))).toEqual([
      [0, 1_000, 'a'],
      [1_001, OPEN, null],
    ]);
    expect(brief(planSlices(0, 1_000, [backend('a', 0, 1_000)]))).toEqual([[0, 1_000, 'a']]);
  });

  test('a range of one millisecond, and an empty one', () => {
    expect(brief(planSlices(7, 7, [backend('a', 7, 7)]))).toEqual([[7, 7, 'a']]);
    expect(planSlices(8, 7, [backend('a', 0, OPEN)])).toEqual([]);
  });

  test('a backend with nothing to offer changes nothing', () => {
    expect(brief(planSlices(0, 9, [{ name: 'never', usable: null }, backend('a', 0, OPEN)]))).toEqual([[0, 9, 'a']]);
  });

  test('for any backends: slices cover the range once, in order, each by the first that can answer every ms of it', () => {
    const time = fc.integer({ min: 0, max: 30 });
    const interval = fc.option(
      fc
        .tuple(time, fc.oneof(time, fc.constant(OPEN)))
        .map(([a, b]) => ({ fromMs: Math.min(a, b), toMs: Math.max(a, b) })),
    );
    fc.assert(
      fc.property(time, time, fc.boolean(), fc.array(interval, { maxLength: 4 }), (a, b, isOpen, intervals) => {
        const startMs = Math.min(a, b);
        const endMs = isOpen ? OPEN : Math.max(a, b);
        const candidates = intervals.map((usable, name) => ({ name, usable }));
        const slices = planSlices(startMs, endMs, candidates);
        expect(slices[0]!.startMs).toBe(startMs);
        expect(slices.at(-1)!.endMs).toBe(endMs);
        slices.slice(1).forEach((slice, i) => {
          expect(slice.startMs).toBe(slices[i]!.endMs + 1);
          expect(slice.candidate).not.toBe(slices[i]!.candidate);
        });
        const owner = (ms: number) =>
          candidates.find(({ usable }) => usable && usable.fromMs <= ms && ms <= usable.toMs) ?? null;
        for (const slice of slices)
          for (let ms = slice.startMs; ms <= Math.min(slice.endMs, 40); ms += 1)
            expect(slice.candidate).toBe(owner(ms));
        const last = slices.at(-1)!;
        if (endMs === OPEN) expect(last.candidate).toBe(owner(1e12));
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});
