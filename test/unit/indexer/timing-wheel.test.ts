import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Timed, TimingWheel } from '../../../src/indexer/timing-wheel.js';

interface Item extends Timed {
  readonly id: number;
}

const item = (id: number): Item => ({ id, dueMs: 0, slot: -1 });

describe('a timing wheel', () => {
  it('gives every item once, never before it is due and at most a tick late', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 2, max: 20 }),
        fc.array(fc.nat(5_000), { maxLength: 50 }),
        fc.array(fc.nat(400), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 0, max: 10_000 }),
        (tickMs, slots, delaysMs, stepsMs, startMs) => {
          const wheel = new TimingWheel<Item>({ tickMs, slots, nowMs: startMs });
          const waiting = new Set(delaysMs.map((_, id) => id));
          delaysMs.forEach((delayMs, id) => void wheel.schedule(item(id), startMs + delayMs));
          let nowMs = startMs;
          for (const stepMs of [...stepsMs, 6_000]) {
            nowMs += stepMs;
            for (const { id, dueMs } of wheel.advance(nowMs)) {
              expect(dueMs).toBeLessThanOrEqual(nowMs);
              expect(waiting.delete(id)).toBe(true);
            }
            for (const id of waiting) expect(startMs + (delaysMs[id] ?? 0)).toBeGreaterThan(nowMs - 2 * tickMs);
          }
          expect(waiting.size).toBe(0);
        },
      ),
    );
  });

  it('forgets what is cancelled', () => {
    const wheel = new TimingWheel<Item>({ tickMs: 10, slots: 4, nowMs: 0 });
    const kept = item(1);
    const cancelled = item(2);
    wheel.schedule(kept, 1_000);
    wheel.schedule(cancelled, 1_000);
    wheel.cancel(cancelled);
    wheel.cancel(cancelled);
    expect(wheel.advance(1_000)).toEqual([kept]);
    expect(wheel.advance(10_000)).toEqual([]);
  });
});
