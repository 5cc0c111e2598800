import type { Registry } from '../core/metrics.js';
import { counter, gauge } from '../core/metrics.js';
import type { Tier } from './sink-options.js';

/** Which tiers an answer came from; `empty` needed none, `gap` found none. */
export type PlanShape = Tier | 'mixed' | 'empty' | 'gap';

/** The metrics of a Sink; backends count their own operations. */
export interface SinkMetrics {
  query(shape: PlanShape): void;
  /** A tier was asked for an id. */
  lookup(shape: Tier | 'gap'): void;
  replanned(): void;
  partialFailure(backend: string): void;
  lag(backend: string, positions: bigint, ms: number): void;
}

export function createSinkMetrics(registry: Registry): SinkMetrics {
  const queries = counter(registry, {
    name: 'indexer_sink_queries_total',
    help: 'Lists and counts answered by the Sink, by the tiers that the answer came from.',
    labelNames: ['shape'],
  });
  const lookups = counter(registry, {
    name: 'indexer_sink_lookups_total',
    help: 'Lookups by message id, by the tiers that were asked; gap: none of them had an answer.',
    labelNames: ['shape'],
  });
  const replans = counter(registry, {
    name: 'indexer_sink_replans_total',
    help: 'Answers that were put together anew because the parts did not fit together.',
  });
  const partialFailures = counter(registry, {
    name: 'indexer_sink_partial_failures_total',
    help: 'Commits that a backend did not take; it is repaired by following.',
    labelNames: ['backend'],
  });
  const lagPositions = gauge(registry, {
    name: 'indexer_sink_follower_lag_positions',
    help: 'Positions that a backend is known to be behind the leader.',
    labelNames: ['backend'],
  });
  const lagSeconds = gauge(registry, {
    name: 'indexer_sink_follower_lag_seconds',
    help: 'For how long a backend has been behind the leader; 0 when it holds all it knows of.',
    labelNames: ['backend'],
  });
  return {
    query: (shape) => queries.inc({ shape }),
    lookup: (shape) => lookups.inc({ shape }),
    replanned: () => replans.inc(),
    partialFailure: (backend) => partialFailures.inc({ backend }),
    lag(backend, positions, ms) {
      lagPositions.set({ backend }, Number(positions));
      lagSeconds.set({ backend }, Number.isFinite(ms) ? ms / 1000 : -1);
    },
  };
}

/** The shape of an answer that these tiers gave. */
export function shapeOf(tiers: readonly Tier[]): PlanShape {
  const [first] = tiers;
  if (first === undefined) return 'empty';
  return tiers.every((tier) => tier === first) ? first : 'mixed';
}
