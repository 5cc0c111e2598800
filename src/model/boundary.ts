/**
 * A point between commits: every record with an ingestion time above `ingestionMs` has a position above `position`.
 */
export interface Boundary {
  readonly position: bigint;
  readonly ingestionMs: number;
}

/** The boundary below every commit. */
export const BEGINNING: Boundary = { position: 0n, ingestionMs: -1 };
