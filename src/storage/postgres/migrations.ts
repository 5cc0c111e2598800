import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { loadMigrationFiles, migrate as runMigrations } from 'postgres-migrations';
import { systemClock } from '../../core/clock.js';
import { IndexerError, toError } from '../../core/errors.js';
import { type Logger, silentLogger } from '../../core/logger.js';
import { DEFAULT_NAMESPACE, type Namespace, parseNamespace } from './namespace.js';
import { hideAddress, type PostgresAddress } from './pool.js';
import { createSockets } from './sockets.js';
import { classifyFailure, toStorageError } from './sql-errors.js';

/** The migrations of this version; the path is the same from `src` and from `dist`. */
const DIRECTORY = fileURLToPath(new URL('../../../migrations', import.meta.url));

/** One at a time in a database, whichever the namespace: waiting costs nothing. An arbitrary number. */
const LOCK = 7_262_031_884_107n;

/** How often it is asked for: a wait inside the database could not be told from a database that has gone silent. */
const LOCK_POLL_MS = 100;
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
/** The longest that one step may take without an answer. */
const STEP_TIMEOUT_MS = 3_600_000;

/** What the library would make; made by us, because it looks for a table of that name in all schemas. */
const TABLE = `CREATE TABLE IF NOT EXISTS migrations (
  id integer PRIMARY KEY,
  name varchar(100) UNIQUE NOT NULL,
  hash varchar(40) NOT NULL,
  executed_at timestamp DEFAULT current_timestamp
)`;

/** The schema could not be brought to where this version needs it. */
export class MigrationError extends IndexerError {
  constructor(code: 'MIGRATION_DATABASE_NEWER' | 'MIGRATION_FAILED', message: string, cause?: unknown) {
    super(code, message, false, { cause });
  }
}

/** Where to migrate what. */
export interface MigrationOptions {
  readonly connection: PostgresAddress;
  /** Default `ccv`. */
  readonly namespace?: string;
  readonly log?: Logger;
  /** Default: the migrations of this version. */
  readonly directory?: string;
  /** For a connection, and for every answer but that of a migration itself. Default 10 s. */
  readonly connectTimeoutMs?: number;
}

export interface AppliedMigration {
  readonly id: number;
  readonly name: string;
  readonly appliedAt: Date;
}

export interface PendingMigration {
  readonly id: number;
  readonly name: string;
}

/** How a namespace stands. */
export interface MigrationStatus {
  readonly namespace: string;
  readonly applied: readonly AppliedMigration[];
  readonly pending: readonly PendingMigration[];
  /** Applied by a newer version: this one must not be used with the database. */
  readonly unknown: readonly AppliedMigration[];
}

/**
 * Brings a namespace's schema to this version, creating it when it is missing. The database itself must exist. Concurrent runs
 * wait for each other. Each migration is applied whole or not at all.
 * @returns what was applied now.
 * @throws MigrationError
 */
export async function migrate(options: MigrationOptions): Promise<readonly PendingMigration[]> {
  const { namespace, directory, log, connectTimeoutMs } = withDefaults(options);
  return await withClient(options.connection, { connectTimeoutMs, answerMs: STEP_TIMEOUT_MS }, async (client) => {
    await lock(client, connectTimeoutMs);
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${namespace.schema}`);
    await client.query(`SET search_path TO ${namespace.schema}`);
    await client.query(TABLE);
    const { unknown } = await readStatus(client, namespace, directory);
    if (unknown.length > 0)
      throw new MigrationError(
        'MIGRATION_DATABASE_NEWER',
        `namespace ${namespace.name} was migrated by a newer version (${unknown.map(({ id, name }) => `${id} ${name}`).join(', ')}): install that version or a later one`,
      );
    try {
      const done = await runMigrations({ client }, directory, { logger: (line) => log.debug({ line }, 'migration') });
      const applied = done.filter(({ id }) => id > 0).map(({ id, name }) => ({ id, name }));
      for (const migration of applied) log.info({ namespace: namespace.name, ...migration }, 'migration applied');
      return applied;
    } catch (cause) {
      throw new MigrationError(
        'MIGRATION_FAILED',
        `namespace ${namespace.name} could not be migrated, nothing of the failed step was kept: ${toError(cause).message}`,
        cause,
      );
    }
  });
}

/** Looks at a namespace and changes nothing. */
export async function migrationStatus(options: MigrationOptions): Promise<MigrationStatus> {
  const { namespace, directory, connectTimeoutMs } = withDefaults(options);
  return await withClient(options.connection, { connectTimeoutMs, answerMs: connectTimeoutMs }, (client) =>
    readStatus(client, namespace, directory),
  );
}

/** Waits for as long as another process migrates and the database answers. The end of the connection gives it back. */
async function lock(client: pg.Client, answerMs: number): Promise<void> {
  const attempt = {
    text: 'SELECT pg_try_advisory_lock($1::bigint) AS locked',
    values: [LOCK.toString()],
    query_timeout: answerMs,
  };
  while (!(await client.query<{ locked: boolean }>(attempt)).rows[0]?.locked) await systemClock.sleep(LOCK_POLL_MS);
}

async function readStatus(client: pg.Client, namespace: Namespace, directory: string): Promise<MigrationStatus> {
  // number 0 is the library's own
  const files = (await loadMigrationFiles(directory)).filter(({ id }) => id > 0);
  const table = `${namespace.schema}.migrations`;
  const exists = await client.query<{ found: boolean }>('SELECT to_regclass($1) IS NOT NULL AS found', [table]);
  const rows = exists.rows[0]?.found
    ? (
        await client.query<AppliedMigration>(
          `SELECT id, name, executed_at AS "appliedAt" FROM ${table} WHERE id > 0 ORDER BY id`,
        )
      ).rows
    : [];
  const known = new Set(files.map(({ id }) => id));
  const done = new Set(rows.map(({ id }) => id));
  return {
    namespace: namespace.name,
    applied: rows.filter(({ id }) => known.has(id)),
    pending: files.filter(({ id }) => !done.has(id)).map(({ id, name }) => ({ id, name })),
    unknown: rows.filter(({ id }) => !known.has(id)),
  };
}

function withDefaults(options: MigrationOptions) {
  return {
    namespace: parseNamespace(options.namespace ?? DEFAULT_NAMESPACE),
    directory: options.directory ?? DIRECTORY,
    log: options.log ?? silentLogger,
    connectTimeoutMs: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
  };
}

async function withClient<T>(
  address: PostgresAddress,
  limits: { readonly connectTimeoutMs: number; readonly answerMs: number },
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const sockets = createSockets(systemClock);
  hideAddress(address);
  const client = new pg.Client({
    ...address,
    application_name: 'ccv-indexer migrate',
    keepAlive: true,
    connectionTimeoutMillis: limits.connectTimeoutMs,
    query_timeout: limits.answerMs,
    stream: sockets.make,
  });
  // a loss shows in the query under way; without a listener it would end the process
  client.on('error', (error) => classifyFailure(error));
  try {
    await client.connect();
    return await work(client);
  } catch (thrown) {
    throw toStorageError(thrown, 'postgres', 'migrate');
  } finally {
    await sockets.close(() => client.end());
  }
}
