import type { Common } from '../../core/common.js';
import { gauge } from '../../core/metrics.js';
import type { NumberGap } from '../../lanes/number-runs.js';

/** Gauges of the gaps of one chain's lanes: the worker that owns the chain shows them. */
export function createGapGauges({ metrics }: Common, chain: string) {
  const [gaps, missing, oldest] = [
    gauge(metrics, {
      name: 'indexer_lane_gaps',
      help: 'Ranges of message numbers that are missing in the lanes of a source chain.',
      labelNames: ['chain'],
    }),
    gauge(metrics, {
      name: 'indexer_lane_missing_messages',
      help: 'Message numbers that are missing in the lanes of a source chain.',
      labelNames: ['chain'],
    }),
    gauge(metrics, {
      name: 'indexer_lane_oldest_gap_seconds',
      help: 'Age of the oldest gap in the lanes of a source chain, 0 without one.',
      labelNames: ['chain'],
    }),
  ];
  return {
    show(all: readonly NumberGap[], nowMs: number): void {
      const count = all.reduce((sum, { fromNumber, throughNumber }) => sum + Number(throughNumber - fromNumber) + 1, 0);
      const oldestMs = all.reduce((since, { sinceMs }) => Math.min(since, sinceMs), nowMs);
      gaps?.set({ chain }, all.length);
      missing?.set({ chain }, count);
      oldest?.set({ chain }, Math.max(0, nowMs - oldestMs) / 1_000);
    },
    /** Another worker shows them from here on. */
    clear(): void {
      for (const each of [gaps, missing, oldest]) each?.remove({ chain });
    },
  };
}
