import { CLOCK, CLOCK_COLUMNS } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import { type Statement, statementsOf } from '../connection/statement.js';
import { boundedColumns, MESSAGE_COLUMNS, RESULT_COLUMNS } from '../rows/record-rows.js';

/** Which of the optional parts a list query has. Each combination is a statement of its own, with a plan of its own. */
export interface ListShape {
  readonly sources: boolean;
  readonly dests: boolean;
  readonly after: boolean;
  readonly bounded: boolean;
}

type CountShape = Omit<ListShape, 'after' | 'bounded'>;

/** The differences between the two lists. */
interface ListKind {
  readonly name: string;
  readonly table: string;
  readonly alias: string;
  /** The one order, first column first. */
  readonly order: readonly string[];
  readonly columns: string;
}

const RESULTS: ListKind = {
  name: 'results',
  table: '@verifier_results',
  alias: 'r',
  order: ['ingestion_ms', 'message_id', 'verifier_source', 'verifier_dest'],
  columns: RESULT_COLUMNS,
};
const MESSAGES: ListKind = {
  name: 'messages',
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
 * of it.
 *
 * $1 first and $2 last ingestion time, $3 limit, $4 offset, then source chains, then destination chains, then the
 * fields of the order key to continue after, then how many bytes of contents are wanted. A count has no limit and
 * offset.
 */
export function createListStatements(namespace: Namespace): ListStatements {
  const statement = statementsOf(namespace);
  const cache = new Map<string, Statement>();
  const cached = (name: string, text: () => string): Statement => {
    const made = cache.get(name) ?? statement(name, text());
    cache.set(name, made);
    return made;
  };
  return {
    page: (list, shape) => cached(`page_${list}${suffix(shape)}`, () => pageText(kindOf(list), shape)),
    count: (list, shape) =>
      cached(`count_${list}${suffix({ ...shape, after: false, bounded: false })}`, () =>
        countText(kindOf(list), shape),
      ),
  };
}

function kindOf(list: ListName): ListKind {
  return list === 'results' ? RESULTS : MESSAGES;
}

function suffix({ sources, dests, after, bounded }: ListShape): string {
  return `${sources ? '_s' : ''}${dests ? '_d' : ''}${after ? '_after' : ''}${bounded ? '_bounded' : ''}`;
}

function pageText(kind: ListKind, shape: ListShape): string {
  const { alias, table } = kind;
  const order = (of: string) => kind.order.map((column) => `${of}.${column}`).join(', ');
  const keys = shape.sources || shape.dests ? lanePageText(kind, shape) : timePageText(kind, shape);
  const same = kind.order.slice(1).map((column) => `${alias}.${column} = p.${column}`);
  const columns = shape.bounded
    ? boundedColumns(kind.columns, { order: order('p'), maxBytes: `$${boundParameter(kind, shape)}::bigint` })
    : kind.columns;
  return `SELECT ${CLOCK_COLUMNS}, ${columns}
    FROM ${CLOCK}
    LEFT JOIN (
      (${keys}) p
      JOIN ${table} ${alias} ON ${same.join(' AND ')}
      JOIN @message_bodies b ON b.message_id = p.message_id
    ) ON true
    ORDER BY ${order('p')}`;
}

/** The last one. */
function boundParameter({ order }: ListKind, { sources, dests, after }: ListShape): number {
  return 5 + Number(sources) + Number(dests) + (after ? order.length : 0);
}

function timePageText(kind: ListKind, shape: ListShape): string {
  const order = kind.order.map((column) => `t.${column}`).join(', ');
  return `SELECT ${order} FROM ${kind.table} t WHERE ${rangeText(kind, shape.after ? 5 : null)}
    ORDER BY ${order} LIMIT $3::bigint OFFSET $4::bigint`;
}

function lanePageText(kind: ListKind, shape: ListShape): string {
  const order = (of: string) => kind.order.map((column) => `${of}.${column}`).join(', ');
  const after = 5 + Number(shape.sources) + Number(shape.dests);
  return `SELECT ${order('k')} FROM @lanes l CROSS JOIN LATERAL (
      SELECT ${order('t')} FROM ${kind.table} t
      WHERE t.source_chain = l.source_chain AND t.dest_chain = l.dest_chain
        AND ${rangeText(kind, shape.after ? after : null)}
      ORDER BY ${order('t')} LIMIT $3::bigint + $4::bigint
    ) k
    WHERE ${lanesText(shape, 5)}
    ORDER BY ${order('k')} LIMIT $3::bigint OFFSET $4::bigint`;
}

function countText(kind: ListKind, shape: CountShape): string {
  const range = rangeText(kind, null);
  if (!shape.sources && !shape.dests)
    return `SELECT ${CLOCK_COLUMNS}, (SELECT count(*) FROM ${kind.table} t WHERE ${range}) FROM ${CLOCK}`;
  return `SELECT ${CLOCK_COLUMNS}, (
      SELECT coalesce(sum(k.n), 0) FROM @lanes l CROSS JOIN LATERAL (
        SELECT count(*) AS n FROM ${kind.table} t
        WHERE t.source_chain = l.source_chain AND t.dest_chain = l.dest_chain AND ${range}
      ) k
      WHERE ${lanesText(shape, 3)}
    ) FROM ${CLOCK}`;
}

function lanesText(shape: CountShape, first: number): string {
  const source = shape.sources ? [`l.source_chain = ANY ($${first}::bigint[])`] : [];
  const dest = shape.dests ? [`l.dest_chain = ANY ($${first + Number(shape.sources)}::bigint[])`] : [];
  return [...source, ...dest].join(' AND ');
}

/** `after`: number of the parameter where the key to continue after begins. */
function rangeText(kind: ListKind, after: number | null): string {
  const range = 'NOT t.orphaned AND t.ingestion_ms >= $1::bigint AND t.ingestion_ms <= $2::bigint';
  if (after === null) return range;
  const types = ['bigint', 'bytea', 'bytea', 'bytea'];
  const parameters = kind.order.map((_, i) => `$${after + i}::${types[i]}`);
  const columns = kind.order.map((column) => `t.${column}`);
  // the first condition is one that the indexes know how to start at
  return `${range} AND (t.ingestion_ms, t.message_id) >= (${parameters.slice(0, 2).join(', ')})
    AND (${columns.join(', ')}) > (${parameters.join(', ')})`;
}
