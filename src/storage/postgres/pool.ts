import pg from 'pg';
import type { Common } from '../../core/common.js';
import { secrets } from '../../core/masker.js';
import { secretsOfUrl } from '../../core/url-secrets.js';
import type { Sockets } from './sockets.js';

/** How to reach the server: a URI, or the parts of one. */
export type PostgresAddress =
  | { readonly connectionString: string }
  | {
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly password?: string;
      readonly database: string;
    };

/** Limits on connections and on what they may wait for. Times in milliseconds, 0 = no limit. */
export interface PoolSettings {
  /** Default 20. */
  readonly maxOpenConnections: number;
  /** Default 5. */
  readonly maxIdleConnections: number;
  /** Default one hour. */
  readonly connMaxLifetimeMs: number;
  /** Default five minutes. */
  readonly connMaxIdleTimeMs: number;
  /** Default one minute. */
  readonly idleInTxSessionTimeoutMs: number;
  /** Default 30 s. */
  readonly lockTimeoutMs: number;
  /** Default one minute. */
  readonly statementTimeoutMs: number;
  /** Also the longest wait for a free connection. Default 5 s. */
  readonly connectTimeoutMs: number;
}

/** The limits where nothing else is configured. */
export const DEFAULT_POOL_SETTINGS: PoolSettings = {
  maxOpenConnections: 20,
  maxIdleConnections: 5,
  connMaxLifetimeMs: 3_600_000,
  connMaxIdleTimeMs: 300_000,
  idleInTxSessionTimeoutMs: 60_000,
  lockTimeoutMs: 30_000,
  statementTimeoutMs: 60_000,
  connectTimeoutMs: 5_000,
};

/** How much longer than the server's own limit we wait for it to say something, before the connection counts as dead. */
const SILENCE_MARGIN_MS = 5_000;

/**
 * Every query is written for one plan: it reads an index in order, or looks rows up by key one by one. It must not depend on
 * statistics that a bulk load has outrun, nor be made again for each call. Rows are decoded from the default text format.
 */
const SESSION = [
  ...['enable_seqscan = off', 'enable_bitmapscan = off', 'enable_hashjoin = off', 'enable_mergejoin = off'],
  ...['max_parallel_workers_per_gather = 0', 'random_page_cost = 1.1', 'jit = off'],
  ...['plan_cache_mode = force_generic_plan', 'bytea_output = hex'],
]
  .map((setting) => `SET ${setting}`)
  .join('; ');

/** Bytes stay the text they came as: rows are decoded by whoever asked (`rows.ts`). */
export const RAW_TYPES = { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig;

/** From now on no text that leaves the process shows the password. */
export function hideAddress(address: PostgresAddress): void {
  if ('connectionString' in address) secrets.add(secretsOfUrl(address.connectionString));
  else if (address.password !== undefined) secrets.add([{ text: address.password, where: 'anywhere' }]);
}

/** The parts of a client's configuration that all connections share. */
export function clientConfig(address: PostgresAddress, settings: PoolSettings): pg.ClientConfig {
  const limit = (ms: number) => (ms > 0 ? ms : false);
  hideAddress(address);
  return {
    ...address,
    application_name: 'ccv-indexer',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    statement_timeout: limit(settings.statementTimeoutMs),
    lock_timeout: settings.lockTimeoutMs,
    idle_in_transaction_session_timeout: settings.idleInTxSessionTimeoutMs,
    ...(settings.statementTimeoutMs > 0 ? { query_timeout: settings.statementTimeoutMs + SILENCE_MARGIN_MS } : {}),
  };
}

/**
 * A pool whose connections send queries without waiting for the answers of those before. It never crashes the process.
 * @param sockets close the pool through them.
 */
export function createPool(
  address: PostgresAddress,
  settings: PoolSettings,
  { log }: Common,
  name: string,
  sockets: Sockets,
): pg.Pool {
  const config = {
    ...clientConfig(address, settings),
    pipeline: true,
    stream: sockets.make,
    max: settings.maxOpenConnections,
    idleTimeoutMillis: settings.connMaxIdleTimeMs,
    maxLifetimeSeconds: Math.ceil(settings.connMaxLifetimeMs / 1000),
    onConnect: async (client: pg.ClientBase) => {
      // between checkout and release the pool does not listen, and an error without a listener ends the process
      client.on('error', (error) => log.debug({ err: error, storage: name }, 'database connection lost'));
      await client.query(SESSION);
    },
  };
  const pool = new pg.Pool(config);
  pool.on('error', (error) => log.debug({ err: error, storage: name }, 'idle database connection lost'));
  return pool;
}
