import pg from 'pg';
import { systemClock } from '../../../core/clock.js';
import { IndexerError } from '../../../core/errors.js';
import type { PostgresAddress } from './pool-settings.js';
import { beginWith, clientConfig, type SessionLimits } from './session.js';
import { createSockets } from './sockets.js';
import { classifyFailure, failureCode, toStorageError } from './sql-errors.js';

/** The server, or a pooler in front of it, lacks a needed ability; trying again will not mend that. */
export class UnsuitableDatabaseError extends IndexerError {
  constructor(message: string, nextStep: string, cause?: unknown) {
    super('DATABASE_UNSUITABLE', message, false, { cause, details: { nextStep } });
  }
}

/** The code with which a pooler refuses parameters, among other things. */
const PROTOCOL_VIOLATION = '08P01';

/** One connection for a command, beside the pool of a serving process. */
export interface Database {
  /** Between us and the server is a pooler. */
  readonly pooled: boolean;
  /** Runs `work` in a transaction that brings its own settings; it is rolled back when `work` throws. */
  transaction<T>(
    how: SessionLimits & { readonly access: 'READ ONLY' | 'READ WRITE' },
    work: (client: pg.Client) => Promise<T>,
  ): Promise<T>;
  /** Runs a statement that takes no transaction around it, however long it takes. */
  alone(text: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Connects and looks whether the database will do: its encoding, and that a pooler lets transactions through.
 * @throws UnsuitableDatabaseError with the next step; StorageUnavailableError, StorageFailureError.
 */
export async function openDatabase(options: {
  /** For errors. */
  readonly name: string;
  readonly connection: PostgresAddress;
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  /** The longest wait for an answer. */
  readonly answerMs: number;
}): Promise<Database> {
  const { name, connectTimeoutMs } = options;
  const sockets = createSockets(systemClock);
  const config: pg.ClientConfig = {
    ...clientConfig(options.connection, { connectTimeoutMs, statementTimeoutMs: 0 }),
    application_name: options.applicationName,
    query_timeout: options.answerMs,
    stream: sockets.make,
  };
  const client = createClient(config);
  const close = () => sockets.close(() => client.end());
  try {
    await connect(client, config);
    const pooled = await examine(client);
    return {
      pooled,
      transaction: (how, work) => transaction(client, how, work),
      alone: (text) => alone(client, text, pooled),
      close,
    };
  } catch (thrown) {
    await close();
    throw toStorageError(thrown, name, 'connect');
  }
}

function createClient(config: pg.ClientConfig): pg.Client {
  const client = new pg.Client(config);
  // a loss shows in the query under way; without a listener it would end the process
  client.on('error', (error) => classifyFailure(error));
  return client;
}

async function connect(client: pg.Client, config: pg.ClientConfig): Promise<void> {
  try {
    await client.connect();
  } catch (thrown) {
    const { options, ...plain } = config;
    if (failureCode(thrown) !== PROTOCOL_VIOLATION || !options || !(await canConnect(plain))) throw thrown;
    throw new UnsuitableDatabaseError(
      'a pooler in front of the database refuses the startup parameter `options` that the URI has',
      'take `options` out of the URI (ALTER ROLE … SET does the same), ' +
        'or add it to ignore_startup_parameters of the pooler',
      thrown,
    );
  }
}

/** Whether it was only the parameter: poolers say the same of a server that is away. */
async function canConnect(config: pg.ClientConfig): Promise<boolean> {
  const client = createClient(config);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}

/** @returns whether a pooler stands between: the process that answers is not the one that we were told of. */
async function examine(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ pid: number; encoding: string; database: string }>(
    `SELECT pg_catalog.pg_backend_pid() AS pid, pg_catalog.current_setting('server_encoding') AS encoding,
       pg_catalog.current_database() AS database`,
  );
  const [found] = rows;
  if (found && found.encoding !== 'UTF8')
    throw new UnsuitableDatabaseError(
      `database ${found.database} has the encoding ${found.encoding}: text of messages and verifiers needs UTF8`,
      `create another: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`,
    );
  const pooled = found?.pid !== (client as pg.Client & { readonly processID?: number }).processID;
  if (pooled) await checkTransactions(client);
  return pooled;
}

async function checkTransactions(client: pg.Client): Promise<void> {
  try {
    await client.query('BEGIN');
    await client.query('ROLLBACK');
  } catch (thrown) {
    if (failureCode(thrown) !== PROTOCOL_VIOLATION) throw thrown;
    throw new UnsuitableDatabaseError(
      'a pooler in front of the database refuses transactions',
      'set its pool_mode to session or transaction, or let the URI lead to the server itself',
      thrown,
    );
  }
}

async function transaction<T>(
  client: pg.Client,
  how: SessionLimits & { readonly access: 'READ ONLY' | 'READ WRITE' },
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  try {
    await client.query(beginWith(how, how.access));
    const value = await work(client);
    await client.query('COMMIT');
    return value;
  } catch (thrown) {
    await client.query('ROLLBACK').catch(() => 'the connection is gone, and the transaction with it');
    throw thrown;
  }
}

async function alone(client: pg.Client, text: string, pooled: boolean): Promise<void> {
  // behind a pooler the setting would be another client's
  if (!pooled) await client.query('SET statement_timeout = 0');
  await client.query(text);
}
