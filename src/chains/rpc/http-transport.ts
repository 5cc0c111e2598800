import { isAscii } from 'node:buffer';
import type { Clock } from '../../core/clock.js';
import { AbortedError, toError } from '../../core/errors.js';
import { createDispatcher } from '../../core/network/http-agents.js';
import { firstOutsideLine, networkReason } from '../../core/outside-text.js';
import { JsonBoundsError } from '../../protocol/json-bounds.js';
import {
  decodeReply,
  encodeCalls,
  type JsonRpcAnswer,
  type JsonRpcCall,
  type JsonRpcTransport,
  parseReply,
} from './json-rpc-transport.js';
import {
  RpcError,
  RpcInvalidAnswerError,
  type RpcOrigin,
  RpcRateLimitedError,
  RpcTimeoutError,
  RpcTooManyResultsError,
  RpcUnavailableError,
} from './rpc-errors.js';

/** The parts of a transport to one URL. */
export interface TransportOptions {
  readonly url: string;
  readonly origin: RpcOrigin;
  /** For the whole exchange, connecting and the last byte included. */
  readonly timeoutMs: number;
  /** Reading stops there; a larger answer is `RpcTooManyResultsError`. */
  readonly maxResponseBytes: number;
  readonly clock: Clock;
}

const CONNECTIONS = 8;
/** Error pages are looked at for a JSON-RPC error, no further. */
const MAX_ERROR_BYTES = 64 * 1024;

/** JSON-RPC over HTTP, with a cap on answers that is kept while they arrive. */
export function createHttpTransport(options: TransportOptions): JsonRpcTransport {
  const { origin, clock, timeoutMs } = options;
  const url = new URL(options.url);
  let connections = 0;
  const dispatcher = createDispatcher(
    url.href,
    { connections: CONNECTIONS, headersTimeout: 0, bodyTimeout: 0 },
    { onConnect: () => connections++ },
  );
  const headers = { 'content-type': 'application/json', accept: 'application/json', ...authorization(url) };

  async function exchange(calls: readonly JsonRpcCall[], signal: AbortSignal): Promise<readonly JsonRpcAnswer[]> {
    const response = await dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'POST',
      headers,
      body: encodeCalls(calls),
      signal,
    });
    const status = response.statusCode;
    const limitBytes = status === 200 ? options.maxResponseBytes : Math.min(MAX_ERROR_BYTES, options.maxResponseBytes);
    const text = await readCapped(response.body, limitBytes, () => tooLarge(origin, status, limitBytes));
    return interpret(origin, status, retryAfterMs(response.headers['retry-after'], clock), text, calls.length);
  }

  return {
    get connections() {
      return connections;
    },
    async send(calls, signal) {
      const controller = new AbortController();
      let timedOut = false;
      const cancelTimer = clock.after(timeoutMs, () => {
        timedOut = true;
        controller.abort();
      });
      const onAbort = () => controller.abort();
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) controller.abort();
      try {
        return await exchange(calls, controller.signal);
      } catch (cause) {
        if (signal.aborted) throw new AbortedError('RPC request', { cause });
        if (timedOut) throw new RpcTimeoutError(origin, timeoutMs, { cause });
        if (cause instanceof RpcError) throw cause;
        throw new RpcUnavailableError(origin, `the connection failed (${networkReason(toError(cause))})`, { cause });
      } finally {
        cancelTimer();
        signal.removeEventListener('abort', onAbort);
      }
    },
    close: () => dispatcher.destroy(),
  };
}

async function readCapped(
  body: AsyncIterable<Uint8Array> & { destroy(): unknown },
  limitBytes: number,
  tooLargeError: () => RpcError,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    // leaving the loop destroys the body, and with it the connection
    if (sizeBytes > limitBytes) throw tooLargeError();
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks, sizeBytes);
  // logs are all hex: decoded as latin1 they take a third of the time that UTF-8 takes
  return bytes.toString(isAscii(bytes) ? 'latin1' : 'utf8');
}

function tooLarge(origin: RpcOrigin, status: number, limitBytes: number): RpcError {
  return status === 200
    ? new RpcTooManyResultsError(origin, `the answer is larger than ${limitBytes} bytes`, { details: { limitBytes } })
    : new RpcUnavailableError(origin, `HTTP ${status}`, { details: { status } });
}

function interpret(
  origin: RpcOrigin,
  status: number,
  retryMs: number | null,
  text: string,
  callCount: number,
): readonly JsonRpcAnswer[] {
  const said = status === 200 ? '' : firstOutsideLine(text);
  const details = { status, ...(said === '' ? {} : { said }) };
  if (status === 429) throw new RpcRateLimitedError(origin, retryMs, { details });
  if (status === 413) throw new RpcTooManyResultsError(origin, 'HTTP 413', { details });
  try {
    const answers = decodeReply(parseReply(text), callCount);
    // some nodes send their JSON-RPC errors with a status of 4xx or 5xx: the code in the body says more
    if (status === 200 || answers.every((answer) => !answer.ok)) return answers;
  } catch (thrown) {
    if (status === 200) throw unusable(origin, thrown, text.length);
  }
  if (status === 408 || status === 504) throw new RpcTimeoutError(origin, null, { details });
  throw new RpcUnavailableError(origin, said === '' ? `HTTP ${status}` : `HTTP ${status}: ${said}`, { details });
}

/** The error for an answer that came whole and could not be read. */
export function unusable(origin: RpcOrigin, thrown: unknown, sizeBytes: number): RpcError {
  const cause = toError(thrown);
  const options = { cause, details: { sizeBytes } };
  return cause instanceof JsonBoundsError && cause.excess === 'size'
    ? new RpcTooManyResultsError(origin, cause.message, options)
    : new RpcInvalidAnswerError(origin, cause.message, options);
}

/** `Retry-After` in milliseconds: seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterMs(value: string | string[] | undefined, clock: Clock): number | null {
  if (typeof value !== 'string') return null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - clock.nowMs());
}

function authorization(url: URL): { authorization?: string } {
  if (url.username === '' && url.password === '') return {};
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}
