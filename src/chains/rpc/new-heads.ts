import { type RawData, WebSocket } from 'ws';
import { backoffMs } from '../../core/backoff.js';
import type { Common } from '../../core/common.js';
import { parseReply } from './json-rpc-transport.js';
import type { RpcOrigin } from './rpc-errors.js';
import { socketAgent } from './websocket-transport.js';

/** A subscription to the new blocks of a node. */
export interface NewHeads {
  /** Idempotent. */
  close(): void;
}

const RECONNECT = { baseMs: 500, maxMs: 30_000 };
const HANDSHAKE_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 15_000;
const MAX_NOTICE_BYTES = 1024 * 1024;

/**
 * Calls `onHead` whenever the node at a `ws(s)` URL says that there is a new block. Only a wake-up: nothing that it
 * says is used, and a lost subscription costs nothing but time, since the watcher polls as well. Connects again after
 * a loss, also a silent one (a ping without an answer).
 */
export function subscribeNewHeads({
  url,
  origin,
  onHead,
  common: { clock, log, random },
}: {
  readonly url: string;
  readonly origin: RpcOrigin;
  readonly onHead: () => void;
  readonly common: Common;
}): NewHeads {
  let closed = false;
  let lossesInARow = 0;
  let socket: WebSocket | null = null;
  let cancelReconnect: () => void = () => undefined;

  function connect(): void {
    const current = new WebSocket(url, {
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      maxPayload: MAX_NOTICE_BYTES,
      ...socketAgent(url),
    });
    socket = current;
    let alive = true;
    const stopHeartbeat = clock.every(HEARTBEAT_MS, () => {
      if (!alive) current.terminate();
      else if (current.readyState === WebSocket.OPEN) current.ping();
      alive = false;
    });
    current.on('open', () => {
      current.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params: ['newHeads'] }));
    });
    current.on('pong', () => {
      alive = true;
    });
    current.on('message', (data) => {
      alive = true;
      lossesInARow = 0;
      if (isNotification(data)) onHead();
    });
    current.on('error', (error) => log.debug({ ...origin, err: error }, 'new heads subscription failed'));
    current.on('close', () => {
      stopHeartbeat();
      if (closed) return;
      const waitMs = backoffMs(RECONNECT, lossesInARow++, random);
      log.info({ ...origin, waitMs }, 'new heads subscription lost, connecting again');
      cancelReconnect = clock.after(waitMs, connect);
    });
  }

  connect();
  return {
    close() {
      closed = true;
      cancelReconnect();
      socket?.terminate();
    },
  };
}

function isNotification(data: RawData): boolean {
  try {
    return (parseReply(data.toString()) as { readonly method?: unknown } | null)?.method === 'eth_subscription';
  } catch {
    return false; // not JSON: nothing to wake up for
  }
}
