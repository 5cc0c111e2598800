import type pg from 'pg';
import { systemClock } from '../../../core/clock.js';
import { IndexerError, toError } from '../../../core/errors.js';
import { openDatabase } from '../connection/database.js';
import { type Namespace, parseNamespace } from '../connection/namespace.js';
import type { PostgresAddress } from '../connection/pool-settings.js';
import { failureCode, toStorageError } from '../connection/sql-errors.js';
import { type MigrationWait, runLocked } from '../migrate/migration-run.js';
import { ownTables } from '../migrate/own-tables.js';
import { lookAtSchema, type SchemaState } from './look.js';

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
/** The server deletes the files of all tables in one step. */
const STEP_TIMEOUT_MS = 3_600_000;

const DEPENDENT_OBJECTS = '2BP01';
const NOT_ALLOWED = '42501';

/** The end of a namespace in a database. */
export interface DroppedNamespace {
  readonly tables: number;
  /** False: it holds objects of others, belongs to another account, or is `public`. */
  readonly isSchemaDropped: boolean;
}

/**
 * Drops the tables of a namespace, and its schema unless others have something in it: all of that or nothing. Another
 * schema is never touched: a view of others on one of the tables is an error. Migrations wait meanwhile.
 * @param admit is told of the state in the same transaction; it throws to refuse.
 * @returns null: the schema is no namespace.
 * @throws IndexerError NAMESPACE_DEPENDED_ON, the error of `admit`; StorageUnavailableError, StorageFailureError.
 */
export async function dropPostgresNamespace(options: {
  readonly name: string;
  readonly connection: PostgresAddress;
  readonly namespace: string;
  readonly connectTimeoutMs?: number;
  readonly admit: (state: SchemaState) => void;
  /** Told of the sessions that it waits for. */
  readonly onWait: (wait: MigrationWait) => void;
}): Promise<DroppedNamespace | null> {
  const { name, connection, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS, admit, onWait } = options;
  const namespace = parseNamespace(options.namespace);
  const own = await ownTables();
  const database = await openDatabase({
    ...{ name, connection, connectTimeoutMs, answerMs: STEP_TIMEOUT_MS },
    applicationName: 'ccv-indexer namespace',
  });
  let dropped: DroppedNamespace | null = null;
  const step = async (client: pg.Client) => {
    const state = await lookAtSchema(client, namespace, own);
    if (!state.isNamespace) return false;
    admit(state);
    await dropTables(client, namespace, state);
    dropped = { tables: state.tables.length, isSchemaDropped: await dropSchema(client, namespace) };
    return false;
  };
  try {
    await runLocked(database, namespace, { clock: systemClock, answerMs: connectTimeoutMs, onWait, step });
    return dropped;
  } catch (thrown) {
    throw toStorageError(thrown, name, 'drop a namespace');
  } finally {
    await database.close();
  }
}

async function dropTables(client: pg.Client, { schema, name }: Namespace, { tables }: SchemaState): Promise<void> {
  try {
    // without CASCADE: all others keep what is theirs
    await client.query(`DROP TABLE ${tables.map(({ table }) => `${schema}."${table}"`).join(', ')}`);
  } catch (thrown) {
    if (failureCode(thrown) !== DEPENDENT_OBJECTS) throw thrown;
    const { detail } = thrown as { readonly detail?: string };
    throw new IndexerError('NAMESPACE_DEPENDED_ON', `objects of others depend on tables of namespace ${name}`, false, {
      cause: toError(thrown),
      details: { nextStep: `drop these first: ${detail ?? 'see the log of the server'}` },
    });
  }
}

async function dropSchema(client: pg.Client, { schema, name }: Namespace): Promise<boolean> {
  if (name === 'public') return false;
  await client.query('SAVEPOINT before_schema');
  try {
    await client.query(`DROP SCHEMA ${schema}`);
    return true;
  } catch (thrown) {
    const code = failureCode(thrown);
    if (code !== DEPENDENT_OBJECTS && code !== NOT_ALLOWED) throw thrown;
    await client.query('ROLLBACK TO SAVEPOINT before_schema');
    return false;
  }
}
