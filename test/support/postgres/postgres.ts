import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import {
  connectionUri,
  type EmbeddedPostgres,
  type PostgresConnection,
  startEmbeddedPostgres,
} from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { silentLogger } from '../../../src/core/logger.js';
import { createTemplateDatabase, TEMPLATE_DATABASE } from './template.js';

declare module 'vitest' {
  export interface ProvidedContext {
    postgres: { readonly socket: PostgresConnection; readonly tcp: PostgresConnection };
  }
}

/** A database of its own, migrated, in the default namespace. */
export interface TestDatabase {
  readonly name: string;
  /** Over the socket: what most tests want. */
  readonly connection: PostgresConnection;
  /** Over TCP, for tests that put a proxy in front. */
  readonly tcp: PostgresConnection;
  /** `tcp` as a URI, for configurations. */
  readonly uri: string;
  /** Runs SQL beside the storage, as an operator would. */
  sql(text: string, values?: readonly unknown[]): Promise<pg.QueryResult>;
  /** Call it in `afterEach` or `afterAll`. Ends every connection that is still open. */
  drop(): Promise<void>;
}

/** Creates a database on the server that all tests share. */
export async function createTestDatabase(options: { readonly migrated?: boolean } = {}): Promise<TestDatabase> {
  return await createDatabaseOn(inject('postgres'), options);
}

/** Creates a database that holds what `database`, to which nobody may be connected, holds now: a backup, or a replica. */
export async function copyDatabase(database: TestDatabase): Promise<TestDatabase> {
  return await createDatabaseOn(inject('postgres'), { template: database.name });
}

/** From now on the name of `primary` leads to what `replica` holds, as after a failover; open connections are ended. */
export async function failOver(primary: TestDatabase, replica: TestDatabase): Promise<void> {
  const { name } = primary;
  const lost = `${name}_lost`;
  await withClient(inject('postgres').socket, async (admin) => {
    await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    await admin.query('SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1', [name]);
    await admin.query(`ALTER DATABASE ${name} RENAME TO ${lost}`);
    await admin.query(`ALTER DATABASE ${replica.name} RENAME TO ${name}`);
    await admin.query(`DROP DATABASE ${lost}`);
  });
}

/** Creates a database on any server that has the template. */
export async function createDatabaseOn(
  server: { readonly socket: PostgresConnection; readonly tcp: PostgresConnection },
  options: { readonly migrated?: boolean; readonly template?: string } = {},
): Promise<TestDatabase> {
  const name = `t_${randomBytes(8).toString('hex')}`;
  const { template: source = TEMPLATE_DATABASE } = options;
  // copying files takes a tenth of what copying blocks through the log does, on a server that syncs nothing
  const template = options.migrated === false ? '' : ` TEMPLATE ${source} STRATEGY FILE_COPY`;
  await withClient(server.socket, (admin) => admin.query(`CREATE DATABASE ${name}${template}`));
  const connection = { ...server.socket, database: name };
  const tcp = { ...server.tcp, database: name };
  return {
    name,
    connection,
    tcp,
    uri: connectionUri(tcp),
    sql: async (text, values) =>
      await withClient(connection, (client) => client.query(text, values ? [...values] : [])),
    drop: async () => {
      await withClient(server.socket, (admin) => admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

async function withClient<T>(connection: PostgresConnection, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...connection });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** A server of a test's own, on a fixed TCP port, that can be killed and started again on the same data. */
export interface PrivatePostgres {
  readonly socket: PostgresConnection;
  readonly tcp: PostgresConnection;
  /** Shuts down as an operator would. */
  stop(): Promise<void>;
  /** Ends the server as a crash would. Everything acknowledged survives (`fast` does not take that away: the OS lives on). */
  kill(): Promise<void>;
  /** Starts it again, on the same port and data. The socket's directory is another one afterwards. */
  start(): Promise<void>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

/** Starts a server for tests of outages. Over TCP its address stays the same across restarts: use `tcp` there. */
export async function startPrivatePostgres(settings: Readonly<Record<string, string>> = {}): Promise<PrivatePostgres> {
  const parent = await mkdtemp(join(tmpdir(), 'ccv-test-private-'));
  await chmod(parent, 0o711);
  const start = (port?: number): Promise<EmbeddedPostgres> =>
    startEmbeddedPostgres({
      dataDir: join(parent, 'data'),
      listenAddresses: '127.0.0.1',
      // not `fast`: a crash may cost a page that was being written
      settings: { synchronous_commit: 'on', ...settings },
      log: silentLogger,
      ...(port === undefined ? {} : { port }),
    });
  let server = await start();
  await createTemplateDatabase(server.connection);
  const tcp = server.tcp;
  if (!tcp) throw new Error('the server does not listen on TCP');
  return {
    get socket() {
      return server.connection;
    },
    tcp,
    stop: async () => await server.stop(),
    kill: async () => {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    start: async () => {
      server = await start(tcp.port);
    },
    remove: async () => {
      await server.stop();
      await rm(parent, { recursive: true, force: true });
    },
  };
}
