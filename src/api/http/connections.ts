import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.js';
import { clientOf } from './client-address.js';
import type { ConnectionMetrics } from './connection-metrics.js';

/**
 * Knows which connections of a server owe an answer. A connection owes until the last byte of its answer has left for
 * the network. Node's own `closeIdleConnections` takes it for idle when that byte was handed over, and cuts bytes that
 * the client has not read by then.
 */
export interface Connections {
  /** A request was read from this connection. */
  began(socket: Socket): void;
  /** The answer to one of its requests is through, or its client is gone. */
  ended(socket: Socket): void;
}

/** How many connections there may be, and for how long one may do nothing. */
export interface ConnectionLimits {
  readonly maxConnections: number;
  /** Of one client, see `clientOf`. */
  readonly maxConnectionsPerAddress: number;
  /** For the first byte of the first request. */
  readonly firstByteTimeoutMs: number;
  /** For a client to read some of the bytes that are ready for it. */
  readonly readTimeoutMs: number;
  /** Proxies stand for many clients: no limit for each of them. */
  readonly isProxy: (address: string) => boolean;
}

interface Connection {
  /** Null for a proxy. */
  readonly client: string | null;
  readonly openedMs: number;
  owed: number;
  /** A request was answered on it. */
  isUsed: boolean;
  /** How far sending was when that was last another number, and when that was. */
  sentBytes: number;
  sentMs: number;
}

/** A look for those that do nothing is taken so often in the shortest of their times. */
const LOOKS = 4;

/** Bytes left of the write under way. Node tells whole writes only, and a slow client takes megabytes in minutes. */
function unsentBytes(socket: Socket): number {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return handle?.writeQueueSize ?? 0;
}

/**
 * Watches the connections of `server`. Replaces its `closeIdleConnections`, which `server.close()` calls: connections
 * that owe nothing are closed then, the others when they have answered every request they read.
 *
 * At a limit a new connection takes the place of one that owes nothing: the first opened without a request so far, else
 * the one that is unused for longest. So a client that hoards connections keeps no other out. Where all are at work,
 * the new one is closed.
 */
export function watchConnections(
  server: Server,
  limits: ConnectionLimits,
  { clock, metrics }: { readonly clock: Clock; readonly metrics: ConnectionMetrics },
): Connections {
  const open = new Map<Socket, Connection>();
  const clients = new Map<string, number>();
  /** Those that owe nothing, longest first. */
  const idle = new Set<Socket>();
  let draining = false;

  function replaceable(client: string | null): Socket | null {
    let used: Socket | null = null;
    for (const socket of idle) {
      const connection = open.get(socket);
      if (client !== null && connection?.client !== client) continue;
      if (connection?.isUsed === false) return socket;
      used ??= socket;
    }
    return used;
  }

  /** False when there is no place for another one. */
  function makeRoom(client: string | null): boolean {
    const { maxConnections, maxConnectionsPerAddress } = limits;
    const isOver = client !== null && (clients.get(client) ?? 0) >= maxConnectionsPerAddress;
    if (!isOver && open.size < maxConnections) return true;
    const victim = replaceable(isOver ? client : null);
    if (victim === null) {
      metrics.closed(isOver ? 'limit_of_address' : 'limit');
      return false;
    }
    metrics.closed('replaced');
    forget(victim);
    victim.destroy();
    return true;
  }

  function count(client: string | null, more: 1 | -1): void {
    if (client === null) return;
    const connections = (clients.get(client) ?? 0) + more;
    if (connections === 0) clients.delete(client);
    else clients.set(client, connections);
  }

  function forget(socket: Socket): void {
    const connection = open.get(socket);
    if (connection === undefined) return;
    open.delete(socket);
    idle.delete(socket);
    count(connection.client, -1);
    metrics.open(open.size);
  }

  server.on('connection', (socket: Socket) => {
    const { remoteAddress } = socket;
    const client = remoteAddress === undefined || limits.isProxy(remoteAddress) ? null : clientOf(remoteAddress);
    if (!makeRoom(client)) {
      socket.destroy();
      return;
    }
    const openedMs = clock.monotonicMs();
    open.set(socket, { client, openedMs, owed: 0, isUsed: false, sentBytes: 0, sentMs: openedMs });
    count(client, 1);
    idle.add(socket);
    metrics.open(open.size);
    socket.once('close', () => forget(socket));
  });
  server.closeIdleConnections = () => {
    draining = true;
    for (const socket of idle) socket.destroySoon();
  };

  function look(): void {
    const nowMs = clock.monotonicMs();
    for (const [socket, connection] of open) {
      const sentBytes = socket.bytesWritten - socket.writableLength - unsentBytes(socket);
      if (socket.writableLength === 0 || sentBytes !== connection.sentBytes) {
        connection.sentBytes = sentBytes;
        connection.sentMs = nowMs;
      }
      const isSilent = socket.bytesRead === 0 && nowMs - connection.openedMs >= limits.firstByteTimeoutMs;
      if (!isSilent && nowMs - connection.sentMs < limits.readTimeoutMs) continue;
      metrics.closed(isSilent ? 'no_first_byte' : 'not_reading');
      socket.destroy();
    }
  }
  const stopLooking = clock.every(
    Math.max(1, Math.floor(Math.min(limits.firstByteTimeoutMs, limits.readTimeoutMs) / LOOKS)),
    look,
  );
  server.once('close', stopLooking);

  return {
    began(socket) {
      const connection = open.get(socket);
      if (connection === undefined) return;
      connection.owed += 1;
      idle.delete(socket);
    },
    ended(socket) {
      const connection = open.get(socket);
      if (connection === undefined) return;
      connection.owed -= 1;
      connection.isUsed = true;
      if (connection.owed > 0) return;
      idle.add(socket);
      if (draining) socket.destroySoon();
    },
  };
}
