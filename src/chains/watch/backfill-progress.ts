import type { Clock } from '../../core/clock.js';
import type { BackfillProgress } from './chain-status.js';

/** Counts a backfill. */
export interface BackfillMeter {
  /** Blocks through `block` are stored, with that many more events. */
  advance(block: number, events: number): BackfillProgress;
}

/** A meter for blocks `from` to `to`. */
export function createBackfillMeter(chain: string, from: number, to: number, clock: Clock): BackfillMeter {
  const startMs = clock.monotonicMs();
  const blocksTotal = to - from + 1;
  let events = 0;
  return {
    advance(block, moreEvents) {
      events += moreEvents;
      const blocksDone = block - from + 1;
      const elapsedMs = Math.max(1, clock.monotonicMs() - startMs);
      const blocksPerSecond = (blocksDone * 1000) / elapsedMs;
      return {
        chain,
        blocksDone,
        blocksTotal,
        events,
        elapsedMs,
        blocksPerSecond,
        eventsPerSecond: (events * 1000) / elapsedMs,
        remainingMs: blocksDone === 0 ? null : ((blocksTotal - blocksDone) * 1000) / blocksPerSecond,
      };
    },
  };
}
