import type { Transport } from 'viem';
import type { Common } from '../../core/common.js';
import { AbortedError, IndexerError, InvalidArgumentError } from '../../core/errors.js';
import { ChainUnknownError } from '../chain-errors.js';
import { ChainIdentity } from './chain-identity.js';
import { createEndpointOrder, type EndpointOrder, type RpcUrlStatus } from './endpoint-order.js';
import { createHeadChecks, type HeadChecks } from './head-checks.js';
import type { JsonRpcCall } from './json-rpc-transport.js';
import { type NewHeads, subscribeNewHeads } from './new-heads.js';
import { RpcEndpoint } from './rpc-endpoint.js';
import { RpcError, RpcRefusedError, RpcTooManyResultsError, RpcUnavailableError } from './rpc-errors.js';
import { createRpcMetrics } from './rpc-metrics.js';
import { createRpcNode, type RpcNode } from './rpc-node.js';
import { viemTransport } from './viem-transport.js';

/** How to reach a chain. */
export interface RpcPoolOptions {
  /** For logs, errors and metrics, from the configuration. */
  readonly chainName: string;
  /** `http(s)` or `ws(s)`, the preferred one first. */
  readonly urls: readonly string[];
  /** Per URL. A batch of calls is one request. Absent: no limit. */
  readonly requestsPerSecond?: number;
  /** For one request, until the last byte. Default 10 s. */
  readonly timeoutMs?: number;
  /** Default 16 MiB. A larger answer to a range of blocks is asked for in halves. */
  readonly maxResponseBytes?: number;
  /** Most calls in one request. Default 50. */
  readonly maxBatchCalls?: number;
  /** For how long a node that failed is passed over. Default 30 s. */
  readonly cooldownMs?: number;
  /** How far behind the best node another may be and still be used in its turn, in blocks. Default 10. */
  readonly maxHeadLagBlocks?: number;
  /** How often the heads of all nodes are compared, when there are several. Default 5 s. */
  readonly headCheckMs?: number;
  /**
   * The EIP-155 chain id that every node must have. Absent: all URLs must answer and agree before anything is asked.
   */
  readonly chainId?: number;
  /** After that long a node is asked for its chain id anew; it also is when a connection was made. Default 10 s. */
  readonly chainRecheckMs?: number;
  readonly common: Common;
}

/** The nodes of one chain, as one. */
export interface RpcPool {
  readonly urlCount: number;
  /** The EIP-155 chain id that every node must have; null until it is known. */
  readonly chainId: number | null;
  /**
   * Runs `operation` against the most preferred node that is healthy, and again against the next one each time it fails
   * with an `RpcError`. `RpcTooManyResultsError` is not passed on to another node: the question is at fault.
   * A node that failed is asked last for a while, then in its turn again.
   * Every request is asked of a node of this chain only.
   * @throws RpcError of the last node when all have failed, AbortedError, ChainUnknownError, and every other error of
   * `operation`.
   */
  withNode<T>(operation: (node: RpcNode) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** All nodes of this chain but one, the most preferred first: for a second opinion. */
  others(node: RpcNode, signal: AbortSignal): readonly RpcNode[];
  /** The nodes of this chain that did not fail to answer lately, right or wrong, the most preferred first. */
  reachable(signal: AbortSignal): readonly RpcNode[];
  /**
   * The pool for a viem client: each call goes to the most preferred node of this chain that is healthy, and to the
   * next one when that fails. A revert is an answer. Another refusal is asked of the next node as well, and held
   * against no node.
   */
  readonly transport: Transport;
  /** Passes the node of the error's origin over for a while. */
  blame(error: RpcError): void;
  /** Calls `listener` on new blocks of any `ws(s)` URL. The returned function ends that. */
  onNewHead(listener: () => void): () => void;
  status(): readonly RpcUrlStatus[];
  /** Ends calls that are under way. Idempotent. */
  close(): Promise<void>;
}

/**
 * Creates the pool of one chain's nodes: one order of preference, failover, a limit of requests per second, caps on
 * answers, and no answer of a node of another chain. It connects when first used and remembers no answers. Its
 * `transport` gives a viem client all of that; leave viem's own retries and cache off, as here:
 *
 * ```ts
 * const pool = createRpcPool({
 *   chainName: 'sepolia',
 *   urls: ['https://first.example/key', 'https://second.example/key'],
 *   chainId: 11155111,
 *   requestsPerSecond: 20,
 *   common: createCommon(),
 * });
 * const client = createPublicClient({ chain: sepolia, transport: pool.transport, cacheTime: 0 });
 * const block = await client.getBlockNumber();
 * await pool.close();
 * ```
 *
 * The pool is for reading: a transaction that one node accepted without answering in time is sent to the next one too.
 * @throws InvalidArgumentError without URLs.
 */
export function createRpcPool(options: RpcPoolOptions): RpcPool {
  return new FailoverRpcPool(options);
}

class FailoverRpcPool implements RpcPool {
  readonly #options: RpcPoolOptions;
  readonly #endpoints: readonly RpcEndpoint[];
  readonly #closing = new AbortController();
  readonly #subscriptions = new Set<NewHeads>();
  readonly #identity: ChainIdentity;
  readonly #order: EndpointOrder;
  readonly transport: Transport;
  readonly #headChecks: HeadChecks;

  constructor(options: RpcPoolOptions) {
    if (options.urls.length === 0)
      throw new InvalidArgumentError(`chain ${options.chainName} has no RPC URL: pass at least one`);
    const metrics = createRpcMetrics(options.common.metrics);
    this.#options = options;
    this.transport = viemTransport(`chain ${options.chainName}`, (call, signal) => this.#call(call, signal));
    this.#endpoints = options.urls.map(
      (url, index) =>
        new RpcEndpoint({
          chainName: options.chainName,
          index,
          url,
          requestsPerSecond: options.requestsPerSecond ?? null,
          timeoutMs: options.timeoutMs ?? 10_000,
          maxResponseBytes: options.maxResponseBytes ?? 16 * 1024 * 1024,
          maxBatchCalls: options.maxBatchCalls ?? 50,
          cooldownMs: options.cooldownMs ?? 30_000,
          common: options.common,
          metrics,
          guard: (endpoint, signal, request) => this.#identity.guard(endpoint, signal, request),
        }),
    );
    this.#identity = new ChainIdentity({
      chainName: options.chainName,
      chainId: options.chainId ?? null,
      endpoints: this.#endpoints,
      recheckMs: options.chainRecheckMs ?? 10_000,
      common: options.common,
    });
    this.#order = createEndpointOrder({
      endpoints: this.#endpoints,
      identity: this.#identity,
      maxLagBlocks: options.maxHeadLagBlocks ?? 10,
      clock: options.common.clock,
    });
    this.#headChecks = createHeadChecks({
      endpoints: this.#endpoints,
      identity: this.#identity,
      everyMs: options.headCheckMs ?? 5_000,
      signal: this.#closing.signal,
      common: options.common,
    });
  }

  get urlCount(): number {
    return this.#endpoints.length;
  }

  get chainId(): number | null {
    return this.#identity.chainId;
  }

  withNode<T>(operation: (node: RpcNode) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#ask(operation, signal, () => true);
  }

  /** `isAtFault`: whether the error counts against its node. */
  async #ask<T>(
    operation: (node: RpcNode) => Promise<T>,
    signal: AbortSignal,
    isAtFault: (error: RpcError) => boolean,
  ): Promise<T> {
    this.#headChecks.beginWhenDue();
    let last: RpcError | undefined;
    for (const endpoint of this.#order.ranked()) {
      try {
        const coolUntilMs = endpoint.coolUntilMs;
        const result = await this.#conclude(endpoint, operation, signal);
        // an operation that came to an end may still have found fault with its node
        if (endpoint.coolUntilMs === coolUntilMs) endpoint.recover();
        return result;
      } catch (thrown) {
        if (!(thrown instanceof RpcError) || thrown instanceof RpcTooManyResultsError) throw thrown;
        // the error may be about another node, which gave a second opinion
        if (isAtFault(thrown)) (this.#endpoints[thrown.origin.url] ?? endpoint).cool(thrown);
        last = thrown;
      }
    }
    throw last ?? new RpcUnavailableError({ chain: this.#options.chainName, url: 0 }, 'there is no node to ask');
  }

  /** One call for a viem client. */
  async #call(call: JsonRpcCall, signal: AbortSignal = this.#closing.signal): Promise<unknown> {
    const answered = await this.#ask(
      async (node) => {
        try {
          return { result: await node.call(call) };
        } catch (thrown) {
          if (thrown instanceof RpcRefusedError && thrown.isRevert) return { revert: thrown };
          throw thrown;
        }
      },
      AbortSignal.any([signal, this.#closing.signal]),
      (error) => !(error instanceof RpcRefusedError),
    );
    if (answered.revert) throw answered.revert;
    return answered.result;
  }

  others(node: RpcNode, signal: AbortSignal): readonly RpcNode[] {
    return this.#order
      .ranked()
      .filter((endpoint) => endpoint.index !== node.index && !this.#identity.isForeign(endpoint))
      .map((endpoint) => createRpcNode(endpoint, signal));
  }

  reachable(signal: AbortSignal): readonly RpcNode[] {
    this.#headChecks.beginWhenDue();
    return this.#order
      .ranked()
      .filter((endpoint) => !this.#order.isAway(endpoint) && !this.#identity.isForeign(endpoint))
      .map((endpoint) => createRpcNode(endpoint, signal));
  }

  blame(error: RpcError): void {
    this.#endpoints[error.origin.url]?.cool(error);
  }

  onNewHead(listener: () => void): () => void {
    const { chainName, urls } = this.#options;
    const mine = this.#endpoints.flatMap((endpoint) => {
      const url = urls[endpoint.index] ?? '';
      if (!/^wss?:/i.test(url)) return [];
      // another chain has no say in how often this one is looked at
      const onHead = () => this.#identity.isForeign(endpoint) || listener();
      return [
        subscribeNewHeads({
          url,
          origin: { chain: chainName, url: endpoint.index },
          onHead,
          common: this.#options.common,
        }),
      ];
    });
    for (const subscription of mine) this.#subscriptions.add(subscription);
    return () => {
      for (const subscription of mine) {
        subscription.close();
        this.#subscriptions.delete(subscription);
      }
    };
  }

  status(): readonly RpcUrlStatus[] {
    return this.#order.status();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const subscription of this.#subscriptions) subscription.close();
    this.#subscriptions.clear();
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.close()));
    await this.#headChecks.ended();
  }

  /** A finding of an operation about the chain (that it moved, say) counts only if its node is still of that chain. */
  async #conclude<T>(endpoint: RpcEndpoint, operation: (node: RpcNode) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await operation(createRpcNode(endpoint, signal));
    } catch (thrown) {
      if (isConclusion(thrown)) await this.#identity.check(endpoint, signal);
      throw thrown;
    }
  }
}

/** True for a finding about the chain, and not about the way to it. */
function isConclusion(error: unknown): boolean {
  const isOfTheWay = [RpcError, AbortedError, ChainUnknownError].some((kind) => error instanceof kind);
  return error instanceof IndexerError && !isOfTheWay;
}
