import { hexToBytes } from '../../../core/hex.js';
import { LeaseLostError } from '../../../model/storage-errors.js';
import {
  type ReplayJob,
  type ReplayJobs,
  type ReplayRunner,
  type ReplayState,
  replayIdOf,
  replaySourceId,
  type TakenReplay,
} from '../../replay-jobs.js';
import { lockClock, type RequireLead } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import type { SessionLimits } from '../connection/session.js';
import { type Row, statementsOf } from '../connection/statement.js';
import { type Transaction, UnknownOutcomeError } from '../connection/transaction.js';
import type { TransactionRunner } from '../connection/transaction-runner.js';
import { toBigint, toBoolean, toHex, toNumber, toText, toTextOrNull } from '../rows/columns.js';

const ATTEMPTS = 3;
const NOW_MS = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';
const COLUMNS = `j.id, j.kind, j.request, j.request_hash, j.state, j.cursor, j.progress, j.error, j.owner, j.epoch,
  j.created_ms, j.heartbeat_ms, j.ended_ms, (j.state = 'running' AND j.expires_ms > ${NOW_MS})::text`;

/**
 * The replays of a namespace. A take locks the commit clock, as that of a lease does: of two runners with equal
 * requests one comes first, and the last commit of the runner before is done.
 */
export function createReplayJobs(
  namespace: Namespace,
  limits: SessionLimits,
  runner: TransactionRunner,
  requireLead: RequireLead,
): ReplayJobs {
  const sql = createStatements(namespace, limits);

  /** Every write here may be done twice. */
  async function write<T>(label: string, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1)
      try {
        return await runner.write(label, work);
      } catch (thrown) {
        if (!(thrown instanceof UnknownOutcomeError) || attempt >= ATTEMPTS) throw thrown;
      }
  }

  /** Ends the transaction. */
  async function takeRow(transaction: Transaction, id: bigint, by: ReplayRunner): Promise<TakenReplay> {
    const [row = []] = await transaction.query(sql.take, [id, by.owner, by.leaseMs]);
    const job = decodeJob(row);
    await transaction.commit([{ statement: sql.fence, values: [replaySourceId(id), by.owner, job.epoch] }]);
    return { kind: 'taken', job, lease: { source: replaySourceId(id), owner: by.owner, epoch: job.epoch } };
  }

  return {
    async begin({ kind, request, requestHash }, by, again) {
      const hash = Buffer.from(hexToBytes(requestHash));
      return await write('begin replay', async (transaction) => {
        const [locked, rows] = await Promise.all([transaction.query(sql.lock), transaction.query(sql.latest, [hash])]);
        requireLead(locked[0] ?? []);
        const last = rows[0] && decodeJob(rows[0]);
        const refused = last && refusal(last, by);
        if (refused && !(refused.kind === 'done' && again)) {
          await transaction.rollback();
          return refused;
        }
        if (last && !refused) return await takeRow(transaction, last.id, by);
        const [row] = await transaction.query(sql.insert, [kind, request, hash]);
        return await takeRow(transaction, toBigint(row?.[0]), by);
      });
    },
    async take(id, by) {
      return await write('take replay', async (transaction) => {
        const [locked, rows] = await Promise.all([transaction.query(sql.lock), transaction.query(sql.get, [id])]);
        requireLead(locked[0] ?? []);
        const last = rows[0] && decodeJob(rows[0]);
        const refused = last && refusal(last, by);
        if (last && !refused) return await takeRow(transaction, id, by);
        await transaction.rollback();
        return refused ?? null;
      });
    },
    async beat(lease, leaseMs, step) {
      const values = [replayIdOf(lease), lease.owner, lease.epoch, leaseMs, step?.cursor ?? null];
      await write('beat replay', async (transaction) => {
        const rows = await transaction.query(sql.beat, [...values, step?.progress ?? null]);
        if (rows.length === 0) throw new LeaseLostError(lease, undefined);
        await transaction.commit([]);
      });
    },
    async end(lease, state, error) {
      const { owner, epoch, source } = lease;
      await write('end replay', async (transaction) => {
        await transaction.commit([
          { statement: sql.end, values: [replayIdOf(lease), owner, epoch, state, error] },
          { statement: sql.unfence, values: [source, owner, epoch] },
        ]);
      });
    },
    async get(id) {
      const [row] = await runner.read('read replay', { statement: sql.get, values: [id] });
      return row ? decodeJob(row) : null;
    },
    async list(limit) {
      return (await runner.read('read replays', { statement: sql.list, values: [limit] })).map(decodeJob);
    },
  };
}

/** Why a job is not for this runner to take; undefined: it is. */
function refusal(job: ReplayJob, { owner, hasEnded }: ReplayRunner): TakenReplay | undefined {
  if (job.state === 'done') return { kind: 'done', job };
  const isGone = job.owner === null || job.owner === owner || hasEnded(job.owner);
  return job.isHeld && !isGone ? { kind: 'elsewhere', job } : undefined;
}

function createStatements(namespace: Namespace, limits: SessionLimits) {
  const statement = statementsOf(namespace);
  return {
    lock: statement('lock_clock', lockClock(limits)),
    latest: statement(
      'latest_replay',
      `SELECT ${COLUMNS} FROM @replay_jobs j WHERE j.request_hash = $1::bytea ORDER BY j.id DESC LIMIT 1`,
    ),
    get: statement('replay', `SELECT ${COLUMNS} FROM @replay_jobs j WHERE j.id = $1::bigint`),
    list: statement('replays', `SELECT ${COLUMNS} FROM @replay_jobs j ORDER BY j.id DESC LIMIT $1::bigint`),
    insert: statement(
      'insert_replay',
      `INSERT INTO @replay_jobs (kind, request, request_hash, state, epoch, created_ms, heartbeat_ms, expires_ms)
       VALUES ($1::text, $2::text, $3::bytea, 'running', 0, ${NOW_MS}, ${NOW_MS}, 0) RETURNING id`,
    ),
    take: statement(
      'take_replay',
      `UPDATE @replay_jobs j SET state = 'running', owner = $2::text, epoch = j.epoch + 1, error = NULL,
         ended_ms = NULL, heartbeat_ms = ${NOW_MS}, expires_ms = ${NOW_MS} + $3::bigint
       WHERE j.id = $1::bigint RETURNING ${COLUMNS}`,
    ),
    fence: statement(
      'fence_replay',
      `INSERT INTO @leases (source, owner, epoch, since_ms) VALUES ($1::text, $2::text, $3::bigint, ${NOW_MS})
       ON CONFLICT (source) DO UPDATE
         SET owner = excluded.owner, epoch = excluded.epoch, since_ms = excluded.since_ms`,
    ),
    beat: statement(
      'beat_replay',
      `UPDATE @replay_jobs j SET heartbeat_ms = ${NOW_MS}, expires_ms = ${NOW_MS} + $4::bigint,
         cursor = coalesce($5::text, j.cursor), progress = coalesce($6::text, j.progress)
       WHERE j.id = $1::bigint AND j.owner = $2::text AND j.epoch = $3::bigint AND j.state = 'running' RETURNING j.id`,
    ),
    end: statement(
      'end_replay',
      `UPDATE @replay_jobs j SET state = $4::text, error = $5::text, owner = NULL, heartbeat_ms = ${NOW_MS},
         ended_ms = ${NOW_MS}
       WHERE j.id = $1::bigint AND j.owner = $2::text AND j.epoch = $3::bigint AND j.state = 'running'`,
    ),
    unfence: statement(
      'unfence_replay',
      'DELETE FROM @leases WHERE source = $1::text AND owner = $2::text AND epoch = $3::bigint',
    ),
  };
}

function decodeJob(row: Row): ReplayJob {
  return {
    id: toBigint(row[0]),
    kind: toText(row[1]),
    request: toText(row[2]),
    requestHash: toHex(row[3]),
    state: toText(row[4]) as ReplayState,
    cursor: toTextOrNull(row[5]),
    progress: toTextOrNull(row[6]),
    error: toTextOrNull(row[7]),
    owner: toTextOrNull(row[8]),
    epoch: toBigint(row[9]),
    createdMs: toNumber(row[10]),
    heartbeatMs: toNumber(row[11]),
    endedMs: row[12] == null ? null : toNumber(row[12]),
    isHeld: toBoolean(row[13]),
  };
}
