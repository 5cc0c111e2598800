import { expect, it } from 'vitest';
import { AbortedError } from '../../../src/core/errors.js';
import { createThrottle, type ThrottleLimits } from '../../../src/migration/throttle.js';
import { createManualClock } from '../../support/manual-clock.js';

const NONE: ThrottleLimits = { rowsPerSecond: null, latencyMs: null, lagMs: null };

/** A pass of pages of `rows`, each answered after `answerMs()`; `at` has the times at which pages began. */
function passOver(
  limits: Partial<ThrottleLimits>,
  { rows = 100, answerMs = () => 0, lag }: { rows?: number; answerMs?: () => number; lag?: () => Promise<number> } = {},
) {
  const clock = createManualClock();
  const throttle = createThrottle({ limits: { ...NONE, ...limits }, clock, ...(lag && { lag }) });
  const at: number[] = [];
  const stop = new AbortController();
  const ended = (async () => {
    for (;;) {
      await throttle.take(rows, stop.signal);
      const beganMs = clock.monotonicMs();
      at.push(beganMs);
      await clock.sleep(Math.max(1, answerMs()), stop.signal);
      throttle.answered(clock.monotonicMs() - beganMs);
    }
  })().catch((thrown: unknown) => thrown);
  return { clock, throttle, at, stop, ended };
}

it('reads so many rows a second, however large the pages', async () => {
  const small = passOver({ rowsPerSecond: 1_000 }, { rows: 10 });
  await small.clock.advance(995);
  expect(small.at.slice(0, 4)).toEqual([0, 10, 20, 30]);
  expect(small.throttle.brake()).toBe('rows');
  const large = passOver({ rowsPerSecond: 1_000 }, { rows: 2_500 });
  await large.clock.advance(6_000);
  expect(large.at).toEqual([0, 2_500, 5_000]);
});

it('saves nothing up while the pass does something else', async () => {
  const clock = createManualClock();
  const throttle = createThrottle({ limits: { ...NONE, rowsPerSecond: 1_000 }, clock });
  await throttle.take(100);
  await clock.advance(60_000);
  await throttle.take(100);
  let isTaken = false;
  void throttle.take(100).then(() => {
    isTaken = true;
  });
  await clock.advance(99);
  expect(isTaken).toBe(false);
  await clock.advance(1);
  expect(isTaken).toBe(true);
});

it('rests longer and longer while the store answers slowly, and less and less once it does not', async () => {
  let answerMs = 200;
  const { clock, at, throttle } = passOver({ latencyMs: 150 }, { answerMs: () => answerMs });
  await clock.advance(200 + 200 + 200 + 400 + 200 + 800);
  expect(at).toEqual([0, 400, 1_000, 2_000]);
  answerMs = 100;
  await clock.advance(200 + 1_600 + 1);
  expect(throttle.brake()).toBe(null);
  at.length = 0;
  await clock.advance(99 + 800 + 100 + 400 + 100 + 200);
  expect(at).toEqual([4_700, 5_200, 5_500]);
  await clock.advance(3_000);
  // the rest is gone: one page follows the other
  const lastTwo = at.slice(-2);
  expect(lastTwo[1]! - lastTwo[0]!).toBe(100);
});

it('never rests for more than half a minute', async () => {
  const { clock, at } = passOver({ latencyMs: 10 }, { answerMs: () => 20_000 });
  await clock.advance(1_000_000);
  expect(at.at(-1)! - at.at(-2)!).toBe(50_000);
});

it('stands still while a standby is behind, and asks once a second', async () => {
  let lagMs = 5_000;
  let asked = 0;
  const { clock, at, throttle } = passOver(
    { lagMs: 1_000 },
    {
      answerMs: () => 100,
      lag: async () => {
        asked += 1;
        return lagMs;
      },
    },
  );
  await clock.advance(10_500);
  expect(at).toEqual([]);
  expect(asked).toBe(11);
  expect(throttle.brake()).toBe('lag');
  lagMs = 900;
  await clock.advance(2_000);
  expect(at[0]).toBe(11_000);
  expect(at.length).toBeGreaterThan(10);
  expect(asked).toBe(13);
});

it('goes on where the lag cannot be asked for', async () => {
  const { clock, at } = passOver({ lagMs: 1_000 }, { lag: () => Promise.reject(new Error('permission denied')) });
  await clock.advance(10);
  expect(at.length).toBe(11);
});

it('ends at once when it is called off, and leaves no timer', async () => {
  const { clock, stop, ended } = passOver({ rowsPerSecond: 1 });
  await clock.advance(10);
  stop.abort();
  expect(await ended).toBeInstanceOf(AbortedError);
  expect(clock.pending).toBe(0);
  const { throttle } = passOver({});
  await expect(throttle.take(1, stop.signal)).rejects.toBeInstanceOf(AbortedError);
});
