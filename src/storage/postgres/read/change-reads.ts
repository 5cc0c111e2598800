import type { Common } from '../../../core/common.js';
import type { Change, ChangeSet } from '../../../model/batch.js';
import { BEGINNING, type Boundary } from '../../../model/boundary.js';
import { checkLimit, checkPosition as checkPositionArgument } from '../../../model/list-query.js';
import type { SourceCursor, StoredConflict, StoredQuarantineEntry } from '../../../model/records.js';
import { CLOCK, CLOCK_COLUMNS, CLOCK_WIDTH, type ClockRow, checkPosition, decodeClock } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import { type Row, type Statement, statementsOf } from '../connection/statement.js';
import { toBigint, toNumber, toRecord } from '../rows/columns.js';
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
  { read, readSent, hub, name }: ReadContext,
  { clock: time }: Common,
): ChangeReads {
  const sql = createStatements(namespace);

  async function one(label: string, statement: Statement, values: readonly (bigint | number | string)[]) {
    const rows = await read(label, { statement, values });
    const clock = decodeClock(rows[0] ?? []);
    hub.seen(clock);
    return { clock, rows: rows.filter((row) => row[CLOCK_WIDTH] !== null) };
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
      const sent = await readSent('read changes', { statement: sql.changes, values: [afterPosition, limit] });
      // a set is held or dropped as a whole, as its chunks are
      const rows = sent.map((row) => row.fieldsInPlace);
      const first = rows.find((row) => row[0] !== null) ?? [];
      const clock = decodeClock(first);
      hub.seen(clock);
      checkPosition(clock, afterPosition, name);
      const found = rows.filter((row) => row[RECORD] !== null);
      const changes = found.map(decodeChange);
      // they are in order as a rule
      changes.sort((a, b) => (a.position < b.position ? -1 : 1));
      const last = changes.at(-1);
      const isFull = changes.length === limit || found.some((row) => toNumber(row[RUNNING_BYTES]) >= MAX_SET_BYTES);
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

/** One kind of record among the changes: its columns, and how they are read. */
interface ChangeKind {
  readonly columns: string;
  readonly from: string;
  readonly position: string;
  /** Bytes of the contents, without reading them. */
  readonly sizeBytes: string;
  readonly decode: (record: Row) => Change;
}

/** A change of `kind`. */
function changeOf<K extends Change['kind'], R extends { readonly position: bigint }>(
  kind: K,
  decode: (row: Row, at: number) => R,
) {
  return (row: Row) => {
    const record = decode(row, 0);
    return { kind, position: record.position, record };
  };
}

const KINDS: readonly ChangeKind[] = [
  {
    columns: MESSAGE_COLUMNS,
    from: '@messages m JOIN @message_bodies b ON b.message_id = m.message_id',
    position: 'm.position',
    sizeBytes: 'octet_length(b.body)',
    decode: changeOf('message', decodeMessage),
  },
  {
    columns: RESULT_COLUMNS,
    from: '@verifier_results r JOIN @message_bodies b ON b.message_id = r.message_id',
    position: 'r.position',
    sizeBytes: 'octet_length(b.body) + octet_length(r.ccv_data)',
    decode: changeOf('verifierResult', decodeResult),
  },
  {
    columns: EXECUTION_COLUMNS,
    from: '@executions x',
    position: 'x.position',
    sizeBytes: 'octet_length(x.return_data)',
    decode: changeOf('execution', decodeExecution),
  },
  {
    columns: CURSOR_COLUMNS,
    from: '@source_cursors s',
    position: 's.position',
    sizeBytes: '0',
    decode: changeOf('cursor', decodeCursorRow),
  },
  {
    columns: QUARANTINE_COLUMNS,
    from: '@quarantine q',
    position: 'q.position',
    sizeBytes: 'octet_length(q.raw) + octet_length(q.detail)',
    decode: changeOf('quarantine', decodeQuarantine),
  },
  {
    columns: CONFLICT_COLUMNS,
    from: '@conflicts k',
    position: 'k.position',
    sizeBytes: '0',
    decode: changeOf('conflict', decodeConflict),
  },
];

/** Behind the clock: the time of the commit that ended where the set begins, in the clock's row. */
const ENDED_MS = CLOCK_WIDTH;
/** In the row of a change: the number of its kind, the sizes of the set up to and with it, and its columns. */
const KIND = CLOCK_WIDTH + 1;
const RUNNING_BYTES = CLOCK_WIDTH + 2;
const RECORD = CLOCK_WIDTH + 3;

function decodeChange(row: Row): Change {
  const kind = KINDS[toNumber(row[KIND])];
  if (!kind) throw new TypeError('a change of an unknown kind was read');
  return kind.decode(toRecord(row[RECORD]));
}

/**
 * All kinds in one statement, so in one snapshot: a row of the clock, and a row a change with its columns as one
 * composite value. Every part reads its index by position and stops at the limit, their rows are merged and not
 * sorted (but for cursors, which have no such index), and only changes that begin within the bytes of a set are sent.
 */
function changesText(): string {
  const parts = KINDS.map(
    ({ columns, from, position, sizeBytes }, index) =>
      `(SELECT ${index} AS kind, ${position} AS position, ${CHANGE_BYTES} + ${sizeBytes} AS size_bytes,
        ROW(${columns}) AS record FROM ${from}
      WHERE ${position} > $1::bigint ORDER BY ${position} LIMIT $2::bigint)`,
  );
  const noClock = new Array(CLOCK_WIDTH).fill('NULL').join(', ');
  return `SELECT ${CLOCK_COLUMNS}, (SELECT k.ingestion_ms FROM @commits k WHERE k.through_position = $1::bigint),
      NULL, NULL, NULL
    FROM ${CLOCK}
    UNION ALL (
      SELECT ${noClock}, NULL, w.kind, w.running_bytes, w.record FROM (
        SELECT u.*, sum(u.size_bytes) OVER (ORDER BY u.position ROWS UNBOUNDED PRECEDING) AS running_bytes FROM (
          SELECT * FROM (${parts.join('\n UNION ALL ')}) a ORDER BY a.position LIMIT $2::bigint
        ) u
      ) w WHERE w.running_bytes - w.size_bytes < ${MAX_SET_BYTES}
    )`;
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
    changes: statement('changes', changesText(), { binary: true }),
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
