import { Socket } from 'node:net';
import type { Clock } from '../../../core/clock.js';

/** How long a goodbye may take: over a network that has gone silent the server never answers it. */
const GOODBYE_MS = 1_000;

/** The sockets of some connections, held so that they can be closed whatever the other side does. */
export interface Sockets {
  /** For `stream` in a client's configuration. */
  readonly make: () => Socket;
  /** Closes every socket that is still open when a goodbye has taken too long; the returned function calls that off. */
  closeSoon(): () => void;
  /** Says goodbye and waits, for as long as that may take, until every socket is closed. Never throws. */
  close(goodbye: () => Promise<unknown>): Promise<void>;
}

export function createSockets(clock: Pick<Clock, 'after'>): Sockets {
  const open = new Set<Socket>();
  let onEmpty: (() => void)[] = [];

  function closeSoon(): () => void {
    return clock.after(GOODBYE_MS, () => {
      for (const socket of open) socket.destroy();
    });
  }

  return {
    make() {
      const socket = new Socket();
      open.add(socket);
      socket.once('close', () => {
        open.delete(socket);
        if (open.size > 0) return;
        for (const resolve of onEmpty) resolve();
        onEmpty = [];
      });
      return socket;
    },
    closeSoon,
    async close(goodbye) {
      const cancel = closeSoon();
      await goodbye().catch(() => 'gone already');
      // a pool's goodbye does not wait for the last words of its connections
      if (open.size > 0) await new Promise<void>((resolve) => onEmpty.push(resolve));
      cancel();
    },
  };
}
