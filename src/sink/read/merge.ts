import type { AsOf } from '../../model/coverage.js';
import type { ListKind } from '../../model/list-kinds.js';
import type { Count, KeyedPage, ResolvedListQuery, ResolvedRange } from '../../model/list-query.js';
import type { OrderKey } from '../../model/order.js';
import type { Candidate } from '../backend.js';
import type { PlannedSlice } from './planner.js';

/** A slice that a backend answers for. */
export interface Slice extends PlannedSlice<Candidate> {
  readonly candidate: Candidate;
}

/** The records of a slice; null: records moved while they were read. */
export interface ListSource<T> {
  page(query: ResolvedListQuery): Promise<KeyedPage<T> | null>;
  count(range: ResolvedRange): Promise<Count | null>;
}

/** Puts an answer together from slices, taken in order of time. */
export interface SliceReading<V> {
  /** Null, and nothing taken, when records moved while they were read. */
  take(slice: Slice): Promise<readonly Contribution[] | null>;
  /** No later slice is needed. */
  isEnough(): boolean;
  /** The answer as far as it was taken. */
  taken(): V;
  /** A record was in two slices: it moved, or the backends disagree. */
  hadSuperseded(): boolean;
}

/** Records of a list, and the key that more of them come after; null: there are no more. */
export interface TakenPage<T> {
  readonly items: readonly T[];
  readonly next: OrderKey | null;
}

/** Puts a page together: limit, offset and start count over the slices as if they were one list. */
export function readPage<T extends { readonly position: bigint }>(
  query: ResolvedListQuery,
  kind: ListKind<T>,
  sourceOf: (slice: Slice) => ListSource<T>,
): SliceReading<TakenPage<T>> {
  let items: readonly T[] = [];
  let { offset } = query;
  let next: OrderKey | null = null;
  let slices = 0;
  const isFull = () => items.length >= query.limit;
  const kept = () => (slices > 1 ? withoutSuperseded(items, kind.identityOf) : items);
  return {
    async take(slice) {
      const limit = isFull() ? 1 : query.limit - items.length;
      const read = await readSlice(sourceOf(slice), { ...query, ...rangeOf(slice), limit, offset });
      if (read === null) return null;
      slices += 1;
      offset -= read.skipped;
      // beyond a full page only whether anything is left
      const last = items.at(-1);
      if (isFull()) next = last !== undefined && read.items.length > 0 ? kind.keyOf(last) : null;
      else {
        items = items.length === 0 ? read.items : items.concat(read.items);
        next = read.next;
      }
      const contributed = read.items.length > 0 || read.skipped > 0;
      return read.asOfs.map((asOf) => contributionOf(slice, asOf, contributed));
    },
    isEnough: () => next !== null,
    taken: () => ({ items: kept(), next }),
    hadSuperseded: () => kept().length < items.length,
  };
}

/** Adds up the slices. */
export function readCount<T>(range: ResolvedRange, sourceOf: (slice: Slice) => ListSource<T>): SliceReading<number> {
  let total = 0;
  return {
    async take(slice) {
      const counted = await sourceOf(slice).count({ ...range, ...rangeOf(slice) });
      if (counted === null) return null;
      total += counted.count;
      return [contributionOf(slice, counted.asOf, counted.count > 0)];
    },
    isEnough: () => false,
    taken: () => total,
    hadSuperseded: () => false,
  };
}

interface SliceRead<T> {
  readonly items: readonly T[];
  /** Records of the slice that the offset passed over. */
  readonly skipped: number;
  /** Not null only when as much as was wanted was read and the slice has more. */
  readonly next: OrderKey | null;
  readonly asOfs: readonly AsOf[];
}

async function readSlice<T>(source: ListSource<T>, query: ResolvedListQuery): Promise<SliceRead<T> | null> {
  // only the first slice begins behind a key
  const after = query.after !== null && query.startMs <= query.after.ingestionMs ? query.after : null;
  const page = await source.page({ ...query, after });
  if (page === null) return null;
  const { items, next, asOf } = page;
  if (items.length > 0 || query.offset === 0)
    return { items, skipped: items.length > 0 ? query.offset : 0, next, asOfs: [asOf] };
  const counted = await source.count(query);
  if (counted === null) return null;
  return { items, skipped: Math.min(counted.count, query.offset), next: null, asOfs: [asOf, counted.asOf] };
}

function rangeOf({ startMs, endMs }: Slice): { readonly startMs: number; readonly endMs: number } {
  return { startMs, endMs };
}

function contributionOf({ endMs, candidate: { closedMs } }: Slice, asOf: AsOf, contributed: boolean): Contribution {
  return { endMs, asOf, contributed, closedMs };
}

/** The contribution of one backend to an answer. */
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

/** The state that a merged answer shows: the position of its least advanced part. */
export function mergedAsOf(parts: readonly Contribution[]): AsOf {
  let movePosition = 0n;
  for (const { asOf } of parts) if (asOf.movePosition > movePosition) movePosition = asOf.movePosition;
  return { position: minPosition(parts), movePosition };
}

/** The records of disjoint, ascending slices without superseded ones: of one identity the greatest position stays. */
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
