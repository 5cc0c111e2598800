import type { Clock } from '../../src/core/clock.js';
import { AbortedError } from '../../src/core/errors.js';

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Moves on, firing what becomes due in order, and lets promises settle after each. */
  advance(durationMs: number): Promise<void>;
  /** Lets promises settle without moving. */
  settle(): Promise<void>;
  /** Timers that are set: none should be left at the end of a test. */
  readonly pending: number;
}

interface Timer {
  dueMs: number;
  readonly order: number;
  fire(): void;
}

const SETTLE_TURNS = 5;

/** A manual clock at `startMs` (unix ms; default: in November 2025). */
export function createManualClock(startMs = 1_763_000_000_000): ManualClock {
  const timers = new Set<Timer>();
  const sleepers = new WeakMap<AbortSignal, Set<() => void>>();
  let elapsedMs = 0;
  let order = 0;

  function add(durationMs: number, fire: (timer: Timer) => void): () => void {
    const timer: Timer = { dueMs: elapsedMs + Math.max(0, durationMs), order: order++, fire: () => fire(timer) };
    timers.add(timer);
    return () => timers.delete(timer);
  }

  function nextDue(untilMs: number): Timer | null {
    let next: Timer | null = null;
    for (const timer of timers)
      if (
        timer.dueMs <= untilMs &&
        (!next || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.order < next.order))
      )
        next = timer;
    return next;
  }

  /** A signal has one listener here, however many sleep on it: Node warns of the eleventh. */
  function endsOf(signal: AbortSignal): Set<() => void> {
    let ends = sleepers.get(signal);
    if (ends) return ends;
    ends = new Set();
    sleepers.set(signal, ends);
    signal.addEventListener('abort', () => ends.forEach((end) => end()), { once: true });
    return ends;
  }

  async function settle(): Promise<void> {
    for (let turn = 0; turn < SETTLE_TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    sleep: (durationMs, signal) =>
      new Promise<void>((resolve, reject) => {
        if (signal?.aborted) return reject(new AbortedError('sleep'));
        const ends = signal ? endsOf(signal) : new Set();
        const end = () => {
          cancel();
          reject(new AbortedError('sleep'));
        };
        const cancel = add(durationMs, (timer) => {
          timers.delete(timer);
          ends.delete(end);
          resolve();
        });
        ends.add(end);
      }),
    after: (durationMs, callback) =>
      add(durationMs, (timer) => {
        timers.delete(timer);
        callback();
      }),
    every: (periodMs, callback) =>
      add(periodMs, (timer) => {
        timer.dueMs += periodMs;
        callback();
      }),
    async advance(durationMs) {
      const untilMs = elapsedMs + durationMs;
      await settle();
      for (let timer = nextDue(untilMs); timer; timer = nextDue(untilMs)) {
        elapsedMs = timer.dueMs;
        timer.fire();
        await settle();
      }
      elapsedMs = untilMs;
      await settle();
    },
    settle,
    get pending() {
      return timers.size;
    },
  };
}
