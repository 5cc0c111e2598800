import { connect, createServer, type Socket } from 'node:net';
import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';

/** The simple query that ends a transaction, as it crosses the wire: type, length, text, NUL. */
const COMMIT = Buffer.concat([Buffer.from('Q'), Buffer.from([0, 0, 0, 11]), Buffer.from('COMMIT\0')]);

/** How `ReadyForQuery` begins: type, length; the state follows. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5]);

/**
 * What happens to a connection when COMMIT comes by. `before`: the server never gets it; `after`: the client never hears;
 * `shut`: like `before`, and no connection is let through until `open`.
 */
export type CommitCut = 'before' | 'after' | 'shut';

/** A TCP proxy in front of a server that can lose connections at the worst moment. */
export interface PostgresProxy {
  /** The server, through the proxy. */
  readonly tcp: PostgresConnection;
  /** Loses the connection of each of the next commits in this way, one after the other. */
  cutCommits(...cuts: readonly CommitCut[]): void;
  /** Commits that were cut since the start. */
  cuts(): number;
  /** Runs SQL in the session of every connection, behind its owner's back: what a pooler or an operator may do to it. */
  inject(sql: string): Promise<void>;
  /** Connections that were accepted since the start. */
  accepted(): number;
  /** Loses all connections now. */
  cutAll(): void;
  /** Accepts no connections (and loses all) until `open`. */
  shut(): Promise<void>;
  open(): Promise<void>;
  close(): Promise<void>;
}

export async function startPostgresProxy(server: PostgresConnection): Promise<PostgresProxy> {
  const sockets = new Set<Socket>();
  const planned: CommitCut[] = [];
  const injectors = new Set<(message: Buffer) => Promise<void>>();
  let accepted = 0;
  let cuts = 0;
  let isShut = false;
  let listener = createServer(accept);
  await listen(listener, 0);
  const address = listener.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  function accept(client: Socket): void {
    if (isShut) {
      client.destroy();
      return;
    }
    accepted += 1;
    const upstream = connect(server.port, server.host);
    let deaf = false;
    let answered: (() => void) | null = null;
    const inject = (message: Buffer) =>
      new Promise<void>((resolve) => {
        answered = resolve;
        upstream.write(message);
      });
    injectors.add(inject);
    client.on('close', () => injectors.delete(inject));
    const lose = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', lose);
      socket.on('close', () => {
        sockets.delete(socket);
        lose();
      });
    }
    client.on('data', (chunk: Buffer) => {
      const at = planned.length > 0 ? chunk.indexOf(COMMIT) : -1;
      if (at < 0) {
        upstream.write(chunk);
        return;
      }
      cuts += 1;
      const cut = planned.shift();
      if (cut !== 'after') {
        isShut = cut === 'shut';
        // everything but COMMIT gets there; the server rolls back when the connection ends
        upstream.write(chunk.subarray(0, at), lose);
        return;
      }
      deaf = true;
      upstream.write(chunk);
    });
    upstream.on('data', (chunk: Buffer) => {
      if (answered) {
        // swallowed up to ReadyForQuery, in whatever state
        if (chunk.subarray(-6, -1).equals(READY)) {
          answered();
          answered = null;
        }
        return;
      }
      if (!deaf) client.write(chunk);
      // `Z` and `I`: the transaction has ended
      else if (chunk.includes(Buffer.from('COMMIT\0')) && chunk.at(-1) === 0x49) lose();
    });
  }

  return {
    tcp: { ...server, host: '127.0.0.1', port },
    cutCommits: (...wanted) => planned.push(...wanted),
    cuts: () => cuts,
    accepted: () => accepted,
    async inject(sql) {
      const text = Buffer.from(`${sql}\0`);
      const head = Buffer.from([0x51, 0, 0, 0, 0]);
      head.writeInt32BE(text.length + 4, 1);
      await Promise.all([...injectors].map((each) => each(Buffer.concat([head, text]))));
    },
    cutAll: () => {
      for (const socket of sockets) socket.destroy();
    },
    async shut() {
      await stop();
    },
    async open() {
      isShut = false;
      if (listener.listening) return;
      listener = createServer(accept);
      await listen(listener, port);
    },
    async close() {
      await stop();
    },
  };

  async function stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  }
}

function listen(listener: ReturnType<typeof createServer>, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, '127.0.0.1', resolve);
  });
}
