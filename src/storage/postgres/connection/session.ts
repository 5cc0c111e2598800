import type pg from 'pg';
import { secrets } from '../../../core/masker.js';
import { parsePostgresUri } from '../../../core/postgres-uri.js';
import { secretsOfUrl } from '../../../core/url-secrets.js';
import type { PoolSettings, PostgresAddress } from './pool-settings.js';

/** The wait beyond the server's own limit before a silent connection counts as dead. */
const SILENCE_MARGIN_MS = 5_000;

/** Of a session: its name and its value as an SQL expression. */
type Setting = readonly [name: string, value: string];

const COMMIT_SETTING = `pg_catalog.current_setting('synchronous_commit')`;
const DURABLE = `CASE WHEN ${COMMIT_SETTING} OPERATOR(pg_catalog.=) 'off' THEN 'on' ELSE ${COMMIT_SETTING} END`;

/**
 * Settings that must not depend on those of the server, the database or the account.
 *
 * - Text is UTF-8, bytes are hex, times have no zone. No schema shadows the server's own functions and operators.
 * - Rows that a policy would hide are an error: an answer is whole or none.
 * - An acknowledged commit survives a crash of the server: `off` becomes `on`, anything stricter stays.
 * - A limit on time is one of ours.
 * - `default_transaction_read_only` stays: it is set for a reason (a full disk, a switch-over).
 */
const CERTAIN: readonly Setting[] = [
  ['client_encoding', `'UTF8'`],
  ['standard_conforming_strings', `'on'`],
  ['bytea_output', `'hex'`],
  ['TimeZone', `'UTC'`],
  ['search_path', `'pg_catalog'`],
  ['row_security', `'off'`],
  ['default_transaction_isolation', `'read committed'`],
  ['synchronous_commit', DURABLE],
  ['idle_session_timeout', `'0'`],
  ['transaction_timeout', `'0'`],
];

/**
 * Every query is written for one plan: it reads an index in order, or looks rows up by key one by one. It must not
 * depend on statistics that a bulk load has outrun, nor be made again for each call.
 */
const PLANS: readonly Setting[] = [
  ...['enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin', 'jit'].map(off),
  ...['enable_indexscan', 'enable_indexonlyscan', 'enable_nestloop'].map(on),
  ['max_parallel_workers_per_gather', `'0'`],
  ['random_page_cost', `'1.1'`],
  ['plan_cache_mode', `'force_generic_plan'`],
];

/** Bytes stay the text they came as: the asking code decodes its rows (`rows/`). */
export const RAW_TYPES = { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig;

/** The limits of a session. Times in milliseconds, 0 = no limit. */
export type SessionLimits = Pick<PoolSettings, 'idleInTxSessionTimeoutMs' | 'lockTimeoutMs' | 'statementTimeoutMs'>;

/** How transactions are run on a connection. */
export interface SessionWords {
  /**
   * Between us and the server is a pooler: the next transaction may run in another session. Each brings its settings
   * along, nothing is prepared, and nothing can be listened to.
   */
  readonly pooled: boolean;
  readonly begin: string;
  readonly commit: string;
}

/** The limits of a session: those of the URI (in the driver's words, milliseconds) come before the settings. */
export function limitsOf(address: PostgresAddress, settings: SessionLimits): SessionLimits {
  const { statement_timeout, lock_timeout, idle_in_transaction_session_timeout } = driverConfig(address);
  const msOf = (given: unknown, settingMs: number) => {
    const ms = Number.parseInt(String(given), 10);
    return Number.isNaN(ms) ? settingMs : ms;
  };
  return {
    statementTimeoutMs: msOf(statement_timeout, settings.statementTimeoutMs),
    lockTimeoutMs: msOf(lock_timeout, settings.lockTimeoutMs),
    idleInTxSessionTimeoutMs: msOf(idle_in_transaction_session_timeout, settings.idleInTxSessionTimeoutMs),
  };
}

function driverConfig(address: PostgresAddress): pg.ClientConfig {
  return 'connectionString' in address ? parsePostgresUri(address.connectionString) : address;
}

/** From now on no text that leaves the process shows the password. */
function hideAddress(address: PostgresAddress): void {
  if ('connectionString' in address) secrets.add(secretsOfUrl(address.connectionString));
  else if (address.password !== undefined) secrets.add([{ text: address.password, where: 'anywhere' }]);
}

/** The parts of a client's configuration that all connections share; no startup parameters, which poolers refuse. */
export function clientConfig(
  address: PostgresAddress,
  settings: Pick<PoolSettings, 'connectTimeoutMs' | 'statementTimeoutMs'>,
): pg.ClientConfig {
  hideAddress(address);
  const parsed = driverConfig(address);
  return {
    application_name: 'ccv-indexer',
    ...parsed,
    // sent once the session stands
    ...{ statement_timeout: 0, lock_timeout: 0, idle_in_transaction_session_timeout: 0 },
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    ...(settings.statementTimeoutMs > 0 ? { query_timeout: settings.statementTimeoutMs + SILENCE_MARGIN_MS } : {}),
  };
}

/**
 * Sets up a new connection, unless a pooler stands between: its process is then not the one that the connection was
 * told of, and another client would find our settings.
 * @param mark names the namespace in the last query of a session, for operators.
 */
export async function openSession(
  client: pg.ClientBase,
  limits: SessionLimits,
  mark: string,
  answerMs: number,
): Promise<SessionWords> {
  const { processID } = client as pg.ClientBase & { readonly processID: number | null };
  const isOurs = `pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) ${Number(processID ?? 0)}`;
  const settings = [...CERTAIN, ...timesOf(limits), ...PLANS];
  const set = { text: setAll(settings, 'false', isOurs), ...(answerMs > 0 ? { query_timeout: answerMs } : {}) };
  const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED';
  const pooled = (await client.query(set)).rows.length === 0;
  return pooled
    ? { pooled, begin: `${begin}; ${setAll(settings, 'true', 'true')}`, commit: `COMMIT /* ${mark} */` }
    : { pooled, begin, commit: 'COMMIT' };
}

/** Begins a transaction that brings its settings along, on a connection that was not set up: it may be a pooler's. */
export function beginWith(limits: SessionLimits, access: 'READ ONLY' | 'READ WRITE'): string {
  const mode = access === 'READ ONLY' ? ' READ ONLY' : '';
  return `BEGIN ISOLATION LEVEL READ COMMITTED${mode}; ${setAll([...CERTAIN, ...timesOf(limits)], 'true', 'true')}`;
}

function timesOf(limits: SessionLimits): readonly Setting[] {
  return [
    ['statement_timeout', `'${limits.statementTimeoutMs}'`],
    ['lock_timeout', `'${limits.lockTimeoutMs}'`],
    ['idle_in_transaction_session_timeout', `'${limits.idleInTxSessionTimeoutMs}'`],
  ];
}

/** Names that the server is too old to know are left out. */
function setAll(settings: readonly Setting[], local: 'true' | 'false', condition: string): string {
  const values = settings.map(([name, value]) => `('${name}', ${value})`).join(', ');
  return `SELECT pg_catalog.set_config(s.name, s.value, ${local}) FROM (VALUES ${values}) s(name, value)
    WHERE ${condition} AND pg_catalog.current_setting(s.name, true) IS NOT NULL`;
}

function on(name: string): Setting {
  return [name, `'on'`];
}

function off(name: string): Setting {
  return [name, `'off'`];
}
