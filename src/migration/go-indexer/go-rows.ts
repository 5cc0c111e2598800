/*
 * Rows of the Go indexer's tables as they are read, and the statements that read them (wire page, section 9).
 *
 * Every statement only reads, and needs no more than SELECT on the tables. A row version is named by its place
 * (`ctid`) and the transaction that wrote it (`xmin`).
 */

/** The tables with records. */
export const RECORD_TABLES = ['messages', 'verifier_results'] as const;
export type RecordTable = (typeof RECORD_TABLES)[number];

/** The columns that are read, with their types. */
export const COLUMNS = {
  messages: {
    ...{ message_id: 'text', message: 'jsonb', status: 'text', lasterr: 'text' },
    ...{ ingestion_timestamp: 'timestamp without time zone', message_ccv_addresses: 'text[]' },
  },
  verifier_results: {
    ...{ message_id: 'text', verifier_source_address: 'text', verifier_dest_address: 'text' },
    ...{ attestation_timestamp: 'timestamp with time zone', ccv_data: 'bytea', message: 'jsonb' },
    ...{ ingestion_timestamp: 'timestamp with time zone' },
    ...{ message_ccv_addresses: 'text[]', message_executor_address: 'text' },
  },
  discovery_state: { discovery_location: 'text', last_sequence_number: 'bigint' },
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Whole milliseconds; null for none and for infinity, which no clock has. */
const ms = (column: string) =>
  `CASE WHEN isfinite(${column}) THEN floor(extract(epoch FROM ${column}) * 1000)::bigint END`;

/** A result without a time of its own was attested, at least. */
const RESULT_TIME = 'COALESCE(r.ingestion_timestamp, r.attestation_timestamp)';

/** A row of `messages`. Local times are readings of the Go indexer's wall clock. */
export interface GoMessageRow {
  readonly ctid: string;
  readonly xmin: string;
  readonly message_id: string;
  /** JSON text. */
  readonly message: string;
  readonly status: string;
  readonly local_ms: string | null;
  readonly ccvs: string[];
  /** The first time of its results. */
  readonly first_result_ms: string | null;
  /** From a result of the message that has them; null without one. */
  readonly result_ccvs: string[] | null;
  readonly result_executor: string | null;
}

/** A row of `verifier_results`. */
export interface GoResultRow {
  readonly ctid: string;
  readonly xmin: string;
  readonly message_id: string;
  readonly verifier_source_address: string;
  readonly verifier_dest_address: string;
  readonly attestation_ms: string | null;
  readonly ingestion_ms: string | null;
  readonly ccv_data: Buffer | null;
  /** JSON text. */
  readonly message: string;
  readonly ccvs: string[];
  readonly executor: string;
  /** The first time of the message's results, this one included. */
  readonly first_result_ms: string | null;
  /** The time of the message. */
  readonly local_ms: string | null;
}

export type GoRow = GoMessageRow | GoResultRow;

const FIRST_RESULT = (id: string) => `(SELECT ${ms(`min(COALESCE(f.ingestion_timestamp, f.attestation_timestamp))`)}
  FROM indexer.verifier_results f WHERE f.message_id = ${id})::text AS first_result_ms`;

const MESSAGES = `SELECT m.ctid::text, m.xmin::text, m.message_id, m.message::text, m.status,
    (${ms('m.ingestion_timestamp')})::text AS local_ms, m.message_ccv_addresses AS ccvs,
    a.message_ccv_addresses AS result_ccvs, a.message_executor_address AS result_executor,
    ${FIRST_RESULT('m.message_id')}
  FROM indexer.messages m LEFT JOIN LATERAL (
    SELECT r.message_ccv_addresses, r.message_executor_address FROM indexer.verifier_results r
    WHERE r.message_id = m.message_id AND r.message_executor_address <> '' LIMIT 1
  ) a ON true`;

const RESULTS = `SELECT r.ctid::text, r.xmin::text, r.message_id, r.verifier_source_address, r.verifier_dest_address,
    (${ms('r.attestation_timestamp')})::text AS attestation_ms, (${ms(RESULT_TIME)})::text AS ingestion_ms,
    r.ccv_data, r.message::text, r.message_ccv_addresses AS ccvs, r.message_executor_address AS executor,
    ${FIRST_RESULT('r.message_id')},
    (SELECT (${ms('m.ingestion_timestamp')})::text FROM indexer.messages m WHERE m.message_id = r.message_id)
      AS local_ms
  FROM indexer.verifier_results r`;

/** $1: places, as an array of `tid`. */
export const ROWS_AT: Readonly<Record<RecordTable, string>> = {
  messages: `${MESSAGES} WHERE m.ctid = ANY ($1::tid[])`,
  verifier_results: `${RESULTS} WHERE r.ctid = ANY ($1::tid[])`,
};

/** $1: message ids. */
export const ROWS_OF: Readonly<Record<RecordTable, string>> = {
  messages: `${MESSAGES} WHERE m.message_id = ANY ($1::text[])`,
  verifier_results: `${RESULTS} WHERE r.message_id = ANY ($1::text[])`,
};

/** A row's time as it orders a table: readings of the wall clock for messages; rows without one come first. */
const SORT_MS: Readonly<Record<RecordTable, string>> = {
  messages: `COALESCE(${ms('m.ingestion_timestamp')}, 0)`,
  verifier_results: `COALESCE(${ms(RESULT_TIME)}, 0)`,
};
const ALIAS: Readonly<Record<RecordTable, string>> = { messages: 'm', verifier_results: 'r' };

/** Places in the order of time, after $1 ms: $2 of them, and those of the last millisecond. */
export function placesInOrder(table: RecordTable): string {
  return `SELECT ctid::text, ms::text FROM (
      SELECT ctid, ${SORT_MS[table]} AS ms FROM indexer.${table} ${ALIAS[table]}
    ) t WHERE ms > $1::bigint ORDER BY ms FETCH FIRST ($2::bigint) ROWS WITH TIES`;
}

/**
 * Row versions in the pages from $1 to below $2 that a transaction of $3 or later wrote; $4 true: all of them. Ages are
 * counted from the first that a transaction asks for: no other statement with ages may precede this one in its own.
 */
export function versionsIn(table: RecordTable): string {
  return `SELECT ctid::text, xmin::text FROM indexer.${table}
    WHERE ctid >= $1::tid AND ctid < $2::tid
      AND ($4::boolean OR age(xmin) BETWEEN 0 AND age($3::text::xid))`;
}

/**
 * `horizon`: every transaction below it is over. `next`: none at or above it had begun to write. In 64 bits. Of each
 * table the number above that of its last page.
 */
export interface Look {
  readonly horizon: string;
  readonly next: string;
  readonly messages: string;
  readonly verifier_results: string;
}

export const LOOK = `SELECT pg_snapshot_xmin(s)::text AS horizon, pg_snapshot_xmax(s)::text AS next,
    pg_relation_size('indexer.messages') / current_setting('block_size')::bigint + 1 AS messages,
    pg_relation_size('indexer.verifier_results') / current_setting('block_size')::bigint + 1 AS verifier_results
  FROM pg_current_snapshot() s`;

/** The executors that results name. */
export const EXECUTORS = `SELECT DISTINCT message_executor_address AS executor FROM indexer.verifier_results
  LIMIT 1000`;

/** Transactions that have written to the tables and are not over. */
export const WRITERS = `SELECT DISTINCT l.pid, a.usename AS account, a.application_name AS application
  FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
  WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.relation IN ('indexer.messages'::regclass, 'indexer.verifier_results'::regclass)
    AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`;

export const COUNTS = `SELECT (SELECT count(*) FROM indexer.messages)::text AS messages,
    (SELECT count(*) FROM indexer.verifier_results)::text AS verifier_results`;

export const DISCOVERY_STATE = `SELECT discovery_location AS location, last_sequence_number::text AS sequence
  FROM indexer.discovery_state ORDER BY discovery_location`;

/** The last time that a message has: one row of an index for each status. */
export const NEWEST_MESSAGE = `SELECT max(local_ms)::text AS local_ms
  FROM unnest(ARRAY['PROCESSING', 'SUCCESS', 'TIMEOUT']) s, LATERAL (
    SELECT ${ms('m.ingestion_timestamp')} AS local_ms FROM indexer.messages m
    WHERE m.status = s AND isfinite(m.ingestion_timestamp) ORDER BY m.ingestion_timestamp DESC LIMIT 1
  ) n`;

/** Sessions that could write to the tables. Some facts of them are hidden from other accounts. */
export const WRITING_ACCOUNTS = `SELECT a.usename AS account, a.application_name AS application,
    count(*)::int AS sessions
  FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND COALESCE(a.backend_type, 'client backend') = 'client backend' AND a.application_name NOT LIKE 'ccv-indexer%'
    AND has_table_privilege(a.usesysid, 'indexer.messages', 'INSERT')
  GROUP BY 1, 2 ORDER BY 1, 2`;

/** Rows of both tables, as far as their statistics know, and a name of the tables that no other database has. */
export const SOURCE = `SELECT sum(greatest(reltuples, 0))::bigint::text AS rows,
    concat_ws(' ', current_database(), string_agg(oid::text, ' ' ORDER BY oid)) AS identity
  FROM pg_class WHERE oid IN ('indexer.messages'::regclass, 'indexer.verifier_results'::regclass)`;
