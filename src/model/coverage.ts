/**
 * The times and positions for which a backend is complete. A backend must not answer a question that reaches beyond its
 * coverage, whatever its read condition.
 */
export interface Coverage {
  /** Complete for ingestion times strictly above this (unix ms); -1 = from the beginning. */
  readonly afterMs: number;
  /**
   * Complete for ingestion times up to and including this. `Infinity` means that the backend answers for everything
   * committed by anyone until now: the system of record always does, a follower only while it is known to be current.
   */
  readonly throughMs: number;
  /** `changesAfter(p)` can be answered for p at or above this. */
  readonly afterPosition: bigint;
  /** Every change up to this position is applied. */
  readonly throughPosition: bigint;
  /** Position of the last change that took a record out of the lists or moved it in time; 0 = none. */
  readonly movePosition: bigint;
}

/** The state of the store from which an answer was read. */
export interface AsOf {
  /** Every change up to this position is reflected. */
  readonly position: bigint;
  /** See `Coverage.movePosition`. */
  readonly movePosition: bigint;
}

/** The coverage of a store that has everything there is. */
export function fullCoverage(throughPosition: bigint, movePosition: bigint): Coverage {
  return { afterMs: -1, throughMs: Number.POSITIVE_INFINITY, afterPosition: 0n, throughPosition, movePosition };
}

/** True when the coverage includes every ingestion time from `startMs` to `endMs`, both inclusive. */
export function covers(coverage: Coverage, startMs: number, endMs: number): boolean {
  return startMs > coverage.afterMs && endMs <= coverage.throughMs;
}
