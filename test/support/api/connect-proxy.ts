import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** A small HTTP proxy that opens tunnels (CONNECT). It knows every host by itself: all lead to one place. */
export interface ConnectProxy {
  readonly port: number;
  /** `host:port` of every tunnel asked for, in order. */
  readonly tunnels: readonly string[];
  /** Answers with this status in place of a tunnel; null: opens them. */
  refuse(status: number | null): void;
  close(): Promise<void>;
}

/** Starts a proxy whose tunnels end at `target`; with a `login`, only for who has it. */
export async function startConnectProxy(target: URL, login?: string): Promise<ConnectProxy> {
  const tunnels: string[] = [];
  const sockets = new Set<Socket>();
  let refusal: number | null = null;
  const expected = login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`;
  const server = createServer((_request, response) => response.writeHead(405).end('only tunnels'));
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
  };
  server.on('connect', (request, client: Socket) => {
    keep(client);
    tunnels.push(request.url ?? '');
    const isStranger = expected !== undefined && request.headers['proxy-authorization'] !== expected;
    const status = refusal ?? (isStranger ? 407 : null);
    if (status !== null) {
      client.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      return;
    }
    const upstream = connect(Number(target.port), target.hostname, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(upstream).pipe(client);
    });
    keep(upstream);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    tunnels,
    refuse(status) {
      refusal = status;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
