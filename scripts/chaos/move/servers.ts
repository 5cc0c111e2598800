import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { silentLogger } from '../../../src/core/logger.js';
import { startTap, type Tap } from '../../../test/support/e2e/tap.js';
import {
  connectionUri,
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../devnet/postgres/embedded-postgres.js';

/** A Postgres server that dies and comes back, at one address. */
export interface MortalServer {
  readonly uri: string;
  /** The same server behind a tap. */
  readonly tap: Tap;
  readonly tappedUri: string;
  sql(text: string): Promise<void>;
  /** Ends it at once, as the loss of power to one machine does, and starts it again on the same data. */
  kill(deadMs: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startMortalServer(dataDir: string): Promise<MortalServer> {
  const start = async (port?: number): Promise<EmbeddedPostgres> =>
    await startEmbeddedPostgres({
      ...{ dataDir, listenAddresses: '127.0.0.1', log: silentLogger },
      ...(port === undefined ? {} : { port }),
    });
  let server = await start();
  const { tcp } = server;
  if (!tcp) throw new Error('the server does not listen on TCP');
  const tap = await startTap(tcp);
  return {
    uri: connectionUri(tcp),
    tap,
    tappedUri: connectionUri({ ...tcp, port: tap.port }),
    async sql(text) {
      const client = new pg.Client(server.connection);
      await client.connect();
      try {
        await client.query(text);
      } finally {
        await client.end();
      }
    },
    async kill(deadMs) {
      // all of its processes: the first one tells the others, and none writes anything out
      process.kill(server.pid, 'SIGQUIT');
      await server.exited;
      await delay(deadMs);
      server = await start(tcp.port);
    },
    async stop() {
      await tap.close();
      await server.stop();
    },
  };
}
