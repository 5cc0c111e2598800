import type { ChainCursor } from '../chain-port.js';
import { firstBlockOf, type WatchedRamp } from './watched-chain.js';

/** An OnRamp or OffRamp and the cursor that is stored for it. */
export interface StoredRamp {
  readonly ramp: WatchedRamp;
  readonly cursor: ChainCursor | null;
}

/** Ramps that have been read up to one block. */
export interface RampGroup {
  readonly ramps: readonly WatchedRamp[];
  readonly cursor: ChainCursor | null;
}

/** Which ramps are read together, and which have to catch up with them first. */
export interface RampPlan {
  /** Those that have been read furthest. */
  readonly together: RampGroup;
  readonly behind: readonly RampGroup[];
  /** Most blocks that one of `behind` has to catch up. */
  readonly gapBlocks: number;
}

/**
 * Plans by the stored cursors. Where nothing is stored yet, all ramps are read together from the lowest start
 * block.
 */
export function planRamps(stored: readonly StoredRamp[]): RampPlan {
  const groups = new Map<string, { readonly ramps: WatchedRamp[]; readonly cursor: ChainCursor | null }>();
  for (const { ramp, cursor } of stored) {
    const key = cursor ? `${cursor.height} ${cursor.hash}` : 'none';
    const group = groups.get(key);
    if (group) group.ramps.push(ramp);
    else groups.set(key, { ramps: [ramp], cursor });
  }
  const byHeight = [...groups.values()].sort((a, b) => Number((b.cursor?.height ?? -1n) - (a.cursor?.height ?? -1n)));
  const [together = { ramps: [], cursor: null }, ...behind] = byHeight;
  const end = Number(together.cursor?.height ?? -1n);
  const gaps = behind.map(({ ramps, cursor }) => end - Number(cursor?.height ?? firstBlockOf(ramps) - 1));
  return { together, behind, gapBlocks: Math.max(0, ...gaps) };
}
