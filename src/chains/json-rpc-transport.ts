import { outsideText } from '../core/outside-text.js';

/** One JSON-RPC call. */
export interface JsonRpcCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** An error that the node gave to a call. */
export interface JsonRpcFailure {
  readonly code: number;
  readonly message: string;
}

/** What the node answered to one call. */
export type JsonRpcAnswer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly failure: JsonRpcFailure };

/** Carries calls to one node: HTTP or WebSocket. It neither retries nor interprets. */
export interface JsonRpcTransport {
  /**
   * Sends the calls in one go and resolves to their answers, in the order of the calls. A batch that the node refuses as
   * a whole resolves to that refusal for each call, with `batchRefused` set.
   * @throws RpcError when there is no usable answer, AbortedError when `signal` aborts.
   */
  send(calls: readonly JsonRpcCall[], signal: AbortSignal): Promise<JsonRpcReply>;
  /** Ends what is under way with an error and releases the connections. */
  close(): Promise<void>;
}

/** The answers to the calls of one `send`. */
export interface JsonRpcReply {
  readonly answers: readonly JsonRpcAnswer[];
  readonly batchRefused: boolean;
}

/** The answer was not JSON-RPC. Internal: whoever knows the node turns it into `RpcInvalidAnswerError`. */
export class MalformedAnswerError extends Error {}

/** The bodies of calls with the ids 1…n: an object for one call, an array for several. */
export function encodeCalls(calls: readonly JsonRpcCall[], firstId = 1): string {
  const bodies = calls.map(({ method, params }, index) => ({ jsonrpc: '2.0', id: firstId + index, method, params }));
  return JSON.stringify(bodies.length === 1 ? bodies[0] : bodies);
}

/**
 * Takes a parsed reply to `encodeCalls(calls)` apart.
 * @throws MalformedAnswerError when an answer is missing, doubled, or neither a result nor an error.
 */
export function decodeReply(reply: unknown, callCount: number): JsonRpcReply {
  if (callCount === 1) return { answers: [decodeAnswer(Array.isArray(reply) ? reply[0] : reply)], batchRefused: false };
  if (!Array.isArray(reply)) {
    const answer = decodeAnswer(reply);
    if (answer.ok) throw new MalformedAnswerError('one result for a batch of calls');
    return { answers: new Array<JsonRpcAnswer>(callCount).fill(answer), batchRefused: true };
  }
  const byId = new Map<unknown, unknown>(reply.map((entry) => [(entry as { id?: unknown } | null)?.id, entry]));
  if (byId.size !== callCount || reply.length !== callCount)
    throw new MalformedAnswerError(`${reply.length} answers to a batch of ${callCount} calls`);
  return {
    answers: Array.from({ length: callCount }, (_, index) => decodeAnswer(byId.get(index + 1))),
    batchRefused: false,
  };
}

/** @throws MalformedAnswerError */
export function decodeAnswer(answer: unknown): JsonRpcAnswer {
  if (typeof answer !== 'object' || answer === null) throw new MalformedAnswerError('an answer is not an object');
  const { result, error } = answer as { readonly result?: unknown; readonly error?: unknown };
  if (error !== undefined && error !== null) {
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
    return {
      ok: false,
      failure: {
        code: typeof code === 'number' ? code : 0,
        message:
          typeof message === 'string' && message.trim() !== '' ? outsideText(message) : 'error without a message',
      },
    };
  }
  if (result === undefined) throw new MalformedAnswerError('an answer has neither a result nor an error');
  return { ok: true, result };
}
