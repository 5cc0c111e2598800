import { BaseError, custom, numberToHex, RpcRequestError, type Transport } from 'viem';
import { AbortedError } from '../../core/errors.js';
import type { JsonRpcCall } from './json-rpc-transport.js';
import { MAX_BLOCK, parseBytes, parseQuantity } from './quantity.js';
import { RpcError, RpcRefusedError } from './rpc-errors.js';

/** Sends one call; its result is checked by `checkedResult`. @throws RpcError, AbortedError */
export type SendCall = (call: JsonRpcCall, signal: AbortSignal | undefined) => Promise<unknown>;

/**
 * A viem transport that sends calls by `send`. viem retries nothing, also where a client asks it to: `send` decides
 * which node is asked next. A refusal becomes viem's `RpcRequestError` with the node's code and data, so that viem
 * reads the reason of a revert; every other `RpcError` is the cause of viem's error. No message holds a URL: URLs
 * carry API keys.
 */
export function viemTransport(name: string, send: SendCall): Transport {
  async function request(call: { readonly method: string; readonly params?: unknown }, options?: ViemOptions) {
    const { method } = call;
    const params = Array.isArray(call.params) ? call.params : [];
    try {
      return await send({ method, params }, options?.signal);
    } catch (thrown) {
      throw thrown instanceof RpcRefusedError ? refusal(thrown, { method, params }) : thrown;
    }
  }
  return custom({ request }, { key: 'ccv-indexer', name, retryCount: 0 });
}

interface ViemOptions {
  readonly signal?: AbortSignal;
}

/** The result of a viem action, with the pool's own error in place of viem's around it. */
export async function withRpcErrors<T>(action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (thrown) {
    const isOurs = (error: unknown) => error instanceof RpcError || error instanceof AbortedError;
    throw (thrown instanceof BaseError && thrown.walk(isOurs)) || thrown;
  }
}

const CHECKS: Readonly<Record<string, (result: unknown) => unknown>> = {
  eth_blockNumber: (result) => numberToHex(parseQuantity(result, 'number of the latest block', MAX_BLOCK)),
  eth_chainId: (result) => numberToHex(parseQuantity(result, 'the chain id')),
  eth_getCode: (result) => hexResult(result, 'code'),
  eth_call: (result) => hexResult(result, 'result of the call'),
};

/**
 * The result of a call as viem takes it. viem itself reads `"12"` as a block number and code that is not hex as code,
 * so the results that the indexer relies on are checked before.
 * @throws MalformedAnswerError
 */
export function checkedResult({ method }: JsonRpcCall, result: unknown): unknown {
  return CHECKS[method]?.(result) ?? result;
}

function hexResult(result: unknown, field: string): unknown {
  parseBytes(result, field);
  return result;
}

function refusal(error: RpcRefusedError, { method, params }: JsonRpcCall): RpcRequestError {
  const { rpcCode: code, said: message, data, origin } = error;
  return Object.assign(
    new RpcRequestError({
      body: { method, params },
      error: { code, message, data },
      url: `chain ${origin.chain}, RPC URL ${origin.url}`,
    }),
    { cause: error },
  );
}
