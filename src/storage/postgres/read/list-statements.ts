import type { ListedKind } from '../../../model/list-kinds.js';
import { CLOCK, CLOCK_COLUMNS, CLOCK_WIDTH } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import { type Statement, statementsOf } from '../connection/statement.js';
import { boundedColumns, MESSAGE_COLUMNS, RESULT_COLUMNS, smallColumns } from '../rows/record-rows.js';
import { countedText, deepPageText, OPEN_COVER_WIDTH } from './counted-lists.js';

/** The filters by contents, in the order of their parameters. `numbers` has two. */
export const CONTENTS = ['senders', 'receivers', 'tokens', 'numbers'] as const;

type ContentsName = (typeof CONTENTS)[number];

const CONTENTS_COLUMNS: Readonly<Record<ContentsName, string>> = {
  senders: 'sender',
  receivers: 'receiver',
  tokens: 'token',
  numbers: 'message_number',
};

/** Which of the optional parts a list query has. Each combination is a statement of its own, with a plan of its own. */
export interface ListShape {
  readonly sources: boolean;
  readonly dests: boolean;
  /** In the order of `CONTENTS`. */
  readonly contents: readonly ContentsName[];
  /** The range of message numbers is small. */
  readonly fewNumbers: boolean;
  readonly after: boolean;
  /** The place of the offset is found by counters: no filter, and no key to continue after. */
  readonly deep: boolean;
  /** The offset is above 0. */
  readonly skips: boolean;
  readonly bound: Bound;
}

/**
 * How the bytes of a page are bounded. `each`: a large column above the bound is left out, so that together they cannot
 * be too many. `running`: they are left out behind the rows that fill the bound, and rows are in order.
 */
export type Bound = 'none' | 'each' | 'running';

type CountShape = Omit<ListShape, 'after' | 'deep' | 'skips' | 'bound'>;

/** The differences between the two lists. */
interface ListKind {
  readonly kind: ListedKind;
  readonly table: string;
  readonly alias: string;
  /** The one order, first column first. */
  readonly order: readonly string[];
  readonly columns: string;
}

const RESULTS: ListKind = {
  kind: 'verifierResult',
  table: '@verifier_results',
  alias: 'r',
  order: ['ingestion_ms', 'message_id', 'verifier_source', 'verifier_dest'],
  columns: RESULT_COLUMNS,
};
const MESSAGES: ListKind = {
  kind: 'message',
  table: '@messages',
  alias: 'm',
  order: ['ingestion_ms', 'message_id'],
  columns: MESSAGE_COLUMNS,
};

export type ListName = 'results' | 'messages';

/** The statements of the two lists. Parameters: `listParameters`. */
export interface ListStatements {
  page(list: ListName, shape: ListShape): Statement;
  count(list: ListName, shape: CountShape): Statement;
}

/**
 * Without chain filters the index by time is read from the start of the range on. With filters the index by lane is,
 * once a lane of those that exist, each for as many rows as the answer could take from it, and their rows are
 * merged: so every combination of filters reads an index in order, and never more than lanes × (offset + limit) entries
 * of it. With addresses the index of the first of these filters is read in the same way, once an address.
 *
 * $1 first and $2 last ingestion time, $3 limit, $4 offset, then source chains, then destination chains, then contents,
 * then the fields of the order key to continue after, then the bound of bytes. A page has a row of the clock alone,
 * and rows of records without it; these are in order where their bound is a running one. A sort of whole rows is a
 * sixth of a page's cost, the clock in each of them a tenth. A count has no limit and offset. Without filters a count,
 * and a page at a deep offset, have a cover in the place of filters: see `counted-lists.ts`.
 */
export function createListStatements(namespace: Namespace): ListStatements {
  const statement = statementsOf(namespace);
  const cache = new Map<string, Statement>();
  const cached = (name: string, text: () => string, how?: Pick<Statement, 'binary'>): Statement => {
    const made = cache.get(name) ?? statement(name, text(), how);
    cache.set(name, made);
    return made;
  };
  return {
    page: (list, shape) =>
      cached(`page_${list}${suffix(shape)}`, () => pageText(kindOf(list), shape), { binary: true }),
    count: (list, shape) =>
      cached(`count_${list}${suffix({ ...shape, after: false, deep: false, skips: false, bound: 'none' })}`, () =>
        countText(kindOf(list), shape),
      ),
  };
}

function kindOf(list: ListName): ListKind {
  return list === 'results' ? RESULTS : MESSAGES;
}

function suffix({ sources, dests, contents, fewNumbers, after, deep, skips, bound }: ListShape): string {
  const byContents = contents.map((name) => `_${name === 'numbers' && fewNumbers ? 'few' : name}`).join('');
  const place = deep ? '_deep' : skips ? '_skips' : '';
  const behind = `${after ? '_after' : ''}${place}${bound === 'none' ? '' : `_${bound}`}`;
  return `${sources ? '_s' : ''}${dests ? '_d' : ''}${byContents}${behind}`;
}

function pageText(kind: ListKind, shape: ListShape): string {
  const { alias, table } = kind;
  // the rows that the index by time gives are those of the page; others are merged as keys, and then read
  const same = kind.order.slice(1).map((column) => `${alias}.${column} = p.${column}`);
  const rows = isByTime(shape)
    ? `(${shape.deep ? deepPageText(kind) : timePageText(kind, shape)}) ${alias}`
    : `(${keysText(kind, shape)}) p JOIN ${table} ${alias} ON ${same.join(' AND ')}`;
  const order = orderOf(kind, alias);
  return `SELECT ${CLOCK_COLUMNS}, ${nulls(kind.columns.split(',').length)} FROM ${CLOCK}
    UNION ALL (
      SELECT ${nulls(CLOCK_WIDTH)}, ${boundedBy(kind, shape, order)}
      FROM ${rows}
      JOIN @message_bodies b ON b.message_id = ${alias}.message_id
      ${shape.bound === 'running' ? `ORDER BY ${order}` : ''}
    )`;
}

function nulls(columns: number): string {
  return new Array(columns).fill('NULL').join(', ');
}

function boundedBy(kind: ListKind, shape: ListShape, order: string): string {
  const maxBytes = `$${boundParameter(kind, shape)}::bigint`;
  switch (shape.bound) {
    case 'none':
      return kind.columns;
    case 'each':
      return smallColumns(kind.columns, maxBytes);
    case 'running':
      return boundedColumns(kind.columns, { order, maxBytes });
  }
}

function isByTime({ sources, dests, contents, fewNumbers }: ListShape): boolean {
  return !sources && !dests && !fewNumbers && contents.every((name) => name === 'numbers');
}

/** The order keys of a page that is merged. */
function keysText(kind: ListKind, shape: ListShape): string {
  if (isOfAddress(shape)) return addressPageText(kind, shape);
  return shape.fewNumbers ? numberPageText(kind, shape) : lanePageText(kind, shape);
}

/** The counters tell such counts and places. */
export function isUnfiltered({ sources, dests, contents }: CountShape): boolean {
  return !sources && !dests && contents.length === 0;
}

function isOfAddress({ contents }: CountShape): boolean {
  return contents.some((name) => name !== 'numbers');
}

/** The parameter behind the filters. */
function behindFilters({ sources, dests, contents }: CountShape, first: number): number {
  return first + Number(sources) + Number(dests) + contents.length + Number(contents.includes('numbers'));
}

/** The last one. */
function boundParameter({ order }: ListKind, shape: ListShape): number {
  if (shape.deep) return 5 + OPEN_COVER_WIDTH;
  return behindFilters(shape, 5) + (shape.after ? order.length : 0);
}

function orderOf(kind: ListKind, of: string): string {
  return kind.order.map((column) => `${of}.${column}`).join(', ');
}

/**
 * The rows of one index, from the start of the range on. An offset counts in the one order. Without one nothing is
 * sorted: rows that are equal to the index come all or not at all.
 */
function timePageText(kind: ListKind, shape: ListShape): string {
  const cut = shape.skips
    ? `ORDER BY ${orderOf(kind, 't')} LIMIT $3::bigint OFFSET $4::bigint`
    : 'ORDER BY t.ingestion_ms, t.message_id OFFSET $4::bigint FETCH FIRST ($3::bigint) ROWS WITH TIES';
  return `SELECT t.* FROM ${kind.table} t WHERE NOT t.orphaned AND ${pageRange(kind, shape)} ${cut}`;
}

function lanePageText(kind: ListKind, shape: ListShape): string {
  return mergedText(kind, '@lanes l', `${OF_LANE} AND NOT t.orphaned`, shape, lanesText(shape, 5, 'l'));
}

/** The conditions of the indexes without one on `orphaned`, and of no other. */
const NOT_ORPHANED = 't.orphaned IS NOT TRUE';
const OF_LANE = 't.source_chain = l.source_chain AND t.dest_chain = l.dest_chain';
const BY_NUMBER = `(t.source_chain # (t.dest_chain >> 1)) = (l.source_chain # (l.dest_chain >> 1))
  AND ${OF_LANE} AND ${NOT_ORPHANED}`;

function numberPageText(kind: ListKind, shape: ListShape): string {
  return mergedText(kind, '@lanes l', BY_NUMBER, shape, lanesText(shape, 5, 'l'));
}

function addressPageText(kind: ListKind, shape: ListShape): string {
  const [name = 'senders'] = shape.contents;
  const parameter = 5 + Number(shape.sources) + Number(shape.dests);
  const values = `unnest($${parameter}::bytea[]) v (address)`;
  const isPart = [`t.${CONTENTS_COLUMNS[name]} = v.address`, NOT_ORPHANED, ...lanesText(shape, 5, 't')];
  return mergedText(kind, values, isPart.join(' AND '), shape, []);
}

/** The first rows of each of several ranges of an index, merged. */
function mergedText(
  kind: ListKind,
  parts: string,
  isPart: string,
  shape: ListShape,
  conditions: readonly string[],
): string {
  return `SELECT ${orderOf(kind, 'k')} FROM ${parts} CROSS JOIN LATERAL (
      SELECT ${orderOf(kind, 't')} FROM ${kind.table} t
      WHERE ${isPart} AND ${pageRange(kind, shape)}
      ORDER BY ${orderOf(kind, 't')} LIMIT $3::bigint + $4::bigint
    ) k
    ${whereText(conditions)}
    ORDER BY ${orderOf(kind, 'k')} LIMIT $3::bigint OFFSET $4::bigint`;
}

function pageRange(kind: ListKind, shape: ListShape): string {
  const after = shape.after ? behindFilters(shape, 5) : null;
  return [rangeText(kind, after), ...contentsText(shape, 5)].join(' AND ');
}

/** The conditions of contents; that of an address whose index is read is among them, which costs nothing. */
function contentsText({ sources, dests, contents }: CountShape, first: number): readonly string[] {
  const from = first + Number(sources) + Number(dests);
  return contents.map((name, index) => {
    const column = `t.${CONTENTS_COLUMNS[name]}`;
    return name === 'numbers'
      ? `${column} BETWEEN $${from + index}::bigint AND $${from + index + 1}::bigint`
      : `${column} = ANY ($${from + index}::bytea[])`;
  });
}

function countText(kind: ListKind, shape: CountShape): string {
  if (isUnfiltered(shape)) return `SELECT ${CLOCK_COLUMNS}, ${countedText(kind)} FROM ${CLOCK}`;
  const range = [rangeText(kind, null), ...contentsText(shape, 3)].join(' AND ');
  const isByLane = shape.fewNumbers || shape.sources || shape.dests;
  if (!isByLane || isOfAddress(shape)) {
    const listed = isOfAddress(shape) ? NOT_ORPHANED : 'NOT t.orphaned';
    const conditions = [listed, range, ...lanesText(shape, 3, 't')].join(' AND ');
    return `SELECT ${CLOCK_COLUMNS}, (SELECT count(*) FROM ${kind.table} t WHERE ${conditions}) FROM ${CLOCK}`;
  }
  const isPart = shape.fewNumbers ? BY_NUMBER : `${OF_LANE} AND NOT t.orphaned`;
  return `SELECT ${CLOCK_COLUMNS}, (
      SELECT coalesce(sum(k.n), 0) FROM @lanes l CROSS JOIN LATERAL (
        SELECT count(*) AS n FROM ${kind.table} t WHERE ${isPart} AND ${range}
      ) k
      ${whereText(lanesText(shape, 3, 'l'))}
    ) FROM ${CLOCK}`;
}

function lanesText(shape: CountShape, first: number, of: 'l' | 't'): readonly string[] {
  const source = shape.sources ? [`${of}.source_chain = ANY ($${first}::bigint[])`] : [];
  const dest = shape.dests ? [`${of}.dest_chain = ANY ($${first + Number(shape.sources)}::bigint[])`] : [];
  return [...source, ...dest];
}

function whereText(conditions: readonly string[]): string {
  return conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
}

/** `after`: number of the parameter where the key to continue after begins. */
function rangeText(kind: ListKind, after: number | null): string {
  const range = 't.ingestion_ms >= $1::bigint AND t.ingestion_ms <= $2::bigint';
  if (after === null) return range;
  const types = ['bigint', 'bytea', 'bytea', 'bytea'];
  const parameters = kind.order.map((_, i) => `$${after + i}::${types[i]}`);
  const columns = kind.order.map((column) => `t.${column}`);
  // the first condition is one that the indexes know how to start at
  return `${range} AND (t.ingestion_ms, t.message_id) >= (${parameters.slice(0, 2).join(', ')})
    AND (${columns.join(', ')}) > (${parameters.join(', ')})`;
}
