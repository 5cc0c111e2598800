import type { Common } from '../../../core/common.js';
import type { Change, ChangeSet } from '../../../model/batch.js';
import { BEGINNING, type Boundary } from '../../../model/boundary.js';
import { checkLimit, checkPosition as checkPositionArgument } from '../../../model/list-query.js';
import type { SourceCursor, StoredConflict, StoredQuarantineEntry } from '../../../model/records.js';
import { CLOCK, CLOCK_COLUMNS, CLOCK_WIDTH, type ClockRow, checkPosition, decodeClock } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import { type Row, type Statement, statementsOf } from '../connection/statement.js';
import { toBigint, toNumber } from '../rows/columns.js';
import { decodeExecution, EXECUTION_COLUMNS } from '../rows/execution-rows.js';
import {
  CONFLICT_COLUMNS,
  CURSOR_COLUMNS,
  decodeConflict,
  decodeCursorRow,
  decodeMessage,
  decodeQuarantine,
  decodeResult,
  MESSAGE_COLUMNS,
  QUARANTINE_COLUMNS,
  RESULT_COLUMNS,
} from '../rows/record-rows.js';
import type { ReadContext } from './read-context.js';

const DEFAULT_CHANGES = 1_000;
/** A set ends with the change that reaches this many bytes of content: a set must fit into memory. */
const MAX_SET_BYTES = 32 << 20;
/** Bytes of a change besides its contents. */
const CHANGE_BYTES = 256;

/** Reads by position: changes for followers, and the cursors, quarantine and conflicts of sources. */
export interface ChangeReads {
  changesAfter(afterPosition: bigint, limit?: number): Promise<ChangeSet>;
  boundaryAt(at: { readonly ms: number } | { readonly position: bigint }): Promise<Boundary>;
  getCursor(sourceId: string): Promise<SourceCursor | null>;
  listCursors(): Promise<readonly SourceCursor[]>;
  quarantine(query: PositionQuery): Promise<readonly StoredQuarantineEntry[]>;
  conflicts(query: PositionQuery): Promise<readonly StoredConflict[]>;
  /** Only the clock. */
  clock(label: string): Promise<ClockRow>;
}

export interface PositionQuery {
  readonly afterPosition: bigint;
  readonly limit: number;
}

export function createChangeReads(
  namespace: Namespace,
  { read, hub, name }: ReadContext,
  { clock: time }: Common,
): ChangeReads {
  const sql = createStatements(namespace);

  async function one(label: string, statement: Statement, values: readonly (bigint | number | string)[]) {
    const rows = await read(label, { statement, values });
    const [first = []] = rows;
    const clock = decodeClock(first);
    hub.seen(clock);
    return { clock, first, rows: rows.filter((row) => row[CLOCK_WIDTH] !== null) };
  }

  async function byPosition<T>(
    label: string,
    statement: Statement,
    { afterPosition, limit }: PositionQuery,
    decode: (row: Row, at: number) => T,
  ): Promise<readonly T[]> {
    checkPositionArgument('afterPosition', afterPosition);
    checkLimit(limit);
    const { rows } = await one(label, statement, [afterPosition, limit]);
    return rows.map((row) => decode(row, CLOCK_WIDTH));
  }

  return {
    async changesAfter(afterPosition, limit = DEFAULT_CHANGES) {
      checkPositionArgument('afterPosition', afterPosition);
      checkLimit(limit);
      const readMs = time.nowMs();
      const { clock, rows, first } = await one('read changes', sql.changes, [afterPosition, limit]);
      checkPosition(clock, afterPosition, name);
      const changes = rows.map(decodeChange);
      const last = changes.at(-1);
      const isFull = changes.length === limit || toNumber(rows.at(-1)?.[RUNNING_BYTES] ?? '0') >= MAX_SET_BYTES;
      const isCut = isFull && last !== undefined;
      const endedMs = first[ENDED_MS];
      return {
        afterPosition,
        ...(afterPosition > 0n && {
          follows: { position: afterPosition, ingestionMs: endedMs == null ? null : toNumber(endedMs) },
        }),
        throughPosition: isCut ? last.position : clock.lastPosition,
        headPosition: clock.lastPosition,
        headMs: clock.lastMs,
        headMovePosition: clock.lastMovePosition,
        readMs,
        changes,
      };
    },
    async boundaryAt(at) {
      const [statement, value] =
        'ms' in at ? [sql.boundaryByTime, Math.min(at.ms, Number.MAX_SAFE_INTEGER)] : [sql.boundary, at.position];
      const { rows } = await one('find boundary', statement, [typeof value === 'number' ? Math.floor(value) : value]);
      const [row] = rows;
      return row ? { position: toBigint(row[CLOCK_WIDTH]), ingestionMs: toNumber(row[CLOCK_WIDTH + 1]) } : BEGINNING;
    },
    async getCursor(sourceId) {
      const { rows } = await one('get cursor', sql.cursor, [sourceId]);
      return rows[0] ? decodeCursorRow(rows[0], CLOCK_WIDTH) : null;
    },
    async listCursors() {
      const { rows } = await one('list cursors', sql.cursors, []);
      const cursors = rows.map((row) => decodeCursorRow(row, CLOCK_WIDTH));
      // by UTF-16 unit, as every other backend does; the database knows bytes
      return cursors.sort((a, b) => (a.sourceId < b.sourceId ? -1 : 1));
    },
    quarantine: (query) => byPosition('query quarantine', sql.quarantine, query, decodeQuarantine),
    conflicts: (query) => byPosition('query conflicts', sql.conflicts, query, decodeConflict),
    clock: async (label) => (await one(label, sql.clock, [])).clock,
  };
}

/** One kind of record among the changes: where its columns lie in the common row, and how they are read. */
interface ChangeKind {
  readonly kind: Change['kind'];
  readonly columns: string;
  readonly from: string;
  readonly position: string;
  /** Bytes of the contents, without reading them. */
  readonly sizeBytes: string;
}

const KINDS: readonly ChangeKind[] = [
  {
    kind: 'message',
    columns: MESSAGE_COLUMNS,
    from: '@messages m JOIN @message_bodies b ON b.message_id = m.message_id',
    position: 'm.position',
    sizeBytes: 'octet_length(b.body)',
  },
  {
    kind: 'verifierResult',
    columns: RESULT_COLUMNS,
    from: '@verifier_results r JOIN @message_bodies b ON b.message_id = r.message_id',
    position: 'r.position',
    sizeBytes: 'octet_length(b.body) + octet_length(r.ccv_data)',
  },
  {
    kind: 'execution',
    columns: EXECUTION_COLUMNS,
    from: '@executions x',
    position: 'x.position',
    sizeBytes: 'octet_length(x.return_data)',
  },
  { kind: 'cursor', columns: CURSOR_COLUMNS, from: '@source_cursors s', position: 's.position', sizeBytes: '0' },
  {
    kind: 'quarantine',
    columns: QUARANTINE_COLUMNS,
    from: '@quarantine q',
    position: 'q.position',
    sizeBytes: 'octet_length(q.raw) + octet_length(q.detail)',
  },
  { kind: 'conflict', columns: CONFLICT_COLUMNS, from: '@conflicts k', position: 'k.position', sizeBytes: '0' },
];

/** Number of columns of the widest kind. */
const WIDTH = Math.max(...KINDS.map(({ columns }) => columns.split(',').length));
/** The column behind clock, kind, position, fields and size: the sizes of the set up to and with this change. */
const RUNNING_BYTES = CLOCK_WIDTH + 2 + WIDTH + 1;
/** The time of the commit that ended where the set begins, in every row. */
const ENDED_MS = RUNNING_BYTES + 1;

function decodeChange(row: Row): Change {
  const kind = KINDS[toNumber(row[CLOCK_WIDTH])]?.kind;
  const position = toBigint(row[CLOCK_WIDTH + 1]);
  const at = CLOCK_WIDTH + 2;
  switch (kind) {
    case 'message':
      return { kind, position, record: decodeMessage(row, at) };
    case 'verifierResult':
      return { kind, position, record: decodeResult(row, at) };
    case 'execution':
      return { kind, position, record: decodeExecution(row, at) };
    case 'cursor':
      return { kind, position, record: decodeCursorRow(row, at) };
    case 'quarantine':
      return { kind, position, record: decodeQuarantine(row, at) };
    case 'conflict':
      return { kind, position, record: decodeConflict(row, at) };
    case undefined:
      throw new TypeError('a change of an unknown kind was read');
  }
}

/**
 * All kinds in one statement, so in one snapshot: each kind's columns as text, in a row as wide as the widest kind.
 * Every part reads its index by position and stops at the limit; only changes that begin within the bytes of a set are
 * sent.
 */
function changesText(): string {
  const names = Array.from({ length: WIDTH }, (_, i) => `f${i}`);
  const parts = KINDS.map(({ columns, from, position, sizeBytes }, index) => {
    const fields = columns.split(',').map((column, i) => `${column.trim()}::text AS ${names[i]}`);
    const padding = names.slice(fields.length).map((name) => `NULL::text AS ${name}`);
    return `(SELECT ${index} AS kind, ${position} AS position, ${[...fields, ...padding].join(', ')},
        ${CHANGE_BYTES} + ${sizeBytes} AS size_bytes FROM ${from}
      WHERE ${position} > $1::bigint ORDER BY ${position} LIMIT $2::bigint)`;
  });
  return `SELECT ${CLOCK_COLUMNS}, p.*, (SELECT k.ingestion_ms FROM @commits k WHERE k.through_position = $1::bigint)
    FROM ${CLOCK} LEFT JOIN (
      SELECT * FROM (
        SELECT u.*, sum(u.size_bytes) OVER (ORDER BY u.position ROWS UNBOUNDED PRECEDING) AS running_bytes FROM (
          SELECT * FROM (${parts.join('\n UNION ALL ')}) a ORDER BY a.position LIMIT $2::bigint
        ) u
      ) w WHERE w.running_bytes - w.size_bytes < ${MAX_SET_BYTES}
    ) p ON true ORDER BY p.position`;
}

function createStatements(namespace: Namespace) {
  const statement = statementsOf(namespace);
  const boundary = (column: string) =>
    `SELECT ${CLOCK_COLUMNS}, x.through_position, x.ingestion_ms FROM ${CLOCK} LEFT JOIN (
       SELECT through_position, ingestion_ms FROM @commits WHERE ${column} <= $1::bigint ORDER BY ${column} DESC LIMIT 1
     ) x ON true`;
  const byPosition = (table: string, alias: string) =>
    `SELECT * FROM @${table} WHERE position > $1::bigint ORDER BY position LIMIT $2::bigint) ${alias} ON true
     ORDER BY ${alias}.position`;
  return {
    clock: statement('read_clock', `SELECT ${CLOCK_COLUMNS}, 1 FROM ${CLOCK}`),
    changes: statement('changes', changesText()),
    boundary: statement('boundary_by_position', boundary('through_position')),
    boundaryByTime: statement('boundary_by_time', boundary('ingestion_ms')),
    cursor: statement(
      'cursor',
      `SELECT ${CLOCK_COLUMNS}, ${CURSOR_COLUMNS} FROM ${CLOCK}
       LEFT JOIN @source_cursors s ON s.source_id = $1::text`,
    ),
    cursors: statement(
      'cursors',
      `SELECT ${CLOCK_COLUMNS}, ${CURSOR_COLUMNS} FROM ${CLOCK} LEFT JOIN @source_cursors s ON true`,
    ),
    quarantine: statement(
      'quarantine',
      `SELECT ${CLOCK_COLUMNS}, ${QUARANTINE_COLUMNS} FROM ${CLOCK} LEFT JOIN (${byPosition('quarantine', 'q')}`,
    ),
    conflicts: statement(
      'conflicts',
      `SELECT ${CLOCK_COLUMNS}, ${CONFLICT_COLUMNS} FROM ${CLOCK} LEFT JOIN (${byPosition('conflicts', 'k')}`,
    ),
  };
}
