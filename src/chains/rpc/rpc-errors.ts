import { IndexerError, type IndexerErrorOptions } from '../../core/errors.js';
import { isHex } from '../../core/hex.js';
import type { JsonRpcFailure } from './json-rpc-transport.js';

/** Which node was asked. URLs carry API keys, so errors, logs and metrics name a node by its place in the list. */
export interface RpcOrigin {
  readonly chain: string;
  /** Index in the configured list of URLs. */
  readonly url: number;
}

/** The ways in which an RPC call fails; a label of metrics. */
export type RpcErrorKind = 'timeout' | 'tooManyResults' | 'rateLimited' | 'invalidAnswer' | 'refused' | 'unavailable';

/** Base of all errors of RPC calls. `details` names the chain and the index of the URL, never the URL itself. */
export class RpcError extends IndexerError {
  readonly kind: RpcErrorKind;
  readonly origin: RpcOrigin;
  /** The message without the origin. */
  readonly reason: string;

  constructor(kind: RpcErrorKind, code: string, origin: RpcOrigin, reason: string, options: IndexerErrorOptions = {}) {
    super(code, `chain ${origin.chain}, RPC URL ${origin.url}: ${reason}`, true, {
      ...options,
      details: { ...options.details, ...origin },
    });
    this.kind = kind;
    this.origin = origin;
    this.reason = reason;
  }
}

/** No complete answer within the time limit. For a range of blocks: ask for less. */
export class RpcTimeoutError extends RpcError {
  /** `timeoutMs`: our limit; null when the node's own gateway gave up. */
  constructor(origin: RpcOrigin, timeoutMs: number | null, options?: IndexerErrorOptions) {
    const message = timeoutMs === null ? "the node's gateway timed out" : `no answer within ${timeoutMs} ms`;
    super('timeout', 'RPC_TIMEOUT', origin, message, options);
  }
}

/** The answer is too large for the node, or for the cap on answers: ask for fewer blocks. */
export class RpcTooManyResultsError extends RpcError {
  constructor(origin: RpcOrigin, message: string, options?: IndexerErrorOptions) {
    super('tooManyResults', 'RPC_TOO_MANY_RESULTS', origin, message, options);
  }
}

/** The node asks for fewer requests; `said` among the details are its own words. */
export class RpcRateLimitedError extends RpcError {
  /** How long the node asked to be left alone; null when it did not say. */
  readonly retryAfterMs: number | null;
  constructor(origin: RpcOrigin, retryAfterMs: number | null, options?: IndexerErrorOptions) {
    const { said } = options?.details ?? {};
    const words = typeof said === 'string' && said !== '' ? `: ${said}` : '';
    super('rateLimited', 'RPC_RATE_LIMITED', origin, `the node limits our rate${words}`, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The answer breaks the protocol, or contradicts itself: nothing of it is used. */
export class RpcInvalidAnswerError extends RpcError {
  constructor(origin: RpcOrigin, message: string, options?: IndexerErrorOptions) {
    super('invalidAnswer', 'RPC_INVALID_ANSWER', origin, message, options);
  }
}

/** The node answered the call with an error of its own. */
export class RpcRefusedError extends RpcError {
  /** Its JSON-RPC code. */
  readonly rpcCode: number;
  /** Its words. */
  readonly said: string;
  /** Its data: of a call that reverts, the reason. */
  readonly data: unknown;

  constructor(origin: RpcOrigin, method: string, { code, message, data }: JsonRpcFailure) {
    super('refused', 'RPC_REFUSED', origin, `${method} refused with code ${code}: ${message}`, {
      details: { method, rpcCode: code },
    });
    this.rpcCode = code;
    this.said = message;
    this.data = data;
  }

  /** A contract reverted (code 3, or a code with bytes as data): every node of the chain says the same. */
  get isRevert(): boolean {
    return this.rpcCode === REVERTED || isHex(this.data);
  }
}

/** By EIP-1474's successors and by go-ethereum. */
const REVERTED = 3;

/** The node is of another chain: nothing that it says is used. It is asked again, since a URL can be put right. */
export class RpcWrongChainError extends RpcError {
  constructor(origin: RpcOrigin, chainId: number, expectedChainId: number) {
    super(
      'unavailable',
      'RPC_WRONG_CHAIN',
      origin,
      `the node is of chain id ${chainId}, and this chain has ${expectedChainId}, so nothing that it says is used: ` +
        "replace this URL in RpcUrls, or correct the chain's Selector or ChainID",
      { details: { chainId, expectedChainId } },
    );
  }
}

/** The node cannot be reached, is broken, or lags behind. */
export class RpcUnavailableError extends RpcError {
  constructor(origin: RpcOrigin, message: string, options?: IndexerErrorOptions) {
    super('unavailable', 'RPC_UNAVAILABLE', origin, message, options);
  }
}
