import type { Boundary } from '../../model/boundary.js';
import type { Coverage } from '../../model/coverage.js';
import type { PrunableRecord } from '../../storage/backend-storage.js';
import type { Backend } from '../backend.js';

/** A backend that keeps its records only for a while. */
export interface PrunedBackend {
  readonly name: string;
  readonly storage: PrunableRecord;
  /** Records ingested longer ago than this are removed. */
  readonly retentionMs: number;
}

/** A backend that has to hold the records pruned elsewhere. */
interface Keeper {
  readonly backend: Backend;
  /** Null: nothing can be relied on yet. */
  readonly coverage: Coverage | null;
}

/**
 * Up to where `pruned` may be pruned at `nowMs`; null: not at all. At least one cold backend must hold everything from
 * the beginning.
 */
export function pruneLimit(backends: readonly Backend[], pruned: PrunedBackend, nowMs: number): Boundary | null {
  let ingestionMs = nowMs - pruned.retentionMs - 1;
  let position: bigint | null = null;
  const keepers = keepersOf(backends, pruned);
  if (!keepers.some(({ backend }) => backend.tier === 'cold')) return null;
  for (const { coverage } of keepers) {
    if (coverage === null) return null;
    ingestionMs = Math.min(ingestionMs, coverage.throughMs);
    if (position === null || coverage.throughPosition < position) position = coverage.throughPosition;
  }
  return position !== null && position > 0n && ingestionMs >= 0 ? { ingestionMs, position } : null;
}

/** The keeper of the lowest position; null: there is none. */
export function lastKeeper(
  backends: readonly Backend[],
  pruned: PrunedBackend,
): { readonly name: string; readonly throughPosition: bigint } | null {
  const positions = keepersOf(backends, pruned).map(({ backend: { name }, coverage }) => ({
    name,
    throughPosition: coverage?.throughPosition ?? 0n,
  }));
  const [last = null] = positions.sort((a, b) => (a.throughPosition < b.throughPosition ? -1 : 1));
  return last;
}

function keepersOf(backends: readonly Backend[], pruned: PrunedBackend): readonly Keeper[] {
  return backends.flatMap((backend): Keeper[] => {
    const { name, tier, storage, follower } = backend;
    if (!storage.durable || name === pruned.name) return [];
    const coverage = storage.coverage();
    const isHeard = follower === null || follower.progress.isPlaced;
    const isPartial = coverage.throughMs < 0 || (tier === 'cold' && coverage.afterMs >= 0);
    return [{ backend, coverage: isHeard && !isPartial ? coverage : null }];
  });
}
