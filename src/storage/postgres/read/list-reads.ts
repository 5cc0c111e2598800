import { hexToBytes } from '../../../core/hex.js';
import type { ContentsFilter } from '../../../model/contents-filter.js';
import { LIST_KINDS, type ListedKind, type ListedRecords } from '../../../model/list-kinds.js';
import type { KeyedPage, ResolvedListQuery, ResolvedRange } from '../../../model/list-query.js';
import type { ResolvedLists } from '../../list-face.js';
import { asOf, CLOCK_WIDTH, checkTimes, decodeClock } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import type { Row } from '../connection/statement.js';
import type { Call } from '../connection/transaction.js';
import { bigintArray, hexArray } from '../rows/binary-arrays.js';
import { fromMessageNumber, fromSelector, toNumber } from '../rows/columns.js';
import { decodeMessage, decodeResult } from '../rows/record-rows.js';
import { coverParameters, DEEP_OFFSET, openCoverParameters } from './counted-lists.js';
import { CONTENTS, createListStatements, isUnfiltered, type ListName } from './list-statements.js';
import type { ReadContext } from './read-context.js';

/** `Infinity` as the database has it. */
const END_OF_TIME = 2n ** 63n - 1n;

const LISTS: Readonly<Record<ListedKind, ListName>> = { message: 'messages', verifierResult: 'results' };
const DECODERS: { readonly [K in ListedKind]: (row: Row, at: number) => ListedRecords[K] } = {
  message: decodeMessage,
  verifierResult: decodeResult,
};

/**
 * The lists and their counts: each one statement, so one snapshot and one round trip.
 * @param deepOffset from here on counters find the place of an offset.
 */
export function createListReads(
  namespace: Namespace,
  { read, hub, name }: ReadContext,
  deepOffset = DEEP_OFFSET,
): ResolvedLists {
  const statements = createListStatements(namespace);

  return {
    async list<K extends ListedKind>(kind: K, query: ResolvedListQuery): Promise<KeyedPage<ListedRecords[K]>> {
      const { startMs, endMs, limit } = query;
      const list = LISTS[kind];
      const filters = filtersOf(query);
      const after = query.after !== null;
      const deep = query.offset >= deepOffset && !after && isUnfiltered(filters);
      const shape = { ...filters, after, deep, skips: query.offset > 0, bounded: isBounded(query) };
      const rows = await read(`query ${list}`, {
        statement: statements.page(list, shape),
        values: pageParameters(list, query, deep),
      });
      const clock = decodeClock(rows[0] ?? []);
      hub.seen(clock);
      checkTimes(clock, startMs, endMs, name);
      const found = rows.filter((row) => row[CLOCK_WIDTH] !== null);
      const decode = DECODERS[kind];
      const items = found.slice(0, limit).map((row) => decode(row, CLOCK_WIDTH));
      const last = items.at(-1);
      const next = found.length > limit && last ? LIST_KINDS[kind].keyOf(last) : null;
      return { items, next, asOf: asOf(clock) };
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
function pageParameters(list: ListName, query: ResolvedListQuery, deep: boolean): Call['values'] {
  const { after, limit, offset } = query;
  const key =
    after === null
      ? []
      : [
          after.ingestionMs,
          toBuffer(after.messageId),
          ...(list === 'results' ? [toBuffer(after.verifierSourceAddress), toBuffer(after.verifierDestAddress)] : []),
        ];
  const bound = isBounded(query) ? [query.maxBytes] : [];
  const narrowed = deep ? openCoverParameters(query.startMs) : filterParameters(query);
  return [...rangeParameters(query), limit + 1, offset, ...narrowed, ...key, ...bound];
}

function isBounded({ maxBytes }: ResolvedListQuery): boolean {
  return maxBytes !== Number.POSITIVE_INFINITY;
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
