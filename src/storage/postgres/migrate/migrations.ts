import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { loadMigrationFiles } from 'postgres-migrations';
import { systemClock } from '../../../core/clock.js';
import { IndexerError, toError } from '../../../core/errors.js';
import { type Logger, silentLogger } from '../../../core/logger.js';
import { type Database, openDatabase } from '../connection/database.js';
import { DEFAULT_NAMESPACE, type Namespace, parseNamespace } from '../connection/namespace.js';
import type { PostgresAddress } from '../connection/pool-settings.js';
import { classifyFailure, toStorageError } from '../connection/sql-errors.js';
import { describeWait, type MigrationWait, runLocked } from './migration-run.js';

/** The migrations of this version; the path is the same from `src` and from `dist`. */
export const MIGRATIONS_DIRECTORY = fileURLToPath(new URL('../../../../migrations', import.meta.url));

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
/** The longest that one step may take without an answer: one that rewrites a table takes minutes a million rows. */
const STEP_TIMEOUT_MS = 24 * 3_600_000;

/** The schema could not be brought to where this version needs it. */
export class MigrationError extends IndexerError {
  constructor(code: 'MIGRATION_DATABASE_NEWER' | 'MIGRATION_FAILED', message: string, cause?: unknown) {
    super(code, message, false, { cause });
  }
}

/** The database, namespace and migrations of a run. */
export interface MigrationOptions {
  readonly connection: PostgresAddress;
  /** Default `ccv`. */
  readonly namespace?: string;
  readonly log?: Logger;
  /** Default: the migrations of this version. */
  readonly directory?: string;
  /** For a connection, and for every answer but that of a migration itself. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Told of the sessions that a migration waits for, whenever they change. Default: a warning in the log. */
  readonly onWait?: (wait: MigrationWait) => void;
}

type AppliedRow = AppliedMigration & { readonly hash: string };
type MigrationFile = Awaited<ReturnType<typeof loadMigrationFiles>>[number];

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
 * Brings a namespace's schema to this version, creating it when it is missing. The database itself must exist.
 * Concurrent runs wait for each other. Each migration is applied whole or not at all.
 * @returns the migrations applied now.
 * @throws MigrationError, UnsuitableDatabaseError
 */
export async function migrate(options: MigrationOptions): Promise<readonly PendingMigration[]> {
  const { connection, namespace, directory, log, connectTimeoutMs } = withDefaults(options);
  const onWait = options.onWait ?? ((wait: MigrationWait) => log.warn({ ...wait }, describeWait(wait)));
  const files = await loadMigrationFiles(directory);
  const applied: PendingMigration[] = [];
  await withDatabase({ connection, connectTimeoutMs, answerMs: STEP_TIMEOUT_MS }, async (database) => {
    const step = async (client: pg.Client): Promise<boolean> => {
      const next = await nextMigration(client, namespace, files);
      if (next === null) return false;
      await applyMigration(client, namespace, next).catch((thrown: unknown) => {
        throw failedMigration(namespace, thrown);
      });
      const { id, name } = next;
      // number 0 is the library's own
      if (id > 0) {
        applied.push({ id, name });
        log.info({ namespace: namespace.name, id, name }, 'migration applied');
      }
      return true;
    };
    await runLocked(database, namespace, { clock: systemClock, answerMs: connectTimeoutMs, onWait, step });
  });
  return applied;
}

/** Looks at a namespace and changes nothing. */
export async function migrationStatus(options: MigrationOptions): Promise<MigrationStatus> {
  const { connection, namespace, directory, log, connectTimeoutMs } = withDefaults(options);
  const files = await loadMigrationFiles(directory);
  const answerMs = connectTimeoutMs;
  return await withDatabase({ connection, connectTimeoutMs, answerMs }, async ({ pooled, transaction }) => {
    if (pooled)
      log.warn(
        { namespace: namespace.name },
        'a pooler stands between this process and the database: each query takes longer, ' +
          'and commits of others are looked for instead of announced; a URI of the server itself is better',
      );
    const limits = { statementTimeoutMs: answerMs, lockTimeoutMs: answerMs, idleInTxSessionTimeoutMs: answerMs };
    return await transaction({ ...limits, access: 'READ ONLY' }, async (client) =>
      statusOf(namespace, files, await readApplied(client, namespace)),
    );
  });
}

/** @throws MigrationError when a newer version was here, or a migration was changed after it was applied. */
async function nextMigration(
  client: pg.Client,
  namespace: Namespace,
  files: readonly MigrationFile[],
): Promise<MigrationFile | null> {
  const rows = await readApplied(client, namespace);
  const { unknown } = statusOf(namespace, files, rows);
  if (unknown.length > 0)
    throw new MigrationError(
      'MIGRATION_DATABASE_NEWER',
      `namespace ${namespace.name} was migrated by a newer version ` +
        `(${unknown.map(({ id, name }) => `${id} ${name}`).join(', ')}): install that version or a later one`,
    );
  const hashes = new Map(rows.map(({ id, hash }) => [id, hash]));
  const changed = files.find(({ id, hash }) => hashes.has(id) && hashes.get(id) !== hash);
  if (changed)
    throw new MigrationError(
      'MIGRATION_FAILED',
      `namespace ${namespace.name} has migration ${changed.fileName} in another form: ` +
        'it was changed after it was applied',
    );
  return files.find(({ id }) => !hashes.has(id)) ?? null;
}

async function applyMigration(client: pg.Client, { schema, name }: Namespace, file: MigrationFile): Promise<void> {
  // an account that may not create schemas can still fill one that was made for it
  const { rows } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [name]);
  if (rows.length === 0) await client.query(`CREATE SCHEMA ${schema}`);
  await client.query(`SET LOCAL search_path TO ${schema}`);
  await client.query(file.sql);
  const values = [file.id, file.name, file.hash];
  await client.query(`INSERT INTO ${schema}.migrations (id, name, hash) VALUES ($1, $2, $3)`, values);
}

/** The error of a migration's own statements; a lost connection or a lock is not one of them. */
function failedMigration(namespace: Namespace, thrown: unknown): unknown {
  const kind = classifyFailure(thrown);
  if (kind !== 'failure' && kind !== 'content') return thrown;
  return new MigrationError(
    'MIGRATION_FAILED',
    `namespace ${namespace.name} could not be migrated, ` +
      `nothing of the failed step was kept: ${toError(thrown).message}`,
    thrown,
  );
}

async function readApplied(client: pg.Client, { schema }: Namespace): Promise<readonly AppliedRow[]> {
  const table = `${schema}.migrations`;
  const exists = await client.query<{ found: boolean }>('SELECT to_regclass($1) IS NOT NULL AS found', [table]);
  if (!exists.rows[0]?.found) return [];
  const { rows } = await client.query<{ id: number; name: string; hash: string; ms: string }>(
    `SELECT id, name, hash, extract(epoch FROM executed_at) * 1000 AS ms FROM ${table} ORDER BY id`,
  );
  return rows.map(({ ms, ...row }) => ({ ...row, appliedAt: new Date(Number(ms)) }));
}

function statusOf(namespace: Namespace, files: readonly MigrationFile[], rows: readonly AppliedRow[]): MigrationStatus {
  const known = new Set(files.map(({ id }) => id));
  const done = new Set(rows.map(({ id }) => id));
  // number 0 is the library's own
  const ours = rows.filter(({ id }) => id > 0).map(({ id, name, appliedAt }) => ({ id, name, appliedAt }));
  const pending = files.filter(({ id }) => id > 0 && !done.has(id)).map(({ id, name }) => ({ id, name }));
  return {
    namespace: namespace.name,
    applied: ours.filter(({ id }) => known.has(id)),
    pending,
    unknown: ours.filter(({ id }) => !known.has(id)),
  };
}

function withDefaults(options: MigrationOptions) {
  return {
    connection: options.connection,
    namespace: parseNamespace(options.namespace ?? DEFAULT_NAMESPACE),
    directory: options.directory ?? MIGRATIONS_DIRECTORY,
    log: options.log ?? silentLogger,
    connectTimeoutMs: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
  };
}

async function withDatabase<T>(
  options: { readonly connection: PostgresAddress; readonly connectTimeoutMs: number; readonly answerMs: number },
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await openDatabase({ name: 'postgres', applicationName: 'ccv-indexer migrate', ...options });
  try {
    return await work(database);
  } catch (thrown) {
    throw toStorageError(thrown, 'postgres', 'migrate');
  } finally {
    await database.close();
  }
}
