import type { Common } from '../core/common.js';
import { AbortedError } from '../core/errors.js';
import { createRateLimiter, type RateLimiter } from '../core/rate-limiter.js';
import { createHttpTransport } from './http-transport.js';
import {
  type JsonRpcAnswer,
  type JsonRpcCall,
  type JsonRpcTransport,
  MalformedAnswerError,
} from './json-rpc-transport.js';
import { classifyFailure, spansBlocks } from './rpc-error-codes.js';
import {
  RpcError,
  RpcInvalidAnswerError,
  type RpcOrigin,
  RpcRateLimitedError,
  RpcTooManyResultsError,
  RpcUnavailableError,
} from './rpc-errors.js';
import type { RpcMetrics } from './rpc-metrics.js';
import { WebSocketTransport } from './websocket-transport.js';

/** What an endpoint is made of; see `RpcClientOptions`. */
export interface RpcEndpointOptions {
  readonly chainName: string;
  readonly index: number;
  readonly url: string;
  readonly requestsPerSecond: number | null;
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
  readonly maxBatchCalls: number;
  readonly cooldownMs: number;
  readonly common: Common;
  readonly metrics: RpcMetrics;
  readonly guard: ChainGuard;
}

const RATE_LIMITED_PAUSE_MS = 1_000;
const MAX_RATE_LIMITED_PAUSE_MS = 60_000;

/** Lets a request through to a node of the right chain only, and its answer when the node still is. */
export type ChainGuard = <T>(endpoint: RpcEndpoint, signal: AbortSignal, request: () => Promise<T>) => Promise<T>;

/**
 * One URL: its connections, its rate limit and its health.
 *
 * Health: *ready* → (a request failed) → *cooling* for `cooldownMs` → ready. Cooling is advice for the order in which
 * nodes are asked, never a refusal. A node of another chain is asked for nothing but its chain id.
 */
export class RpcEndpoint {
  readonly index: number;
  readonly origin: RpcOrigin;
  readonly #options: RpcEndpointOptions;
  readonly #transport: JsonRpcTransport;
  readonly #rateLimit: RateLimiter;
  readonly #labels: { readonly chain: string; readonly url: string };
  #coolUntilMs = Number.NEGATIVE_INFINITY;
  #takesBatches = true;
  #rateLimitedInARow = 0;
  #head: number | null = null;
  #lastError: RpcError | null = null;

  constructor(options: RpcEndpointOptions) {
    const { chainName, index, url, timeoutMs, maxResponseBytes } = options;
    const { clock } = options.common;
    this.#options = options;
    this.index = index;
    this.origin = { chain: chainName, url: index };
    this.#labels = { chain: chainName, url: String(index) };
    this.#rateLimit = createRateLimiter({ perSecond: options.requestsPerSecond, clock });
    const transport = { url, origin: this.origin, timeoutMs, maxResponseBytes, clock };
    this.#transport = /^wss?:/i.test(url) ? new WebSocketTransport(transport) : createHttpTransport(transport);
    options.metrics.healthy.set(this.#labels, 1);
  }

  /** The latest block it has told of; null before the first. */
  get head(): number | null {
    return this.#head;
  }

  /** Connections made so far. */
  get connections(): number {
    return this.#transport.connections;
  }

  get lastError(): RpcError | null {
    return this.#lastError;
  }

  /** Until when it is passed over, on the monotonic clock. */
  get coolUntilMs(): number {
    return this.#coolUntilMs;
  }

  noteHead(block: number): void {
    this.#head = block;
    this.#options.metrics.headBlock.set(this.#labels, block);
  }

  /** Sets the health metric; the client, which compares nodes, knows it. */
  noteHealth(healthy: boolean): void {
    this.#options.metrics.healthy.set(this.#labels, healthy ? 1 : 0);
  }

  /** Passes the node over for a while because of `error`. */
  cool(error: RpcError): void {
    const { common, cooldownMs } = this.#options;
    this.#lastError = error;
    const durationMs = error instanceof RpcRateLimitedError ? this.#pauseFor(error) : cooldownMs;
    this.#coolUntilMs = common.clock.monotonicMs() + durationMs;
    common.log.warn({ ...this.origin, code: error.code, reason: error.message, durationMs }, 'RPC node is passed over');
  }

  /** The node did what was asked of it. */
  recover(): void {
    this.#coolUntilMs = Number.NEGATIVE_INFINITY;
    this.#rateLimitedInARow = 0;
  }

  /** As `requestUnguarded`, of a node of this chain. @throws RpcWrongChainError, ChainUnknownError */
  request(calls: readonly JsonRpcCall[], signal: AbortSignal): Promise<readonly (unknown | RpcError)[]> {
    return this.#options.guard(this, signal, () => this.requestUnguarded(calls, signal));
  }

  /**
   * Results of the calls, in their order, as the node gave them; a call that the node refused is an error in its place.
   * Long lists are sent in batches of `maxBatchCalls`, each one request for the rate limit.
   * @throws RpcError when a batch got no usable answer, AbortedError.
   */
  async requestUnguarded(calls: readonly JsonRpcCall[], signal: AbortSignal): Promise<readonly (unknown | RpcError)[]> {
    const results: (unknown | RpcError)[] = [];
    const { maxBatchCalls } = this.#options;
    for (let start = 0; start < calls.length; ) {
      const batch = calls.slice(start, start + (this.#takesBatches ? maxBatchCalls : 1));
      const answers = await this.#sendBatch(batch, signal);
      if (answers === null) continue;
      start += batch.length;
      for (const [index, call] of batch.entries()) results.push(this.#resultOf(call, answers[index]));
    }
    return results;
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  /** Null: the node takes no batches, send the calls one by one. */
  async #sendBatch(batch: readonly JsonRpcCall[], signal: AbortSignal): Promise<readonly JsonRpcAnswer[] | null> {
    const { metrics, common } = this.#options;
    await this.#rateLimit.take(signal);
    const startMs = common.clock.monotonicMs();
    metrics.requests.inc(this.#labels);
    try {
      const reply = await this.#transport.send(batch, signal);
      if (!reply.batchRefused) return reply.answers;
      this.#takesBatches = false;
      common.log.info({ ...this.origin }, 'RPC node refused a batch, sending calls one by one');
      return null;
    } catch (thrown) {
      if (thrown instanceof AbortedError) throw thrown;
      const error = this.#asRpcError(thrown, batch);
      metrics.errors.inc({ ...this.#labels, kind: error.kind });
      throw error;
    } finally {
      metrics.durationSeconds.observe(this.#labels, (common.clock.monotonicMs() - startMs) / 1000);
    }
  }

  #asRpcError(thrown: unknown, batch: readonly JsonRpcCall[]): RpcError {
    if (thrown instanceof RpcTooManyResultsError && !batch.some(spansBlocks))
      // nothing to halve: more than we take, whatever we ask
      return new RpcUnavailableError(this.origin, thrown.message, { cause: thrown });
    if (thrown instanceof RpcError) return thrown;
    if (thrown instanceof MalformedAnswerError)
      return new RpcInvalidAnswerError(this.origin, thrown.message, { cause: thrown });
    return new RpcUnavailableError(this.origin, 'the request failed', { cause: thrown });
  }

  #resultOf(call: JsonRpcCall, answer: JsonRpcAnswer | undefined): unknown {
    if (answer?.ok) return answer.result;
    const error = answer
      ? classifyFailure(this.origin, call, answer.failure)
      : new RpcInvalidAnswerError(this.origin, 'an answer is missing');
    this.#options.metrics.errors.inc({ ...this.#labels, kind: error.kind });
    return error;
  }

  #pauseFor(error: RpcRateLimitedError): number {
    const backoffMs = RATE_LIMITED_PAUSE_MS * 2 ** Math.min(this.#rateLimitedInARow++, 6);
    const pauseMs = Math.min(MAX_RATE_LIMITED_PAUSE_MS, error.retryAfterMs ?? backoffMs);
    this.#rateLimit.pause(pauseMs);
    return pauseMs;
  }
}
