import type { SequencedResult } from './discovery-client.js';

/** Entries of a page, while no longer one has come. */
export const LEAST_PAGE = 10;
export const MAX_SEQUENCE = 2n ** 63n - 1n;

/** An entry with its place. */
export interface PlacedEntry {
  readonly sequence: bigint;
  readonly raw: Uint8Array;
}

/** The entries of an answer. */
export interface Page {
  /** From the asked sequence on, rising; two may have one sequence. */
  readonly placed: readonly PlacedEntry[];
  /** Bytes of entries without a sequence, or with one below the asked one: no cursor can pass them. */
  readonly misplaced: readonly Uint8Array[];
  /** All entries. */
  readonly size: number;
}

/** The answer to a request from `since` on, in order; that the aggregator keeps it is not relied on. */
export function arrangePage(answer: readonly SequencedResult[], since: bigint): Page {
  const placed: PlacedEntry[] = [];
  const misplaced: Uint8Array[] = [];
  for (const { sequence, raw } of answer)
    if (sequence === null || sequence < since) misplaced.push(raw);
    else placed.push({ sequence, raw });
  placed.sort((a, b) => (a.sequence < b.sequence ? -1 : a.sequence > b.sequence ? 1 : 0));
  return { placed, misplaced, size: answer.length };
}
