import type { KeptRows } from '../../move-store.js';
import { CLOCK, CLOCK_COLUMNS } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import { type Statement, statementsOf } from '../connection/statement.js';

const NOW_MS = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/** Rows that go along with the lead: how their table is cleared, and filled from JSON. */
interface Kept {
  readonly key: keyof KeptRows;
  readonly clear: Statement;
  readonly fill: Statement;
}

/** The statements of a move. */
export function createMoveStatements(namespace: Namespace) {
  const statement = statementsOf(namespace);
  const json = (table: string) =>
    statement(`kept_${table}`, `SELECT coalesce(json_agg(t), '[]')::text FROM @${table} t`);
  const clear = (table: string) => statement(`clear_${table}`, `DELETE FROM @${table}`);
  /** The numbers of later rows continue above the highest. */
  const fillNumbered = (table: string) =>
    statement(
      `fill_${table}`,
      `WITH filled AS (
         INSERT INTO @${table} OVERRIDING SYSTEM VALUE
         SELECT * FROM json_populate_recordset(NULL::@${table}, $1::text::json) RETURNING id
       )
       SELECT setval(pg_get_serial_sequence('@${table}', 'id'), max(id)) FROM filled HAVING max(id) IS NOT NULL`,
    );
  const kept: readonly Kept[] = [
    {
      key: 'leases',
      clear: clear('leases'),
      fill: statement(
        'fill_leases',
        'INSERT INTO @leases SELECT * FROM json_populate_recordset(NULL::@leases, $1::text::json)',
      ),
    },
    {
      key: 'members',
      clear: clear('members'),
      // the clocks of two servers may differ: the time that is left goes along
      fill: statement(
        'fill_members',
        `INSERT INTO @members (member, sources, since_ms, expires_ms)
         SELECT member, sources, since_ms, ${NOW_MS} + left_ms
         FROM json_to_recordset($1::text::json) m (member text, sources text[], since_ms bigint, left_ms bigint)`,
      ),
    },
    { key: 'replayJobs', clear: clear('replay_jobs'), fill: fillNumbered('replay_jobs') },
    { key: 'replacements', clear: clear('replacements'), fill: fillNumbered('replacements') },
  ];
  return {
    kept,
    look: statement(
      'look_at_move',
      `SELECT ${CLOCK_COLUMNS}, m.revision, m.state, b.position, b.through_position FROM ${CLOCK}
       LEFT JOIN @move m ON true LEFT JOIN @move_backfill b ON true`,
    ),
    put: statement(
      'put_move',
      `INSERT INTO @move AS m (revision, state) VALUES ($1::bigint, $2::text)
       ON CONFLICT (only_row) DO UPDATE SET revision = excluded.revision, state = excluded.state
         WHERE m.revision < excluded.revision OR m.revision = excluded.revision AND m.state = excluded.state
       RETURNING 1`,
    ),
    setHandedOver: statement('set_handed_over', 'UPDATE @ingest_clock SET handed_over = $1::bigint <> 0'),
    standAt: statement(
      'stand_at',
      `UPDATE @ingest_clock SET last_position = $1::bigint, head_position = $1::bigint, last_ms = $2::bigint,
         last_move_position = $1::bigint, moves_position = $1::bigint, floor_position = $1::bigint,
         floor_ms = $2::bigint, counted_position = $1::bigint`,
    ),
    beginBackfill: statement(
      'begin_backfill',
      'INSERT INTO @move_backfill (position, through_position) VALUES (0, $1::bigint) ON CONFLICT DO NOTHING',
    ),
    moveBackfill: statement('move_backfill', 'UPDATE @move_backfill SET position = $1::bigint'),
    endBackfill: statement('end_backfill', 'DELETE FROM @move_backfill WHERE position >= through_position'),
    clearFloor: statement(
      'clear_floor',
      `UPDATE @ingest_clock SET floor_ms = -1, floor_position = 0
       WHERE EXISTS (SELECT FROM @move_backfill WHERE position >= through_position)`,
    ),
    leases: json('leases'),
    members: statement(
      'kept_members',
      `SELECT coalesce(json_agg(json_build_object('member', m.member, 'sources', m.sources, 'since_ms', m.since_ms,
         'left_ms', m.expires_ms - ${NOW_MS})), '[]')::text FROM @members m`,
    ),
    replayJobs: json('replay_jobs'),
    replacements: json('replacements'),
    standbyLag: statement(
      'standby_lag',
      'SELECT (extract(epoch FROM max(replay_lag)) * 1000)::bigint FROM pg_stat_replication',
    ),
    attend: statement(
      'attend_move',
      `INSERT INTO @move_processes AS p (process, role, revision, since_ms, expires_ms, figures)
       VALUES ($1::text, $2::text, $3::bigint, ${NOW_MS}, ${NOW_MS} + $4::bigint, $5::text)
       ON CONFLICT (process) DO UPDATE SET revision = excluded.revision, expires_ms = excluded.expires_ms,
         figures = excluded.figures,
         since_ms = CASE WHEN p.revision = excluded.revision THEN p.since_ms ELSE excluded.since_ms END`,
    ),
    sweep: statement(
      'sweep_move_processes',
      `DELETE FROM @move_processes WHERE process IN
         (SELECT p.process FROM @move_processes p WHERE p.expires_ms <= ${NOW_MS} FOR UPDATE SKIP LOCKED)`,
    ),
    leave: statement('leave_move', 'DELETE FROM @move_processes WHERE process = $1::text'),
    processes: statement(
      'move_processes',
      `SELECT p.process, p.role, p.revision, p.since_ms, p.figures FROM @move_processes p
       WHERE p.expires_ms > ${NOW_MS} ORDER BY 1`,
    ),
  };
}
