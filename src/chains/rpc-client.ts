import type { Common } from '../core/common.js';
import { AbortedError, InvalidArgumentError, toError } from '../core/errors.js';
import { type NewHeads, subscribeNewHeads } from './new-heads.js';
import { parseQuantity } from './quantity.js';
import { RpcEndpoint } from './rpc-endpoint.js';
import { RpcError, RpcInvalidAnswerError, RpcTooManyResultsError, RpcUnavailableError } from './rpc-errors.js';
import { createRpcMetrics } from './rpc-metrics.js';
import { createRpcNode, type RpcNode } from './rpc-node.js';

/** How to reach a chain. */
export interface RpcClientOptions {
  /** For logs, errors and metrics, from the configuration. */
  readonly chainName: string;
  /** `http(s)` or `ws(s)`, the preferred one first. */
  readonly urls: readonly string[];
  /** Per URL. A batch of calls is one request. Absent: no limit. */
  readonly requestsPerSecond?: number;
  /** For one request, until the last byte. Default 10 s. */
  readonly timeoutMs?: number;
  /** Default 64 MiB. A larger answer to a range of blocks is asked for in halves. */
  readonly maxResponseBytes?: number;
  /** Most calls in one request. Default 50. */
  readonly maxBatchCalls?: number;
  /** For how long a node that failed is passed over. Default 30 s. */
  readonly cooldownMs?: number;
  /** How far behind the best node another may be and still be used in its turn, in blocks. Default 10. */
  readonly maxHeadLagBlocks?: number;
  /** How often the heads of all nodes are compared, when there are several. Default 5 s. */
  readonly headCheckMs?: number;
  /** The EIP-155 chain id that every node must have. Default: that of the first node that answers. */
  readonly chainId?: number;
  readonly common: Common;
}

/** One URL in `status`, by its index. */
export interface RpcUrlStatus {
  readonly url: number;
  readonly state: 'ready' | 'cooling' | 'lagging' | 'wrongChain';
  readonly head: number | null;
  /** Why it was last passed over. */
  readonly lastError: string | null;
  /** How often since it last did what was asked. */
  readonly failuresInARow: number;
}

/** The nodes of one chain. */
export interface RpcClient {
  readonly urlCount: number;
  /**
   * Runs `operation` against the most preferred node that is healthy, and again against the next one each time it fails
   * with an `RpcError`. `RpcTooManyResultsError` is not passed on to another node: it is the question that is at fault.
   * A node that failed is asked last for a while, then in its turn again.
   * @throws RpcError of the last node when all have failed, AbortedError, and whatever else `operation` throws.
   */
  withNode<T>(operation: (node: RpcNode) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** All nodes of this chain but one, the most preferred first: for a second opinion. */
  others(node: RpcNode, signal: AbortSignal): readonly RpcNode[];
  /** Passes a node over for a while because what it said was wrong. */
  blame(node: RpcNode, error: RpcError): void;
  /** Calls `listener` on new blocks of any `ws(s)` URL. The returned function ends that. */
  onNewHead(listener: () => void): () => void;
  status(): readonly RpcUrlStatus[];
  /** Ends what is under way. Idempotent. */
  close(): Promise<void>;
}

/**
 * Creates the client of one chain. It connects when first used and remembers no answers.
 * @throws InvalidArgumentError without URLs.
 */
export function createRpcClient(options: RpcClientOptions): RpcClient {
  return new FailoverRpcClient(options);
}

class FailoverRpcClient implements RpcClient {
  readonly #options: RpcClientOptions;
  readonly #common: Common;
  readonly #endpoints: readonly RpcEndpoint[];
  readonly #closing = new AbortController();
  readonly #subscriptions = new Set<NewHeads>();
  #chainId: number | null;
  #nextHeadCheckMs = Number.NEGATIVE_INFINITY;
  #headCheck: Promise<void> = Promise.resolve();

  constructor(options: RpcClientOptions) {
    if (options.urls.length === 0)
      throw new InvalidArgumentError(`chain ${options.chainName} has no RPC URL: pass at least one`);
    const metrics = createRpcMetrics(options.common.metrics);
    this.#options = options;
    this.#common = options.common;
    this.#chainId = options.chainId ?? null;
    this.#endpoints = options.urls.map(
      (url, index) =>
        new RpcEndpoint({
          chainName: options.chainName,
          index,
          url,
          requestsPerSecond: options.requestsPerSecond ?? null,
          timeoutMs: options.timeoutMs ?? 10_000,
          maxResponseBytes: options.maxResponseBytes ?? 64 * 1024 * 1024,
          maxBatchCalls: options.maxBatchCalls ?? 50,
          cooldownMs: options.cooldownMs ?? 30_000,
          common: options.common,
          metrics,
        }),
    );
  }

  get urlCount(): number {
    return this.#endpoints.length;
  }

  async withNode<T>(operation: (node: RpcNode) => Promise<T>, signal: AbortSignal): Promise<T> {
    this.#checkHeadsWhenDue();
    let last: RpcError | undefined;
    for (const endpoint of this.#ranked()) {
      try {
        await this.#admit(endpoint, signal);
        const coolUntilMs = endpoint.coolUntilMs;
        const result = await operation(createRpcNode(endpoint, signal));
        // an operation that came to an end may still have found fault with its node
        if (endpoint.coolUntilMs === coolUntilMs) endpoint.recover();
        return result;
      } catch (thrown) {
        if (!(thrown instanceof RpcError) || thrown instanceof RpcTooManyResultsError) throw thrown;
        // the error may be about another node, which gave a second opinion
        (this.#endpoints[thrown.origin.url] ?? endpoint).cool(thrown);
        last = thrown;
      }
    }
    throw last ?? new RpcUnavailableError({ chain: this.#options.chainName, url: 0 }, 'there is no node to ask');
  }

  others(node: RpcNode, signal: AbortSignal): readonly RpcNode[] {
    return this.#ranked()
      .filter((endpoint) => endpoint.index !== node.index && this.#stateOf(endpoint) !== 'wrongChain')
      .map((endpoint) => createRpcNode(endpoint, signal));
  }

  blame(node: RpcNode, error: RpcError): void {
    this.#endpoints[node.index]?.cool(error);
  }

  onNewHead(listener: () => void): () => void {
    const { chainName, urls } = this.#options;
    const mine = urls.flatMap((url, index) =>
      /^wss?:/i.test(url)
        ? [
            subscribeNewHeads({
              url,
              origin: { chain: chainName, url: index },
              onHead: listener,
              common: this.#common,
            }),
          ]
        : [],
    );
    for (const subscription of mine) this.#subscriptions.add(subscription);
    return () => {
      for (const subscription of mine) {
        subscription.close();
        this.#subscriptions.delete(subscription);
      }
    };
  }

  status(): readonly RpcUrlStatus[] {
    return this.#endpoints.map((endpoint) => ({
      url: endpoint.index,
      state: this.#stateOf(endpoint),
      head: endpoint.head,
      lastError: endpoint.lastError?.message ?? null,
      failuresInARow: endpoint.failuresInARow,
    }));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const subscription of this.#subscriptions) subscription.close();
    this.#subscriptions.clear();
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.close()));
    await this.#headCheck;
  }

  #stateOf(endpoint: RpcEndpoint): RpcUrlStatus['state'] {
    if (this.#isForeign(endpoint.chainId)) return 'wrongChain';
    if (endpoint.coolUntilMs > this.#common.clock.monotonicMs()) return 'cooling';
    const best = Math.max(...this.#endpoints.map(({ head, chainId }) => (this.#isForeign(chainId) ? 0 : (head ?? 0))));
    const lagBlocks = endpoint.head === null ? 0 : best - endpoint.head;
    return lagBlocks > (this.#options.maxHeadLagBlocks ?? 10) ? 'lagging' : 'ready';
  }

  #isForeign(chainId: number | null): boolean {
    return chainId !== null && this.#chainId !== null && chainId !== this.#chainId;
  }

  /** In the order in which to ask: ready, lagging, cooling (the first to be done first), of another chain. */
  #ranked(): readonly RpcEndpoint[] {
    const rank = { ready: 0, lagging: 1, cooling: 2, wrongChain: 3 } as const;
    const states = new Map(this.#endpoints.map((endpoint) => [endpoint, this.#stateOf(endpoint)]));
    const rankOf = (endpoint: RpcEndpoint) => rank[states.get(endpoint) ?? 'ready'];
    for (const [endpoint, state] of states) endpoint.noteHealth(state === 'ready');
    return [...this.#endpoints].sort(
      (a, b) =>
        rankOf(a) - rankOf(b) || (rankOf(a) === rank.cooling ? a.coolUntilMs - b.coolUntilMs : 0) || a.index - b.index,
    );
  }

  /** A node must be of the right chain before anything else is asked of it; one that was not is asked anew each time. */
  async #admit(endpoint: RpcEndpoint, signal: AbortSignal): Promise<void> {
    if (endpoint.chainId !== null && endpoint.chainId === this.#chainId) return;
    const [result] = await endpoint.request([{ method: 'eth_chainId', params: [] }], signal);
    if (result instanceof RpcError) throw result;
    endpoint.noteChainId(this.#quantity(endpoint, result));
    this.#chainId ??= endpoint.chainId;
    if (endpoint.chainId !== this.#chainId)
      throw new RpcUnavailableError(endpoint.origin, `the node is of chain ${endpoint.chainId}, not ${this.#chainId}`, {
        details: { chainId: endpoint.chainId, expectedChainId: this.#chainId },
      });
  }

  #checkHeadsWhenDue(): void {
    const nowMs = this.#common.clock.monotonicMs();
    if (this.#endpoints.length < 2 || nowMs < this.#nextHeadCheckMs) return;
    this.#nextHeadCheckMs = nowMs + (this.#options.headCheckMs ?? 5_000);
    const before = this.#headCheck;
    this.#headCheck = Promise.all([before, ...this.#endpoints.map((endpoint) => this.#checkHead(endpoint))]).then(
      () => undefined,
    );
  }

  async #checkHead(endpoint: RpcEndpoint): Promise<void> {
    try {
      const calls = ['eth_chainId', 'eth_blockNumber'].map((method) => ({ method, params: [] }));
      const [chainId, head] = await endpoint.request(calls, this.#closing.signal);
      for (const result of [chainId, head]) if (result instanceof RpcError) throw result;
      endpoint.noteChainId(this.#quantity(endpoint, chainId));
      endpoint.noteHead(this.#quantity(endpoint, head));
    } catch (thrown) {
      if (thrown instanceof AbortedError) return;
      // a node that cannot even tell its head is not asked first
      if (thrown instanceof RpcError) endpoint.cool(thrown);
      else this.#common.log.error({ err: toError(thrown) }, 'the check of an RPC head failed');
    }
  }

  #quantity(endpoint: RpcEndpoint, result: unknown): number {
    try {
      return parseQuantity(result, 'the answer');
    } catch (cause) {
      throw new RpcInvalidAnswerError(endpoint.origin, toError(cause).message, { cause });
    }
  }
}
