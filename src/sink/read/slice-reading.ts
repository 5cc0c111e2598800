import type { AsOf } from '../../model/coverage.js';
import type { Count, CountQuery, ListQuery, Page, ResolvedListQuery, ResolvedRange } from '../../model/list-query.js';
import { encodeCursor, type OrderKey } from '../../model/order.js';
import { type Part, withoutSuperseded } from './merge.js';
import type { Slice } from './read-loop.js';

/** Visits the slices of a planned range in order; see `walkSlices`. */
export type Walk = (visit: (slice: Slice) => Promise<boolean>) => Promise<void>;

/** Where the records of a slice are read. */
export interface ListSource<T> {
  query(query: ListQuery): Promise<Page<T>>;
  count(query: CountQuery): Promise<Count>;
}

/** One attempt at an answer: its parts say whether it may be given. */
export interface Attempt<V> {
  readonly value: V;
  readonly parts: readonly Part[];
  /** A record was in two slices: it moved, or the backends disagree. */
  readonly hadSuperseded: boolean;
}

/** A page as far as one attempt knows it. */
export interface AttemptedPage<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

/** Puts a page together: limit, offset and cursor count over the slices as if they were one list. */
export async function readPage<T extends { readonly position: bigint }>(
  query: ResolvedListQuery,
  keyOf: (record: T) => OrderKey,
  identityOf: (record: T) => string,
  sourceOf: (slice: Slice) => ListSource<T>,
  walk: Walk,
): Promise<Attempt<AttemptedPage<T>>> {
  const parts: Part[] = [];
  let items: readonly T[] = [];
  let offset = query.offset;
  let nextCursor: string | null = null;
  const isFull = () => items.length >= query.limit;

  await walk(async (slice) => {
    const limit = isFull() ? 1 : query.limit - items.length;
    const read = await readSlice(sourceOf(slice), slice, query, { limit, offset });
    for (const asOf of read.asOfs) parts.push(partOf(slice, asOf, read.items.length > 0 || read.skipped > 0));
    offset -= read.skipped;
    // beyond a full page only whether anything is left
    const last = items.at(-1);
    if (isFull()) nextCursor = last !== undefined && read.items.length > 0 ? encodeCursor(keyOf(last)) : null;
    else {
      items = items.length === 0 ? read.items : items.concat(read.items);
      nextCursor = read.nextCursor;
    }
    return nextCursor === null;
  });
  const kept = parts.length > 1 ? withoutSuperseded(items, identityOf) : items;
  return {
    value: { items: kept, nextCursor },
    parts,
    hadSuperseded: kept.length < items.length,
  };
}

/** Adds up the slices. */
export async function readCount<T>(
  range: ResolvedRange,
  sourceOf: (slice: Slice) => ListSource<T>,
  walk: Walk,
): Promise<Attempt<number>> {
  const parts: Part[] = [];
  let total = 0;
  await walk(async (slice) => {
    const { count, asOf } = await sourceOf(slice).count(rangeOf(slice, range));
    parts.push(partOf(slice, asOf, count > 0));
    total += count;
    return true;
  });
  return { value: total, parts, hadSuperseded: false };
}

interface SliceRead<T> {
  readonly items: readonly T[];
  /** Records of the slice that the offset passed over. */
  readonly skipped: number;
  /** Not null only when as much as was wanted was read and the slice has more. */
  readonly nextCursor: string | null;
  readonly asOfs: readonly AsOf[];
}

async function readSlice<T>(
  source: ListSource<T>,
  slice: Slice,
  query: ResolvedListQuery,
  want: { readonly limit: number; readonly offset: number },
): Promise<SliceRead<T>> {
  const range = rangeOf(slice, query);
  const bound = query.maxBytes === Number.POSITIVE_INFINITY ? {} : { maxBytes: query.maxBytes };
  const asOfs: AsOf[] = [];
  let items: readonly T[] = [];
  // only the first slice begins where the cursor points
  let cursor = query.after !== null && slice.startMs <= query.after.ingestionMs ? encodeCursor(query.after) : null;
  let offset = want.offset;
  do {
    const from = cursor === null ? { offset } : { cursor };
    const page = await source.query({ ...range, ...bound, limit: want.limit - items.length, ...from });
    items = items.length === 0 ? page.items : items.concat(page.items);
    asOfs.push(page.asOf);
    cursor = page.nextCursor;
    offset = 0;
  } while (cursor !== null && items.length < want.limit);
  if (items.length > 0 || want.offset === 0)
    return { items, skipped: items.length > 0 ? want.offset : 0, nextCursor: cursor, asOfs };
  const { count, asOf } = await source.count(range);
  return { items, skipped: Math.min(count, want.offset), nextCursor: null, asOfs: [...asOfs, asOf] };
}

function rangeOf(slice: Slice, range: ResolvedRange): CountQuery & ListQuery {
  return {
    startMs: slice.startMs,
    endMs: slice.endMs,
    ...(range.sourceChainSelectors === null ? {} : { sourceChainSelectors: range.sourceChainSelectors }),
    ...(range.destChainSelectors === null ? {} : { destChainSelectors: range.destChainSelectors }),
  };
}

function partOf(slice: Slice, asOf: AsOf, contributed: boolean): Part {
  return { endMs: slice.endMs, asOf, contributed, closedMs: slice.candidate.closedMs };
}
