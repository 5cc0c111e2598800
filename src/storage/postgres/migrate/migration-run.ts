import type pg from 'pg';
import type { Clock } from '../../../core/clock.js';
import type { Database } from '../connection/database.js';
import type { Namespace } from '../connection/namespace.js';
import { failureCode } from '../connection/sql-errors.js';

/** A session that a migration waits for, as far as the server lets this account see. */
export interface LockHolder {
  readonly pid: number;
  readonly application: string | null;
  readonly user: string | null;
  readonly client: string | null;
  /** Its state, and for how long: `idle in transaction`, 12. */
  readonly state: string | null;
  readonly seconds: number | null;
}

/** The lock that a migration waits for, and its holders. */
export interface MigrationWait {
  readonly lock: 'another migration' | 'a table of the namespace';
  readonly holders: readonly LockHolder[];
}

/** A step was not made, because another session has its lock. */
interface Waiting {
  readonly wait: MigrationWait;
}

/** One at a time in a database, whichever the namespace: waiting costs nothing. An arbitrary number. */
const LOCK = 7_262_031_884_107n;

/** How often it is asked for: a wait inside the database could not be told from a database that has gone silent. */
const LOCK_POLL_MS = 100;
/** Readers wait behind a step that waits for a table: it lets them through now and then. */
const TABLE_LOCK_MS = 2_000;
const LOCK_NOT_AVAILABLE = '55P03';

const LIMITS = {
  ...{ access: 'READ WRITE' as const, statementTimeoutMs: 0, idleInTxSessionTimeoutMs: 0 },
  lockTimeoutMs: TABLE_LOCK_MS,
};

const HOLDER = `l.pid, a.application_name AS application, a.usename AS "user", host(a.client_addr) AS client, a.state,
  extract(epoch FROM clock_timestamp() - a.state_change)::int AS seconds
  FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid`;

/**
 * Runs steps, each in a transaction of its own that holds the lock to its end and no longer, so that a pooler cannot
 * keep it; until one has nothing to do.
 * @param step @returns whether there may be more to do.
 * @param onWait is told whenever the wait changes.
 */
export async function runLocked(
  { transaction }: Database,
  namespace: Namespace,
  {
    clock,
    answerMs,
    onWait,
    step,
  }: {
    readonly clock: Pick<Clock, 'sleep'>;
    /** For every answer but that of a step. */
    readonly answerMs: number;
    readonly onWait: (wait: MigrationWait) => void;
    readonly step: (client: pg.Client) => Promise<boolean>;
  },
): Promise<void> {
  let told = '';

  async function attempt(): Promise<boolean | Waiting> {
    try {
      return await transaction(LIMITS, async (client) => {
        const text = 'SELECT pg_try_advisory_xact_lock($1::bigint) AS locked';
        const given = await client.query<{ locked: boolean }>({
          ...{ text, values: [LOCK.toString()], query_timeout: answerMs },
        });
        if (given.rows[0]?.locked) return await step(client);
        return { wait: { lock: 'another migration', holders: await holdersOfLock(client, answerMs) } };
      });
    } catch (thrown) {
      if (failureCode(thrown) !== LOCK_NOT_AVAILABLE) throw thrown;
      const holders = await transaction(LIMITS, (client) => holdersOfTables(client, namespace, answerMs));
      return { wait: { lock: 'a table of the namespace', holders } };
    }
  }

  for (;;) {
    const outcome = await attempt();
    if (outcome === false) return;
    if (outcome === true) continue;
    const { wait } = outcome;
    const key = `${wait.lock} ${wait.holders.map(({ pid }) => pid).join(' ')}`;
    // between two looks the holder may have let go
    if (key !== told && wait.holders.length > 0) {
      onWait(wait);
      told = key;
    }
    await clock.sleep(LOCK_POLL_MS);
  }
}

async function holdersOfLock(client: pg.Client, answerMs: number): Promise<readonly LockHolder[]> {
  // how the server shows a lock of one number: its upper and lower half
  const text = `SELECT ${HOLDER} WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.classid::bigint = $1::bigint >> 32 AND l.objid::bigint = $1::bigint & 4294967295 ORDER BY l.pid`;
  const query = { text, values: [LOCK.toString()], query_timeout: answerMs };
  return (await client.query<LockHolder>(query)).rows;
}

async function holdersOfTables(
  client: pg.Client,
  namespace: Namespace,
  answerMs: number,
): Promise<readonly LockHolder[]> {
  const text = `SELECT DISTINCT ON (l.pid) ${HOLDER} JOIN pg_class c ON c.oid = l.relation
      JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND l.granted AND l.pid <> pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY l.pid`;
  const query = { text, values: [namespace.name], query_timeout: answerMs };
  return (await client.query<LockHolder>(query)).rows;
}

/** In words, for logs and terminals. */
export function describeWait({ lock, holders }: MigrationWait): string {
  const each = holders.map(({ pid, application, user, client, state, seconds }) => {
    const doing = state === null ? null : `${state}${seconds === null ? '' : ` for ${seconds} s`}`;
    const facts = [application, user && `user ${user}`, client && `from ${client}`, doing].filter(Boolean);
    return `pid ${pid}${facts.length > 0 ? ` (${facts.join(', ')})` : ''}`;
  });
  return `waiting for ${lock}, held by ${each.join(' and ')}`;
}
