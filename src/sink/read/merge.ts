import type { AsOf } from '../../model/coverage.js';

/** What one backend contributed to an answer. */
export interface Contribution {
  readonly endMs: number;
  readonly asOf: AsOf;
  /** Whether records of it were listed, skipped or counted. */
  readonly contributed: boolean;
  /** Everything ever ingested up to this time was in the backend's state when it was asked, unix ms. */
  readonly closedMs: number;
}

/**
 * The position from which a merged answer would have to be read again, or null when the parts (in order of time) fit
 * together. They do not when
 * - a record moved or left after the lowest part was read and before the furthest was: it may be in both, or in none;
 * - an earlier slice was read before a later one, its end was still open then, and the later one has records: commits
 *   in between can be missing in the middle of the answer.
 */
export function findTear(parts: readonly Contribution[]): bigint | null {
  let tear: bigint | null = null;
  const need = (position: bigint) => {
    if (tear === null || position > tear) tear = position;
  };
  const lowest = minPosition(parts);
  for (const { asOf } of parts) if (asOf.movePosition > lowest) need(asOf.movePosition);
  parts.forEach((later, index) => {
    if (!later.contributed) return;
    for (const earlier of parts.slice(0, index))
      if (
        earlier.endMs > earlier.closedMs &&
        earlier.endMs < later.endMs &&
        earlier.asOf.position < later.asOf.position
      )
        need(later.asOf.position);
  });
  return tear;
}

/** The state that a merged answer shows: what the least advanced part had. */
export function mergedAsOf(parts: readonly Contribution[]): AsOf {
  let movePosition = 0n;
  for (const { asOf } of parts) if (asOf.movePosition > movePosition) movePosition = asOf.movePosition;
  return { position: minPosition(parts), movePosition };
}

/** The records of disjoint, ascending slices without those that a later state superseded (the greater position stays). */
export function withoutSuperseded<T extends { readonly position: bigint }>(
  records: readonly T[],
  identityOf: (record: T) => string,
): readonly T[] {
  const newest = new Map<string, T>();
  for (const record of records) {
    const identity = identityOf(record);
    const known = newest.get(identity);
    if (known === undefined || record.position > known.position) newest.set(identity, record);
  }
  return newest.size === records.length
    ? records
    : records.filter((record) => newest.get(identityOf(record)) === record);
}

function minPosition(parts: readonly Contribution[]): bigint {
  let lowest = parts[0]?.asOf.position ?? 0n;
  for (const { asOf } of parts) if (asOf.position < lowest) lowest = asOf.position;
  return lowest;
}
