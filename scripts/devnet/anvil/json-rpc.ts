import { IndexerError, toError } from '../../../src/core/errors.js';
import { withDeadline } from './deadline.js';

/** A JSON-RPC call of the devnet failed: the node answered with an error, or not at all (`retryable`). */
export class JsonRpcError extends IndexerError {
  constructor(method: string, message: string, retryable: boolean, details: Record<string, unknown>, cause?: unknown) {
    super('JSON_RPC_FAILED', `${method}: ${message}`, retryable, { details: { method, ...details }, cause });
  }
}

/** Asks one Ethereum node. `params` and the result are as the wire has them: quantities in hex. */
export type JsonRpc = (method: string, params?: readonly unknown[], signal?: AbortSignal) => Promise<unknown>;

interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly code?: number; readonly message?: string; readonly data?: unknown };
}

/** A bare JSON-RPC client over HTTP: one call a request, no retries (a retried `anvil_mine` would mine twice). */
export function createJsonRpc(url: string, timeoutMs = 20_000): JsonRpc {
  return async (method, params = [], signal) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    let answer: Answer;
    try {
      answer = await withDeadline(timeoutMs, signal, async (limit) => {
        const headers = { 'content-type': 'application/json' };
        const response = await fetch(url, { method: 'POST', headers, body, signal: limit });
        return (await response.json()) as Answer;
      });
    } catch (cause) {
      throw new JsonRpcError(method, `no answer (${toError(cause).message})`, true, { url }, cause);
    }
    if (answer.error) {
      const { code, message, data } = answer.error;
      throw new JsonRpcError(method, message ?? 'error without a message', false, { url, code, data });
    }
    return answer.result;
  };
}
