import { Socket } from 'node:net';
import type { Clock } from '../../core/clock.js';

/** How long a goodbye may take: over a network that has gone silent the server never answers it. */
const GOODBYE_MS = 1_000;

/** The sockets of some connections, held so that they can be closed whatever the other side does. */
export interface Sockets {
  /** For `stream` in a client's configuration. */
  readonly make: () => Socket;
  /** Says goodbye for as long as that may take, then closes every socket. Never throws. */
  close(goodbye: () => Promise<unknown>): Promise<void>;
}

export function createSockets(clock: Pick<Clock, 'after'>): Sockets {
  const open = new Set<Socket>();
  const destroyAll = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    make() {
      const socket = new Socket();
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      return socket;
    },
    async close(goodbye) {
      const cancel = clock.after(GOODBYE_MS, destroyAll);
      await goodbye().catch(() => 'gone already');
      cancel();
      destroyAll();
    },
  };
}
