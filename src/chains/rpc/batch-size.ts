import type { Clock } from '../../core/clock.js';

/** How many calls one node takes in one request. */
export interface BatchSize {
  readonly calls: number;
  /** A batch of that many calls was refused, though the node answers a single one. */
  refused(calls: number): void;
  /** A batch of that many calls was answered. */
  answered(calls: number): void;
}

/** Often enough for a node that was only busy, and no burden on one that takes no batches. */
const WAY_BACK_MS = 5 * 60_000;

/**
 * Halves when batches are refused twice and none as large was answered in between (once is chance: a connection that
 * broke), down to single calls. Doubles again up to `maxCalls`, one step in five minutes.
 */
export function createBatchSize({
  maxCalls,
  clock,
  onChange,
}: {
  readonly maxCalls: number;
  readonly clock: Clock;
  readonly onChange: (calls: number) => void;
}): BatchSize {
  let size = maxCalls;
  let refusedOnce: number | null = null;
  let growFromMs = 0;
  const set = (calls: number) => {
    if (calls !== size) onChange(calls);
    size = calls;
    refusedOnce = null;
    growFromMs = clock.monotonicMs() + WAY_BACK_MS;
  };
  return {
    get calls() {
      return size;
    },
    refused(calls) {
      if (refusedOnce === null) refusedOnce = calls;
      else set(Math.min(size, Math.ceil(Math.min(calls, refusedOnce) / 2)));
    },
    answered(calls) {
      if (refusedOnce !== null && calls >= refusedOnce) refusedOnce = null;
      if (calls === size && size < maxCalls && clock.monotonicMs() >= growFromMs) set(Math.min(maxCalls, size * 2));
    },
  };
}
