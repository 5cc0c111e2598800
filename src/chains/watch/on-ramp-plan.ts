import type { ChainCursor } from '../chain-port.js';
import { firstBlockOf, type WatchedOnRamp } from './watched-chain.js';

/** An OnRamp and the cursor that is stored for it. */
export interface StoredOnRamp {
  readonly onRamp: WatchedOnRamp;
  readonly cursor: ChainCursor | null;
}

/** OnRamps that have been read up to one block. */
export interface OnRampGroup {
  readonly onRamps: readonly WatchedOnRamp[];
  readonly cursor: ChainCursor | null;
}

/** Which OnRamps are read together, and which have to catch up with them first. */
export interface OnRampPlan {
  /** Those that have been read furthest. */
  readonly together: OnRampGroup;
  readonly behind: readonly OnRampGroup[];
  /** Most blocks that one of `behind` has to catch up. */
  readonly gapBlocks: number;
}

/**
 * Plans by the stored cursors. Where nothing is stored yet, all OnRamps are read together from the lowest start
 * block.
 */
export function planOnRamps(stored: readonly StoredOnRamp[]): OnRampPlan {
  const groups = new Map<string, { readonly onRamps: WatchedOnRamp[]; readonly cursor: ChainCursor | null }>();
  for (const { onRamp, cursor } of stored) {
    const key = cursor ? `${cursor.height} ${cursor.hash}` : 'none';
    const group = groups.get(key);
    if (group) group.onRamps.push(onRamp);
    else groups.set(key, { onRamps: [onRamp], cursor });
  }
  const byHeight = [...groups.values()].sort((a, b) => Number((b.cursor?.height ?? -1n) - (a.cursor?.height ?? -1n)));
  const [together = { onRamps: [], cursor: null }, ...behind] = byHeight;
  const end = Number(together.cursor?.height ?? -1n);
  const gaps = behind.map(({ onRamps, cursor }) => end - Number(cursor?.height ?? firstBlockOf({ onRamps }) - 1));
  return { together, behind, gapBlocks: Math.max(0, ...gaps) };
}
