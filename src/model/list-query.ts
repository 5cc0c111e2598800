import { InvalidArgumentError } from '../core/errors.js';

import { type ContentsFilter, type ContentsQuery, resolveContents } from './contents-filter.js';
import type { AsOf } from './coverage.js';
import { decodeCursor, encodeCursor, type OrderKey } from './order.js';

/** A question about a range of ingestion times. Everything is optional; see `resolveListQuery` for the defaults. */
export interface ListQuery {
  /** First ingestion time, unix ms, inclusive. Default 0. */
  readonly startMs?: number;
  /** Last ingestion time, unix ms, inclusive. Default: everything committed until now. */
  readonly endMs?: number;
  /** Keep only these source chains; empty or absent: all. */
  readonly sourceChainSelectors?: readonly bigint[];
  /** Keep only these destination chains; empty or absent: all. */
  readonly destChainSelectors?: readonly bigint[];
  /** Most records in the answer. Default 100. */
  readonly limit?: number;
  /** Records to skip. Default 0. Not together with `cursor`. */
  readonly offset?: number;
  /** `nextCursor` of the page before; the same filters and range must be asked again. */
  readonly cursor?: string;
  /**
   * Once the records before it hold so many bytes, a record is an outline (see `Stamp.outline`): the page is as long as
   * without it, and of one state. Default: no limit.
   */
  readonly maxBytes?: number;
}

/** The range and filters of a count. */
export type CountQuery = Pick<ListQuery, 'startMs' | 'endMs' | 'sourceChainSelectors' | 'destChainSelectors'>;

/** A question about messages, narrowed to some contents. */
export interface MessageListQuery extends ListQuery, ContentsQuery {}

/** The range and filters of a count of messages. */
export interface MessageCountQuery extends CountQuery, ContentsQuery {}

/** Part of a list, ordered by (ingestionMs, messageId, verifierSourceAddress, verifierDestAddress). */
export interface Page<T> {
  readonly items: readonly T[];
  /** Continues after the last item; null when there was nothing left. */
  readonly nextCursor: string | null;
  readonly asOf: AsOf;
}

/** A page as storages tell it to each other: the key that a cursor is made of. */
export interface KeyedPage<T> {
  readonly items: readonly T[];
  /** More records come after it, which is the last item's; null when there was nothing left. */
  readonly next: OrderKey | null;
  readonly asOf: AsOf;
}

/** A page of messages that are still to be worked on, from the first one behind a key. */
export interface UnfinishedQuery {
  readonly limit: number;
  /** Absent: from the first of the order. */
  readonly after?: OrderKey | null;
  /** By ingestion time. Default: the oldest first. */
  readonly order?: 'oldest' | 'newest';
}

/** A count and the state it was counted in. */
export interface Count {
  readonly count: number;
  readonly asOf: AsOf;
}

/** Records in an answer when no limit is given. */
export const DEFAULT_LIMIT = 100;

const MAX_SELECTOR = 2n ** 64n - 1n;

/** A count query with every default filled in; `null` filters keep everything. */
export interface ResolvedRange {
  /** At least 0: no record is older. */
  readonly startMs: number;
  /** `Infinity`: everything committed until now. */
  readonly endMs: number;
  readonly sourceChainSelectors: ReadonlySet<bigint> | null;
  readonly destChainSelectors: ReadonlySet<bigint> | null;
  /** Only of lists of messages. */
  readonly contents: ContentsFilter | null;
}

/** A list query with every default filled in. */
export interface ResolvedListQuery extends ResolvedRange {
  readonly limit: number;
  readonly offset: number;
  /** The answer begins behind this key. */
  readonly after: OrderKey | null;
  /** `Infinity`: every record is whole. */
  readonly maxBytes: number;
}

/** @throws InvalidArgumentError naming the field, its value and the value to pass instead. */
export function resolveRange(query: MessageCountQuery): ResolvedRange {
  return {
    startMs: query.startMs === undefined ? 0 : Math.max(0, wholeMs('startMs', query.startMs)),
    endMs:
      query.endMs === undefined || query.endMs === Number.POSITIVE_INFINITY
        ? Number.POSITIVE_INFINITY
        : wholeMs('endMs', query.endMs),
    sourceChainSelectors: selectors('sourceChainSelectors', query.sourceChainSelectors),
    destChainSelectors: selectors('destChainSelectors', query.destChainSelectors),
    contents: resolveContents(query),
  };
}

/** @throws InvalidArgumentError naming the field, its value and the value to pass instead. */
export function resolveListQuery(query: MessageListQuery): ResolvedListQuery {
  if (query.cursor !== undefined && query.offset !== undefined && query.offset !== 0)
    throw new InvalidArgumentError('offset and cursor exclude each other: pass one of them');
  const range = resolveRange(query);
  if (range.contents !== null && query.offset !== undefined && query.offset !== 0)
    throw new InvalidArgumentError('a list narrowed to contents has no offset: pass the cursor of the page before');
  return {
    ...range,
    limit: query.limit === undefined ? DEFAULT_LIMIT : atLeast('limit', query.limit, 1),
    offset: query.offset === undefined ? 0 : atLeast('offset', query.offset, 0),
    after: query.cursor === undefined ? null : decodeCursor(query.cursor),
    maxBytes: query.maxBytes === undefined ? Number.POSITIVE_INFINITY : atLeast('maxBytes', query.maxBytes, 1),
  };
}

/** @throws InvalidArgumentError unless `limit` is a whole number of at least 1. */
export function checkLimit(limit: number): void {
  atLeast('limit', limit, 1);
}

/** @throws InvalidArgumentError unless `position` is a bigint of at least 0. */
export function checkPosition(name: string, position: bigint): void {
  if (typeof position !== 'bigint' || position < 0n)
    throw new InvalidArgumentError(`${name} is ${position}: pass a bigint of at least 0`);
}

/** The page as its asker gets it. */
export function encodePage<T>({ items, next, asOf }: KeyedPage<T>): Page<T> {
  return { items, nextCursor: next === null ? null : encodeCursor(next), asOf };
}

function wholeMs(name: string, value: number): number {
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError(`${name} is ${value}: pass whole unix milliseconds`);
  return value;
}

function atLeast(name: string, value: number, least: number): number {
  if (!Number.isSafeInteger(value) || value < least)
    throw new InvalidArgumentError(`${name} is ${value}: pass a whole number of at least ${least}`);
  return value;
}

function selectors(name: string, values: readonly bigint[] | undefined): ReadonlySet<bigint> | null {
  if (values === undefined || values.length === 0) return null;
  for (const value of values)
    if (value < 0n || value > MAX_SELECTOR)
      throw new InvalidArgumentError(`${name} holds ${value}: a chain selector is an unsigned 64-bit number`);
  return new Set(values);
}
