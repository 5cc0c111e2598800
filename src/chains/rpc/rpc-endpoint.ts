import type { Common } from '../../core/common.js';
import { AbortedError } from '../../core/errors.js';
import { createRateLimiter, type RateLimiter } from '../../core/rate-limiter.js';
import { type BatchedCalls, createBatchedCalls } from './batched-calls.js';
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

/** The parts of an endpoint; see `RpcPoolOptions`. */
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
  readonly #batches: BatchedCalls;
  #rateLimitedInARow = 0;
  /** Until when the node asked to be left alone, on the monotonic clock. */
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #head: number | null = null;
  #lastError: RpcError | null = null;
  #failuresInARow = 0;

  constructor(options: RpcEndpointOptions) {
    const { chainName, index, url, timeoutMs, maxResponseBytes } = options;
    const { clock } = options.common;
    this.#options = options;
    this.index = index;
    this.origin = { chain: chainName, url: index };
    this.#labels = { chain: chainName, url: String(index) };
    this.#rateLimit = createRateLimiter({ perSecond: options.requestsPerSecond, clock });
    this.#batches = createBatchedCalls({
      maxCalls: options.maxBatchCalls,
      origin: this.origin,
      isRateLimited: () => this.#rateLimitedInARow > 0,
      common: options.common,
    });
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

  /** How often it was passed over since it last succeeded. */
  get failuresInARow(): number {
    return this.#failuresInARow;
  }

  nowMs(): number {
    return this.#options.common.clock.nowMs();
  }

  /** Until when it is passed over, on the monotonic clock. */
  get coolUntilMs(): number {
    return this.#coolUntilMs;
  }

  noteHead(block: number): void {
    this.#head = block;
    this.#options.metrics.headBlock.set(this.#labels, block);
  }

  /** Sets the health metric; the order of endpoints, which compares them, knows it. */
  noteHealth(healthy: boolean): void {
    this.#options.metrics.healthy.set(this.#labels, healthy ? 1 : 0);
  }

  /** Passes the node over for a while because of `error`. */
  cool(error: RpcError): void {
    const { common, cooldownMs } = this.#options;
    this.#lastError = error;
    this.#failuresInARow++;
    const durationMs = error instanceof RpcRateLimitedError ? this.#pauseFor(error) : cooldownMs;
    this.#coolUntilMs = common.clock.monotonicMs() + durationMs;
    const facts = { code: error.code, reason: error.message, failures: this.#failuresInARow, durationMs };
    common.log.warn({ ...this.origin, ...facts }, 'RPC node is passed over');
  }

  /** The node succeeded. */
  recover(): void {
    this.#coolUntilMs = Number.NEGATIVE_INFINITY;
    this.#rateLimitedInARow = 0;
    this.#failuresInARow = 0;
  }

  /** As `requestUnguarded`, of a node of this chain. @throws RpcWrongChainError, ChainUnknownError */
  request(
    calls: readonly JsonRpcCall[],
    signal: AbortSignal,
    onRequest?: () => void,
  ): Promise<readonly (unknown | RpcError)[]> {
    return this.#options.guard(this, signal, () => this.requestUnguarded(calls, signal, onRequest));
  }

  /**
   * Results of the calls, in their order, as the node gave them; a call that the node refused is an error in its place.
   * Long lists are sent in batches, each one request for the rate limit; `onRequest` is called for each.
   * @throws RpcError when a batch got no usable answer, AbortedError.
   */
  async requestUnguarded(
    calls: readonly JsonRpcCall[],
    signal: AbortSignal,
    onRequest: () => void = () => undefined,
  ): Promise<readonly (unknown | RpcError)[]> {
    const results: (unknown | RpcError)[] = [];
    while (results.length < calls.length) {
      const left = calls.slice(results.length);
      const answers = await this.#batches.answers(left, (batch) => this.#send(batch, signal, onRequest));
      for (const [index, answer] of answers.entries()) {
        const call = left[index];
        if (call) results.push(this.#resultOf(call, answer));
      }
    }
    return results;
  }

  /** The result of `parse`. @throws RpcInvalidAnswerError of this node where `parse` throws MalformedAnswerError */
  parsed<T>(parse: () => T): T {
    try {
      return parse();
    } catch (thrown) {
      if (thrown instanceof MalformedAnswerError)
        throw new RpcInvalidAnswerError(this.origin, thrown.message, { cause: thrown });
      throw thrown;
    }
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #send(
    batch: readonly JsonRpcCall[],
    signal: AbortSignal,
    onRequest: () => void,
  ): Promise<readonly JsonRpcAnswer[]> {
    const { metrics, common } = this.#options;
    await this.#rateLimit.take(signal);
    const startMs = common.clock.monotonicMs();
    metrics.requests.inc(this.#labels);
    onRequest();
    try {
      return await this.#transport.send(batch, signal);
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
      return new RpcUnavailableError(this.origin, thrown.reason, { cause: thrown });
    if (thrown instanceof RpcError) return thrown;
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

  /** Refusals that come during a pause are of requests sent before it: they do not lengthen it. */
  #pauseFor(error: RpcRateLimitedError): number {
    const leftMs = this.#pausedUntilMs - this.#options.common.clock.monotonicMs();
    if (leftMs > 0 && error.retryAfterMs === null) return leftMs;
    const backoffMs = RATE_LIMITED_PAUSE_MS * 2 ** Math.min(this.#rateLimitedInARow++, 6);
    const pauseMs = Math.min(MAX_RATE_LIMITED_PAUSE_MS, error.retryAfterMs ?? backoffMs);
    this.#rateLimit.pause(pauseMs);
    this.#pausedUntilMs = this.#options.common.clock.monotonicMs() + pauseMs;
    return pauseMs;
  }
}
