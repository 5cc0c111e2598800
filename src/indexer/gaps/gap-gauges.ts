import type { Common } from '../../core/common.js';
import { gauge } from '../../core/metrics.js';
import type { NumberGap } from '../../lanes/number-runs.js';

/** Gauges of one chain's lanes, of their gaps and of messages that wait: the worker that owns the chain shows them. */
export function createGapGauges({ metrics }: Common, chain: string) {
  const [gaps, missing, oldest, waiting] = [
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
    gauge(metrics, {
      name: 'indexer_lane_oldest_waiting_seconds',
      help: 'Age of the oldest message of a source chain that waits for verifications within its window, else 0.',
      labelNames: ['chain'],
    }),
  ];
  return {
    /** `waitingSinceMs`: when the oldest message that waits was sent; null: none waits. */
    show(all: readonly NumberGap[], waitingSinceMs: number | null, nowMs: number): void {
      const count = all.reduce((sum, { fromNumber, throughNumber }) => sum + Number(throughNumber - fromNumber) + 1, 0);
      const oldestMs = all.reduce((since, { sinceMs }) => Math.min(since, sinceMs), nowMs);
      gaps?.set({ chain }, all.length);
      missing?.set({ chain }, count);
      oldest?.set({ chain }, Math.max(0, nowMs - oldestMs) / 1_000);
      waiting?.set({ chain }, Math.max(0, nowMs - (waitingSinceMs ?? nowMs)) / 1_000);
    },
    /** Another worker shows them from here on. */
    clear(): void {
      for (const each of [gaps, missing, oldest, waiting]) each?.remove({ chain });
    },
  };
}
