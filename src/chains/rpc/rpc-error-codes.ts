import type { JsonRpcCall, JsonRpcFailure } from './json-rpc-transport.js';
import {
  type RpcError,
  type RpcOrigin,
  RpcRateLimitedError,
  RpcRefusedError,
  RpcTooManyResultsError,
} from './rpc-errors.js';

/**
 * Codes by which nodes and providers refuse an `eth_getLogs` over too many blocks or results. The first three are the
 * general ones of JSON-RPC and EIP-1474 (invalid params, limit exceeded, server error) that most use and explain only
 * in their text, which is never looked at: over a range of blocks they are a reason to ask for less, and a range of
 * one block tells their meaning.
 */
const TOO_MANY_CODES: ReadonlySet<number> = new Set([
  -32602, -32005, -32000,
  // answer or batch too large, execution timed out (go-ethereum, jsonrpsee)
  -32001, -32002, -32003, -32007, -32008,
  // caps of providers on the number of blocks or results
  -32011, -32012, -32047, -32062, -32600, -32603, -32614, -32701, 35,
]);

/** -32005 is any limit that was exceeded. */
const RATE_LIMIT_CODES: ReadonlySet<number> = new Set([429, -32005, -32029]);

/** True for a code that is about the rate of requests and nothing else. */
export function isRateLimit(code: number): boolean {
  return code !== -32005 && RATE_LIMIT_CODES.has(code);
}

/** The typed error behind an error that a node gave to a call. */
export function classifyFailure(origin: RpcOrigin, call: JsonRpcCall, failure: JsonRpcFailure): RpcError {
  const { code, message } = failure;
  if (TOO_MANY_CODES.has(code) && spansBlocks(call))
    return new RpcTooManyResultsError(origin, `eth_getLogs over a range refused with code ${code}: ${message}`, {
      details: { rpcCode: code },
    });
  if (RATE_LIMIT_CODES.has(code))
    return new RpcRateLimitedError(origin, null, { details: { rpcCode: code, said: message } });
  return new RpcRefusedError(origin, call.method, failure);
}

/** True for an `eth_getLogs` over more than one block. */
export function spansBlocks(call: JsonRpcCall): boolean {
  if (call.method !== 'eth_getLogs') return false;
  const filter = call.params[0] as { readonly fromBlock?: unknown; readonly toBlock?: unknown } | undefined;
  return filter?.fromBlock !== undefined && filter.fromBlock !== filter.toBlock;
}
