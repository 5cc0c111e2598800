/** A block of level 0 is 2^8 ms long, one of each other level is 2^8 blocks of the level below; see migration 0011. */
const FACTOR = 256;
const LEVELS = 4;
/** The last time that a number tells from its neighbours: all blocks of every level end here or before. */
export const LAST_MS = Number.MAX_SAFE_INTEGER;

/** Blocks of one level: `first` and those after it, before `behind`. */
export interface Blocks {
  readonly level: number;
  readonly first: number;
  readonly behind: number;
}

/** A range of ingestion times: the largest blocks within it, and its two ends that fill no block. */
export interface Cover {
  readonly blocks: readonly Blocks[];
  /** From the start of the range to before this, unix ms, lies in no block. */
  readonly headBehindMs: number;
  /** From here to the end of the range, unix ms, lies in no block. */
  readonly tailFromMs: number;
}

/**
 * Covers [startMs, endMs], inclusive unix ms: at most 2 × 255 blocks a level below the highest. The blocks of a range
 * that ends at `LAST_MS` are in order of time.
 */
export function coverOf(startMs: number, endMs: number): Cover {
  let first = Math.ceil(startMs / FACTOR);
  const endBehindMs = Math.min(endMs, LAST_MS) + 1;
  let behind = Math.floor(endBehindMs / FACTOR);
  // all of it lies within a block or two
  if (first >= behind) return { blocks: [], headBehindMs: endBehindMs, tailFromMs: endBehindMs };
  const ends = { headBehindMs: first * FACTOR, tailFromMs: behind * FACTOR };
  const blocks: Blocks[] = [];
  for (let level = 0; ; level += 1) {
    const firstAbove = Math.ceil(first / FACTOR);
    const behindAbove = Math.floor(behind / FACTOR);
    if (level === LEVELS - 1 || firstAbove >= behindAbove) {
      blocks.push({ level, first, behind });
      return { blocks, ...ends };
    }
    if (first < firstAbove * FACTOR) blocks.push({ level, first, behind: firstAbove * FACTOR });
    if (behindAbove * FACTOR < behind) blocks.push({ level, first: behindAbove * FACTOR, behind });
    first = firstAbove;
    behind = behindAbove;
  }
}
