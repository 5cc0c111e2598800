import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy whose new connections can be led to another server: what a URL does when its owner moves it. */
export interface SwitchProxy {
  readonly host: string;
  /** Cuts what is open; new connections lead to `url`. */
  leadTo(url: string): void;
  close(): Promise<void>;
}

export async function startSwitchProxy(url: string): Promise<SwitchProxy> {
  const sockets = new Set<Socket>();
  let target = new URL(url);
  const listener = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port) });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => from.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    host: `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    leadTo(next) {
      target = new URL(next);
      cut();
    },
    async close() {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      cut();
      await closed;
    },
  };
}
