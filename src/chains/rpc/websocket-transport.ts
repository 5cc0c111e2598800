import type { Agent as HttpAgent } from 'node:http';
import { type RawData, WebSocket } from 'ws';
import { AbortedError } from '../../core/errors.js';
import { createProxyAgent } from '../../core/network/http-agents.js';
import { networkReason } from '../../core/outside-text.js';
import { type TransportOptions, unusable } from './http-transport.js';
import {
  decodeAnswer,
  type JsonRpcAnswer,
  type JsonRpcCall,
  type JsonRpcTransport,
  parseReply,
} from './json-rpc-transport.js';
import { type RpcError, RpcTimeoutError, RpcTooManyResultsError, RpcUnavailableError } from './rpc-errors.js';

interface Pending {
  readonly resolve: (answer: JsonRpcAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** The option of `ws` that leads through a proxy, where there is one. A tunnel serves one socket: none is kept. */
export function socketAgent(url: string): { readonly agent?: HttpAgent } {
  const agent = createProxyAgent(url);
  return agent === null ? {} : { agent };
}

/** The code of `ws` for a message above `maxPayload`. */
const TOO_LARGE_CODE = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';

/**
 * JSON-RPC over one WebSocket. It connects when first asked and again after it was lost; a lost connection fails every
 * call that was under way on it. A call that times out closes the connection too: it may be half open.
 */
export class WebSocketTransport implements JsonRpcTransport {
  readonly #options: TransportOptions;
  readonly #pending = new Map<number, Pending>();
  #socket: WebSocket | null = null;
  #opening: Promise<WebSocket> | null = null;
  #nextId = 1;
  #connections = 0;
  #closed = false;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  get connections(): number {
    return this.#connections;
  }

  async send(calls: readonly JsonRpcCall[], signal: AbortSignal): Promise<readonly JsonRpcAnswer[]> {
    const { clock, timeoutMs, origin } = this.#options;
    if (signal.aborted) throw new AbortedError('RPC request');
    let timedOut = false;
    let stop: (error: Error) => void = () => undefined;
    const stopped = new Promise<never>((_, reject) => {
      stop = reject;
    });
    const onAbort = () => stop(new AbortedError('RPC request'));
    const cancelTimer = clock.after(timeoutMs, () => {
      timedOut = true;
      stop(new RpcTimeoutError(origin, timeoutMs));
    });
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([this.#exchange(calls), stopped]);
    } finally {
      cancelTimer();
      signal.removeEventListener('abort', onAbort);
      if (timedOut) this.#socket?.terminate();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#socket?.terminate();
    this.#fail(new RpcUnavailableError(this.#options.origin, 'the client was closed'));
  }

  async #exchange(calls: readonly JsonRpcCall[]): Promise<JsonRpcAnswer[]> {
    const socket = await this.#open();
    const answers = calls.map(({ method, params }) => {
      const id = this.#nextId++;
      const answer = new Promise<JsonRpcAnswer>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
      socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
      return answer;
    });
    return Promise.all(answers);
  }

  #open(): Promise<WebSocket> {
    if (this.#socket?.readyState === WebSocket.OPEN) return Promise.resolve(this.#socket);
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  #connect(): Promise<WebSocket> {
    const { url, origin, timeoutMs, maxResponseBytes } = this.#options;
    if (this.#closed) return Promise.reject(new RpcUnavailableError(origin, 'the client was closed'));
    // calls on a connection that is only now closing would wait for their time limit
    this.#fail(new RpcUnavailableError(origin, 'the connection was lost'));
    const socket = new WebSocket(url, {
      handshakeTimeout: timeoutMs,
      maxPayload: maxResponseBytes,
      ...socketAgent(url),
    });
    this.#socket = socket;
    let lost: RpcError = new RpcUnavailableError(origin, 'the connection was closed');
    return new Promise((resolve, reject) => {
      socket.on('open', () => {
        this.#connections++;
        resolve(socket);
      });
      socket.on('message', (data) => this.#receive(socket, data));
      socket.on('error', (cause) => {
        lost =
          (cause as { code?: unknown }).code === TOO_LARGE_CODE
            ? new RpcTooManyResultsError(origin, `the answer is larger than ${maxResponseBytes} bytes`, { cause })
            : new RpcUnavailableError(origin, `the connection failed (${networkReason(cause)})`, { cause });
      });
      socket.on('close', () => {
        reject(lost);
        if (this.#socket === socket) this.#fail(lost);
      });
    });
  }

  /** Text that is no JSON could be the answer to any call: it ends them all. */
  #receive(socket: WebSocket, data: RawData): void {
    // parsing costs: a node that talks unasked gets no more than it takes to read
    if (this.#pending.size === 0) return;
    const text = data.toString();
    try {
      const answer = parseReply(text);
      const id = (answer as { readonly id?: unknown } | null)?.id;
      if (typeof id === 'number') {
        this.#pending.get(id)?.resolve(decodeAnswer(answer));
        this.#pending.delete(id);
      } else if (id === null && !decodeAnswer(answer).ok) {
        this.#fail(new RpcUnavailableError(this.#options.origin, 'the node refused a request without saying which'));
      }
    } catch (thrown) {
      this.#fail(unusable(this.#options.origin, thrown, text.length));
      socket.terminate();
    }
  }

  #fail(error: Error): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
  }
}
