import { connect, createServer, type Socket } from 'node:net';
import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';

/** A TCP proxy in front of a server whose network can go silent: nothing arrives and nothing is refused. */
export interface SilentProxy {
  readonly tcp: PostgresConnection;
  /** From now on nothing passes, neither bytes nor the end of a connection; new connections are accepted and ignored. */
  silence(): void;
  /** How many connections of clients are open. */
  open(): number;
  close(): Promise<void>;
}

export async function startSilentProxy(server: PostgresConnection): Promise<SilentProxy> {
  const clients = new Set<Socket>();
  const sockets = new Set<Socket>();
  let silent = false;
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    clients.add(client);
    client.on('close', () => clients.delete(client));
    const upstream = silent ? null : connect({ port: server.port, host: server.host, allowHalfOpen: true });
    for (const socket of [client, upstream]) {
      if (!socket) continue;
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    pass(client, upstream);
    if (upstream) pass(upstream, client);
    client.on('end', () => {
      if (silent) clients.delete(client);
    });
  });

  function pass(from: Socket, to: Socket | null): void {
    from.on('data', (chunk) => {
      if (!silent) to?.write(chunk);
    });
    from.on('end', () => {
      if (!silent) to?.end();
    });
  }

  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(0, '127.0.0.1', resolve);
  });
  const address = listener.address();
  return {
    tcp: { ...server, host: '127.0.0.1', port: typeof address === 'object' && address !== null ? address.port : 0 },
    silence: () => {
      silent = true;
    },
    open: () => clients.size,
    async close() {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
