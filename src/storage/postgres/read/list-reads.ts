import { hexToBytes } from '../../../core/hex.js';
import type { ContentsFilter } from '../../../model/contents-filter.js';
import { LIST_KINDS, type ListedKind, type ListedRecords } from '../../../model/list-kinds.js';
import type { KeyedPage, ResolvedListQuery, ResolvedRange } from '../../../model/list-query.js';
import { compareOrderKeys } from '../../../model/order.js';
import type { ResolvedLists } from '../../list-face.js';
import { asOf, CLOCK_WIDTH, checkTimes, decodeClock } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import type { SentRow } from '../connection/sent-row.js';
import type { Row } from '../connection/statement.js';
import type { Call } from '../connection/transaction.js';
import { bigintArray, hexArray } from '../rows/binary-arrays.js';
import { fromMessageNumber, fromSelector, toNumber } from '../rows/columns.js';
import { decodeMessage, decodeResult } from '../rows/record-rows.js';
import { coverParameters, DEEP_OFFSET, openCoverParameters } from './counted-lists.js';
import { createRowDecoder } from './decoded-rows.js';
import {
  type Bound,
  CONTENTS,
  createListStatements,
  isUnfiltered,
  type ListName,
  type ListShape,
} from './list-statements.js';
import type { ReadContext } from './read-context.js';

/** `Infinity` as the database has it. */
const END_OF_TIME = 2n ** 63n - 1n;

const LISTS: Readonly<Record<ListedKind, ListName>> = { message: 'messages', verifierResult: 'results' };
/** Bytes of the rows and records of each list that are kept decoded. */
const DECODED_BYTES = 8 * 1024 * 1024;
/** Columns of a list's rows that can be large. */
const MOST_LARGE = 2;
/** A page whose large columns may each have so many bytes is read without adding up those of the rows before. */
const EACH_BYTES = 4_096;

/**
 * The lists and their counts: each one statement, so one snapshot and one round trip.
 * @param deepOffset from here on counters find the place of an offset.
 */
export function createListReads(
  namespace: Namespace,
  { read, readSent, hub, name }: ReadContext,
  deepOffset = DEEP_OFFSET,
): ResolvedLists {
  const statements = createListStatements(namespace);
  const decoder = <T extends object>(decode: (row: Row, at: number) => T) =>
    createRowDecoder({ decode, at: CLOCK_WIDTH, positionAt: CLOCK_WIDTH + 2, maxBytes: DECODED_BYTES });
  const decoders: { readonly [K in ListedKind]: (row: SentRow) => ListedRecords[K] } = {
    message: decoder(decodeMessage),
    verifierResult: decoder(decodeResult),
  };

  async function page<K extends ListedKind>(
    kind: K,
    query: ResolvedListQuery,
    bound: Bound,
  ): Promise<KeyedPage<ListedRecords[K]>> {
    const { startMs, endMs, limit } = query;
    const list = LISTS[kind];
    const filters = filtersOf(query);
    const after = query.after !== null;
    const deep = query.offset >= deepOffset && !after && isUnfiltered(filters);
    const rows = await readSent(`query ${list}`, {
      statement: statements.page(list, { ...filters, after, deep, skips: query.offset > 0, bound }),
      values: pageParameters(list, query, { deep, bound }),
    });
    const clock = decodeClock(rows.find((row) => !row.isNull(0))?.fields ?? []);
    hub.seen(clock);
    checkTimes(clock, startMs, endMs, name);
    const { keyOf } = LIST_KINDS[kind];
    const found = rows.filter((row) => !row.isNull(CLOCK_WIDTH)).map(decoders[kind]);
    // they are in order as a rule: only an offset and a running bound make the server sort them
    found.sort((a, b) => compareOrderKeys(keyOf(a), keyOf(b)));
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return { items, next: found.length > limit && last ? keyOf(last) : null, asOf: asOf(clock) };
  }

  return {
    async list(kind, query) {
      if (query.maxBytes === Number.POSITIVE_INFINITY) return await page(kind, query, 'none');
      if (eachBytes(query) < EACH_BYTES) return await page(kind, query, 'running');
      const found = await page(kind, query, 'each');
      return found.items.some(({ outline }) => outline) ? await page(kind, query, 'running') : found;
    },
    async count(kind, range) {
      const list = LISTS[kind];
      const filters = filtersOf(range);
      const statement = statements.count(list, filters);
      const narrowed = isUnfiltered(filters) ? coverParameters(range.startMs, range.endMs) : filterParameters(range);
      const values = [...rangeParameters(range), ...narrowed];
      const [row = []] = await read(`count ${list}`, { statement, values });
      const clock = decodeClock(row);
      hub.seen(clock);
      checkTimes(clock, range.startMs, range.endMs, name);
      return { count: toNumber(row[CLOCK_WIDTH]), asOf: asOf(clock) };
    },
  };
}

function filtersOf(range: ResolvedRange) {
  return {
    sources: range.sourceChainSelectors !== null,
    dests: range.destChainSelectors !== null,
    contents: CONTENTS.filter((name) => range.contents && range.contents[name] !== null),
    fewNumbers: isFew(range.contents?.numbers ?? null),
  };
}

/** Message numbers that are found by number, and sorted by time; more are found by time. */
const FEW_NUMBERS = 10_000n;

function isFew(numbers: ContentsFilter['numbers']): boolean {
  return numbers !== null && numbers.through - numbers.from < FEW_NUMBERS;
}

/** One row more than asked tells whether there is a next page. */
function pageParameters(
  list: ListName,
  query: ResolvedListQuery,
  { deep, bound }: Pick<ListShape, 'deep' | 'bound'>,
): Call['values'] {
  const { after, limit, offset } = query;
  const key =
    after === null
      ? []
      : [
          after.ingestionMs,
          toBuffer(after.messageId),
          ...(list === 'results' ? [toBuffer(after.verifierSourceAddress), toBuffer(after.verifierDestAddress)] : []),
        ];
  const narrowed = deep ? openCoverParameters(query.startMs) : filterParameters(query);
  return [...rangeParameters(query), limit + 1, offset, ...narrowed, ...key, ...boundParameters(query, bound)];
}

function boundParameters(query: ResolvedListQuery, bound: Bound): Call['values'] {
  switch (bound) {
    case 'none':
      return [];
    case 'each':
      return [eachBytes(query)];
    case 'running':
      return [query.maxBytes];
  }
}

/** The bytes of each large column that may be read so that those of the page are within its bound. */
function eachBytes({ limit, maxBytes }: ResolvedListQuery): number {
  return Math.floor(maxBytes / (MOST_LARGE * (limit + 1)));
}

function rangeParameters({ startMs, endMs }: ResolvedRange): (number | bigint)[] {
  return [startMs, endMs === Number.POSITIVE_INFINITY ? END_OF_TIME : endMs];
}

function filterParameters({ sourceChainSelectors, destChainSelectors, contents }: ResolvedRange): Call['values'] {
  const chains = [sourceChainSelectors, destChainSelectors].flatMap((selectors) =>
    selectors === null ? [] : [bigintArray(Array.from(selectors, fromSelector))],
  );
  const parts = [contents?.senders, contents?.receivers, contents?.tokens];
  const addresses = parts.flatMap((each) => (each ? [hexArray(each)] : []));
  const { numbers = null } = contents ?? {};
  const bounds = numbers === null ? [] : [numbers.from, numbers.through].map(fromMessageNumber);
  return [...chains, ...addresses, ...bounds];
}

function toBuffer(hex: `0x${string}`): Buffer {
  return Buffer.from(hexToBytes(hex));
}
