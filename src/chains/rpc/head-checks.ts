import type { Common } from '../../core/common.js';
import { AbortedError, toError } from '../../core/errors.js';
import type { ChainIdentity } from './chain-identity.js';
import { noteHead } from './head-proof.js';
import type { RpcEndpoint } from './rpc-endpoint.js';
import { RpcError, RpcWrongChainError } from './rpc-errors.js';

/** Compares the heads of all endpoints of a chain, beside their other requests. */
export interface HeadChecks {
  /** Begins a check of each endpoint, when the last one is long enough ago. */
  beginWhenDue(): void;
  /** Resolves when no check is under way. */
  ended(): Promise<void>;
}

/** `signal` ends the checks that are under way. */
export function createHeadChecks(options: {
  readonly endpoints: readonly RpcEndpoint[];
  readonly identity: ChainIdentity;
  readonly everyMs: number;
  readonly signal: AbortSignal;
  readonly common: Common;
}): HeadChecks {
  const { endpoints, identity, everyMs, signal, common } = options;
  let nextMs = Number.NEGATIVE_INFINITY;
  let underWay: Promise<void> = Promise.resolve();

  async function check(endpoint: RpcEndpoint): Promise<void> {
    const wasForeign = identity.isForeign(endpoint);
    try {
      // one request for both: beneath the pool there is no viem client
      const calls = ['eth_chainId', 'eth_blockNumber'].map((method) => ({ method, params: [] }));
      const [chainId, head] = await endpoint.requestUnguarded(calls, signal);
      identity.note(endpoint, chainId);
      if (head instanceof RpcError) throw head;
      await noteHead(endpoint, head, signal);
    } catch (thrown) {
      if (thrown instanceof AbortedError) return;
      // that it still is of another chain is no news
      if (wasForeign && thrown instanceof RpcWrongChainError) return;
      // a node that cannot even tell its head is not asked first
      if (thrown instanceof RpcError) endpoint.cool(thrown);
      else common.log.error({ err: toError(thrown) }, 'the check of an RPC head failed');
    }
  }

  return {
    beginWhenDue() {
      const nowMs = common.clock.monotonicMs();
      if (endpoints.length < 2 || nowMs < nextMs) return;
      nextMs = nowMs + everyMs;
      underWay = Promise.all([underWay, ...endpoints.map(check)]).then(() => undefined);
    },
    ended: () => underWay,
  };
}
