import { toBoolean, toNumber, toText } from '../rows/columns.js';
import type { Diagnosis } from './diagnose.js';

/** Connections of the whole server. */
export interface Connections {
  readonly open: number;
  /** Those that an account without privileges can have. */
  readonly most: number;
}

/** Counts the connections, as far as the server lets this account see. */
export async function connections({ ask }: Diagnosis): Promise<Connections> {
  const [row = []] = await ask(
    'count connections',
    `SELECT count(*), current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
     FROM pg_stat_activity WHERE backend_type = 'client backend'`,
  );
  return { open: toNumber(row[0]), most: toNumber(row[1]) };
}

/** A transaction that is open for long: rows that died since it began cannot be removed. */
export interface LongTransaction {
  /** Process id, or the name of a prepared transaction. */
  readonly holder: string;
  readonly application: string;
  readonly state: string;
  readonly sinceMs: number;
}

/** Transactions of this database that began more than `ageMs` ago, the oldest first. */
export async function longTransactions({ ask }: Diagnosis, ageMs: number): Promise<readonly LongTransaction[]> {
  const rows = await ask(
    'look for long transactions',
    `SELECT pid::text, application_name, coalesce(state, 'hidden'), (extract(epoch FROM xact_start) * 1000)::bigint
     FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
       AND xact_start < clock_timestamp() - $1::bigint * interval '1 ms'
     UNION ALL SELECT gid, owner::text, 'prepared', (extract(epoch FROM prepared) * 1000)::bigint FROM pg_prepared_xacts
     WHERE database = current_database() AND prepared < clock_timestamp() - $1::bigint * interval '1 ms'
     ORDER BY 4`,
    [ageMs],
  );
  return rows.map(
    (row): LongTransaction => ({
      holder: toText(row[0]),
      application: toText(row[1]),
      state: toText(row[2]),
      sinceMs: toNumber(row[3]),
    }),
  );
}

/** A replication slot: the server keeps the WAL that its reader has yet to read. */
export interface ReplicationSlot {
  readonly slot: string;
  readonly isActive: boolean;
  /** WAL that is kept for it; null: none, or not known. */
  readonly keptBytes: number | null;
}

/** The replication slots of the server. */
export async function replicationSlots({ ask }: Diagnosis): Promise<readonly ReplicationSlot[]> {
  const rows = await ask(
    'look at replication slots',
    `SELECT slot_name, active, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
       ELSE pg_current_wal_lsn() END, restart_lsn)::bigint FROM pg_replication_slots ORDER BY 1`,
  );
  return rows.map(
    (row): ReplicationSlot => ({
      slot: toText(row[0]),
      isActive: toBoolean(row[1]),
      keptBytes: row[2] == null ? null : toNumber(row[2]),
    }),
  );
}

/** The age of the oldest transaction id that the database may still hold; at 2^31 the server takes no writes. */
export async function transactionAge({ ask }: Diagnosis): Promise<number> {
  const [row = []] = await ask(
    'read its transaction age',
    'SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()',
  );
  return toNumber(row[0]);
}
