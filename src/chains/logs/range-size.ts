/** How many blocks to ask for at once. */
export interface RangeSize {
  /** Blocks of the next range. */
  readonly blocks: number;
  /** A range of that many blocks was too much. */
  shrink(failedBlocks: number): void;
  /** A range of that many blocks came with that many logs. */
  grow(blocks: number, logs: number): void;
}

const FIRST_BLOCKS = 64;
const FORGET_FAILURE_AFTER = 64;

/**
 * Halves on failure and doubles on success, up to `maxBlocks` and to about `targetLogs` logs a range. The size that
 * failed last is approached by halves and tried again only after many successes, so that a node's cap costs a failed
 * request now and then, not every second one.
 */
export function createRangeSize({
  maxBlocks,
  targetLogs,
  onChange,
}: {
  readonly maxBlocks: number;
  readonly targetLogs: number;
  readonly onChange: (blocks: number) => void;
}): RangeSize {
  let blocks = Math.min(maxBlocks, FIRST_BLOCKS);
  let failedAt = Number.POSITIVE_INFINITY;
  let successes = 0;
  const set = (next: number) => {
    blocks = Math.max(1, Math.min(maxBlocks, Math.floor(next)));
    onChange(blocks);
  };
  set(blocks);

  return {
    get blocks() {
      return blocks;
    },
    shrink(failedBlocks) {
      failedAt = Math.max(2, Math.min(failedBlocks, failedAt));
      successes = 0;
      set(Math.min(blocks, failedBlocks / 2));
    },
    grow(readBlocks, logs) {
      if (++successes > FORGET_FAILURE_AFTER) failedAt = Number.POSITIVE_INFINITY;
      const doubled = blocks * 2 < failedAt ? blocks * 2 : Math.floor((blocks + failedAt) / 2);
      // only a range of the full size says anything about larger ones
      const bySpan = readBlocks < blocks ? blocks : doubled;
      const byLogs = logs === 0 ? Number.POSITIVE_INFINITY : (targetLogs * readBlocks) / logs;
      set(Math.min(Math.max(bySpan, 1), byLogs));
    },
  };
}
