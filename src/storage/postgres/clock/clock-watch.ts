import type { Common } from '../../../core/common.js';
import { gauge } from '../../../core/metrics.js';
import { createRareWarning } from '../../../core/rare-warning.js';

/** More than clocks that are set regularly ever differ. */
const AHEAD_MS = 60_000;

/** Told of the time of the last commit by every snapshot. */
export type ClockWatch = (lastMs: number) => void;

/**
 * Notices a store whose last commit lies in the future: a writer with a wrong clock was there. Times only rise, so
 * later commits are stamped ahead of time until the clocks have caught up.
 */
export function createClockWatch(common: Common, backend: string): ClockWatch {
  const { clock, metrics } = common;
  const ahead = gauge(metrics, {
    name: 'indexer_storage_clock_ahead_seconds',
    help: 'How far the time of the last commit lies ahead of this process’s clock; 0 up to a minute.',
    labelNames: ['backend'],
  });
  const warn = createRareWarning(common);
  let isAhead = false;
  ahead.set({ backend }, 0);
  return (lastMs) => {
    const aheadMs = lastMs - clock.nowMs();
    if (aheadMs > AHEAD_MS) {
      isAhead = true;
      ahead.set({ backend }, aheadMs / 1_000);
      warn({ backend, aheadMs, lastMs }, 'the last commit lies in the future: check the clocks of every worker');
    } else if (isAhead) {
      isAhead = false;
      ahead.set({ backend }, 0);
    }
  };
}
