import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Knows which connections of a server owe an answer. Node's own `closeIdleConnections` takes a connection for idle as soon
 * as the last byte of its answer was handed over, and cuts what the client has not read by then; here it owes until that
 * byte has left for the network.
 */
export interface Connections {
  /** A request was read from this connection. */
  began(socket: Socket): void;
  /** The answer to one of its requests is through, or its client is gone. */
  ended(socket: Socket): void;
}

/**
 * Watches the connections of `server` and replaces its `closeIdleConnections`, which `server.close()` calls: connections
 * that owe nothing are closed then, the others when they have answered everything they read.
 */
export function watchConnections(server: Server): Connections {
  const owed = new Map<Socket, number>();
  let draining = false;

  server.on('connection', (socket: Socket) => {
    owed.set(socket, 0);
    socket.once('close', () => owed.delete(socket));
  });
  server.closeIdleConnections = () => {
    draining = true;
    for (const [socket, answers] of owed) if (answers === 0) socket.destroySoon();
  };

  return {
    began(socket) {
      const answers = owed.get(socket);
      if (answers !== undefined) owed.set(socket, answers + 1);
    },
    ended(socket) {
      const answers = owed.get(socket);
      if (answers === undefined) return;
      owed.set(socket, answers - 1);
      if (draining && answers === 1) socket.destroySoon();
    },
  };
}
