import type { Common } from '../../core/common.js';
import { AbortedError } from '../../core/errors.js';
import { createRateLimiter, type RateLimiter } from '../../core/rate-limiter.js';
import { type BatchSize, createBatchSize } from './batch-size.js';
import { createHttpTransport } from './http-transport.js';
import {
  type JsonRpcAnswer,
  type JsonRpcCall,
  type JsonRpcTransport,
  MalformedAnswerError,
} from './json-rpc-transport.js';
import { classifyFailure, isRateLimit, spansBlocks } from './rpc-error-codes.js';
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

/** What an endpoint is made of; see `RpcPoolOptions`. */
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

/** On whose behalf a request is sent. */
interface Asking {
  readonly signal: AbortSignal;
  readonly onRequest: () => void;
}

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
  readonly #batch: BatchSize;
  /** Calls of a batch that failed in a way that may be the batch's fault: the next request shows whether it is. */
  #doubtedCalls: number | null = null;
  #rateLimitedInARow = 0;
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
    this.#batch = createBatchSize({
      maxCalls: options.maxBatchCalls,
      clock,
      onChange: (calls) =>
        options.common.log.info({ ...this.origin, calls }, 'RPC node gets batches of another size from now on'),
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

  /** How often it was passed over since it last did what was asked. */
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

  /** Sets the health metric; the client, which compares nodes, knows it. */
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

  /** The node did what was asked of it. */
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
      const batch = calls.slice(results.length, results.length + this.#batch.calls);
      const answers = await this.#answers(batch, { signal, onRequest });
      for (const [index, answer] of answers.entries()) {
        const call = batch[index];
        if (call) results.push(this.#resultOf(call, answer));
      }
    }
    return results;
  }

  /** What `parse` makes of an answer of this node. @throws RpcInvalidAnswerError where it throws MalformedAnswerError */
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

  /**
   * The answers to a batch, or only that to its first call. A batch that brought no answer for each call, in whatever
   * form, is told from a node that is broken by sending its first call alone: when that is answered, the batch was at
   * fault, and the next ones are smaller.
   */
  async #answers(batch: readonly JsonRpcCall[], asking: Asking): Promise<readonly JsonRpcAnswer[]> {
    // a question for the chain id, say, shows nothing about batches
    const doubtedCalls = batch.length > 1 ? this.#doubtedCalls : null;
    if (doubtedCalls !== null) this.#doubtedCalls = null;
    const together = doubtedCalls === null ? await this.#together(batch, asking) : null;
    if (together !== null && !this.#mayBeRefused(together)) return await this.#whole(together, batch, asking);
    const alone = await this.#send(batch.slice(0, 1), asking);
    if (together !== null && !alone[0]?.ok) return together;
    this.#batch.refused(doubtedCalls ?? batch.length);
    return alone;
  }

  /** The answers to a batch, or to the first of its calls, where a node takes no more than these of it. */
  async #whole(
    answers: readonly JsonRpcAnswer[],
    batch: readonly JsonRpcCall[],
    asking: Asking,
  ): Promise<readonly JsonRpcAnswer[]> {
    const failures = answers.map((answer) => (answer.ok ? null : answer.failure.code));
    const code = failures.at(-1) ?? null;
    const cut = failures.findLastIndex((each) => each !== code) + 1;
    if (failures.some((each) => each !== null && isRateLimit(each))) {
      if (batch.length > 1 && this.#rateLimitedInARow > 0) this.#doubtedCalls = batch.length;
    } else if (code === null || batch.length - cut < 2) this.#batch.answered(batch.length);
    else {
      const alone = await this.#send(batch.slice(cut, cut + 1), asking);
      if (!alone[0]?.ok) return answers;
      this.#batch.refused(batch.length);
      return [...answers.slice(0, cut), ...alone];
    }
    return answers;
  }

  /** Null when the batch as a whole may have been refused. */
  async #together(batch: readonly JsonRpcCall[], asking: Asking): Promise<readonly JsonRpcAnswer[] | null> {
    try {
      return await this.#send(batch, asking);
    } catch (thrown) {
      if (!(thrown instanceof RpcError) || batch.length === 1) throw thrown;
      switch (thrown.kind) {
        case 'timeout':
          // asking again at once would take as long again; over a range of blocks, the range is halved first
          if (!batch.some(spansBlocks)) this.#doubtedCalls = batch.length;
          throw thrown;
        case 'rateLimited':
          // a node that counts each call of a batch may never let this one through
          if (this.#rateLimitedInARow > 0) this.#doubtedCalls = batch.length;
          throw thrown;
        case 'tooManyResults':
          // the range of blocks is halved
          throw thrown;
        case 'invalidAnswer':
        case 'refused':
        case 'unavailable':
          return null;
      }
    }
  }

  /** Each of several calls got the same error: it may be about the batch. */
  #mayBeRefused(answers: readonly JsonRpcAnswer[]): boolean {
    const [first] = answers;
    if (!first || first.ok || answers.length === 1) return false;
    const { code } = first.failure;
    if (isRateLimit(code) && this.#rateLimitedInARow === 0) return false;
    return answers.every((answer) => !answer.ok && answer.failure.code === code);
  }

  async #send(batch: readonly JsonRpcCall[], { signal, onRequest }: Asking): Promise<readonly JsonRpcAnswer[]> {
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

  #pauseFor(error: RpcRateLimitedError): number {
    const backoffMs = RATE_LIMITED_PAUSE_MS * 2 ** Math.min(this.#rateLimitedInARow++, 6);
    const pauseMs = Math.min(MAX_RATE_LIMITED_PAUSE_MS, error.retryAfterMs ?? backoffMs);
    this.#rateLimit.pause(pauseMs);
    return pauseMs;
  }
}
