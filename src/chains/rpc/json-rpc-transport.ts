import { outsideText } from '../../core/outside-text.js';
import { checkJsonBounds } from '../../protocol/json-bounds.js';

/** One JSON-RPC call. */
export interface JsonRpcCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** An error that the node gave to a call. */
export interface JsonRpcFailure {
  readonly code: number;
  readonly message: string;
  /** As the node gave it. */
  readonly data?: unknown;
}

/** The answer of a node to one call. */
export type JsonRpcAnswer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly failure: JsonRpcFailure };

/** Carries calls to one node: HTTP or WebSocket. It neither retries nor interprets. */
export interface JsonRpcTransport {
  /** Connections made so far: a new one may lead to another node. */
  readonly connections: number;
  /**
   * Sends the calls in one go and resolves to their answers, in the order of the calls. An error that the node gave to
   * the batch as a whole is the answer to each call.
   * @throws RpcError when there is no usable answer, AbortedError when `signal` aborts.
   */
  send(calls: readonly JsonRpcCall[], signal: AbortSignal): Promise<readonly JsonRpcAnswer[]>;
  /** Ends calls that are under way with an error and releases the connections. */
  close(): Promise<void>;
}

/** The answer was not JSON-RPC. Internal: the room that knows the node turns it into `RpcInvalidAnswerError`. */
export class MalformedAnswerError extends Error {}

/** The bodies of calls with the ids 1…n: an object for one call, an array for several. */
export function encodeCalls(calls: readonly JsonRpcCall[], firstId = 1): string {
  const bodies = calls.map(({ method, params }, index) => ({ jsonrpc: '2.0', id: firstId + index, method, params }));
  return JSON.stringify(bodies.length === 1 ? bodies[0] : bodies);
}

/**
 * The JSON of an answer, parsed only within the bounds of `checkJsonBounds`.
 * @throws JsonBoundsError, MalformedAnswerError
 */
export function parseReply(text: string): unknown {
  checkJsonBounds(text);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MalformedAnswerError('the answer is not whole JSON', { cause });
  }
}

/**
 * Takes a parsed reply to `encodeCalls(calls)` apart.
 * @throws MalformedAnswerError when it is neither one answer for each call nor one error for all of them.
 */
export function decodeReply(reply: unknown, callCount: number): readonly JsonRpcAnswer[] {
  if (callCount === 1) return [decodeAnswer(Array.isArray(reply) ? reply[0] : reply)];
  const entries: readonly unknown[] = Array.isArray(reply) ? reply : [reply];
  if (entries.length === 1) {
    const answer = decodeAnswer(entries[0]);
    if (!answer.ok) return new Array<JsonRpcAnswer>(callCount).fill(answer);
  }
  // counted before anything is built of them
  if (entries.length !== callCount) throw notOneEach(entries.length, callCount);
  const byId = new Map(entries.map((entry) => [idOf(entry), entry]));
  return Array.from({ length: callCount }, (_, index) => {
    const entry = byId.get(String(index + 1));
    if (entry === undefined) throw notOneEach(byId.size, callCount);
    return decodeAnswer(entry);
  });
}

function notOneEach(answers: number, calls: number): MalformedAnswerError {
  return new MalformedAnswerError(`${answers} answers to a batch of ${calls} calls`);
}

/** Some nodes give an id back as text. */
function idOf(entry: unknown): string | null {
  const id = (entry as { readonly id?: unknown } | null)?.id;
  return typeof id === 'number' || typeof id === 'string' ? String(id) : null;
}

/**
 * One answer. One without a result and without an error has the result null: some nodes leave null out.
 * @throws MalformedAnswerError
 */
export function decodeAnswer(answer: unknown): JsonRpcAnswer {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer))
    throw new MalformedAnswerError('an answer is not an object');
  const { result, error } = answer as { readonly result?: unknown; readonly error?: unknown };
  if (error === undefined || error === null) return { ok: true, result: result ?? null };
  const { code, message, data } = error as Readonly<Record<'code' | 'message' | 'data', unknown>>;
  return {
    ok: false,
    failure: {
      code: typeof code === 'number' ? code : 0,
      message: typeof message === 'string' && message.trim() !== '' ? outsideText(message) : 'error without a message',
      ...(data === undefined ? {} : { data }),
    },
  };
}
