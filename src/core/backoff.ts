import type { Random } from './random.js';

/** An exponential backoff with full jitter in its upper half. Times in milliseconds. */
export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Delay before attempt `attempt` (0 = the first retry): between half and all of `min(maxMs, baseMs * 2^attempt)`. */
export function backoffMs(backoff: Backoff, attempt: number, random: Random): number {
  const ceilingMs = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(attempt, 52));
  return Math.round(ceilingMs * (0.5 + random() * 0.5));
}
