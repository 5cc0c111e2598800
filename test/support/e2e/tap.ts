import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy that sees every piece of data a client sends, and can hold back what it is answered. */
export interface Tap {
  readonly port: number;
  /** Told of each piece before it is passed on; `drop` keeps it from the server. */
  onSent: ((chunk: Buffer) => 'pass' | 'drop') | null;
  /** Holds back everything that the server says from now on, as a network that has stalled. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

/** Starts a tap in front of a server. */
export async function startTap(target: { readonly host: string; readonly port: number }): Promise<Tap> {
  const sockets = new Set<Socket>();
  const answers = new Set<Socket>();
  let paused = false;

  const listener = createServer((client) => {
    const server = connect(target.port, target.host);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        answers.delete(socket);
        other.destroy();
      });
    }
    answers.add(server);
    client.on('data', (chunk: Buffer) => {
      if (tap.onSent?.(chunk) !== 'drop') server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => client.write(chunk));
    if (paused) server.pause();
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));

  const tap: Tap = {
    port: (listener.address() as { port: number }).port,
    onSent: null,
    pause() {
      paused = true;
      for (const socket of answers) socket.pause();
    },
    resume() {
      paused = false;
      for (const socket of answers) socket.resume();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
  return tap;
}
