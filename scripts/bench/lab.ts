import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { type Common, createCommon } from '../../src/core/common.js';
import { silentLogger } from '../../src/core/logger.js';
import { createSimpleSink, type Sink } from '../../src/sink/sink.js';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.js';
import { migrate } from '../../src/storage/postgres/migrate/migrations.js';
import { createPostgresStorage, type PostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { type PostgresConnection, startEmbeddedPostgres } from '../devnet/postgres/embedded-postgres.js';
import { makeDirectory } from './scratch.js';

/**
 * Enough memory and log that no checkpoint falls into a round; durability is the server's default: fsync at each
 * commit.
 */
const SERVER_SETTINGS = { shared_buffers: '1GB', max_wal_size: '8GB', min_wal_size: '4GB', checkpoint_timeout: '1h' };

/** A Postgres server with durable commits, and namespaces to measure in. */
export interface Lab {
  readonly connection: PostgresConnection;
  /** Process id of the server. */
  readonly serverPid: number;
  /** A client beside the product's. */
  readonly client: pg.Client;
  /** Gives `work` a migrated namespace of its own, and drops it afterwards. */
  inNamespace<T>(work: (namespace: string) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The server's own settings of checkpoints: they fall into a round, and whole pages go to the log after each. */
export const DEFAULT_CHECKPOINTS = {
  ...SERVER_SETTINGS,
  max_wal_size: '1GB',
  min_wal_size: '80MB',
  checkpoint_timeout: '5min',
};

/** Starts the server on a directory of its own, which is removed at the end. */
export async function openLab(settings: Readonly<Record<string, string>> = SERVER_SETTINGS): Promise<Lab> {
  const parent = await makeDirectory();
  const server = await startEmbeddedPostgres({
    dataDir: join(parent, 'data'),
    settings,
    log: silentLogger,
  });
  const client = new pg.Client({ ...server.connection });
  await client.connect();
  let namespaces = 0;
  return {
    connection: server.connection,
    serverPid: server.pid,
    client,
    async inNamespace(work) {
      namespaces += 1;
      const namespace = `bench_${namespaces}`;
      await migrate({ connection: server.connection, namespace });
      // writes left by earlier rounds are not this one's to wait for
      await client.query('CHECKPOINT');
      try {
        return await work(namespace);
      } finally {
        await client.query(`DROP SCHEMA ${namespace} CASCADE`);
      }
    },
    async close() {
      await client.end();
      await server.stop();
      await rm(parent, { recursive: true, force: true });
    },
  };
}

/** The warm tier as the product opens it. */
export function openPostgres(lab: Lab, namespace: string, common: Common = createCommon()): PostgresStorage {
  return createPostgresStorage({ name: 'warm', connection: lab.connection, namespace, common });
}

/** Memory in front of Postgres, as in the quickstart's configuration. */
export async function openTiers(lab: Lab, namespace: string, common: Common = createCommon()): Promise<Sink> {
  const sink = createSimpleSink(
    [createMemoryStorage({ name: 'hot', common }), openPostgres(lab, namespace, common)],
    common,
  );
  await sink.started();
  return sink;
}
