import { createRpcPool, type RpcPool } from '../chains/rpc/rpc-pool.js';
import type { WatchedChain } from '../chains/watch/watched-chain.js';
import { chainIdOf, offRampsOf, onRampsOf } from '../config/checks/chain-identity.js';
import type { ChainSection } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import type { Shutdown } from '../core/shutdown.js';

/** The nodes of a chain as configured. */
export function openRpc(section: ChainSection, common: Common): RpcPool {
  const chainId = chainIdOf(section);
  return createRpcPool({
    chainName: section.Name,
    urls: section.RpcUrls,
    requestsPerSecond: section.RequestsPerSecond,
    timeoutMs: section.RequestTimeout,
    maxBatchCalls: section.MaxBatchCalls,
    maxResponseBytes: section.MaxResponseBytes,
    ...(chainId === null ? {} : { chainId }),
    common,
  });
}

/** The nodes of chains as configured, each chain's opened once, when it is first asked for. */
export function openRpcPools(common: Common, shutdown: Shutdown): (section: ChainSection) => RpcPool {
  const pools = new Map<string, RpcPool>();
  return (section) => {
    const { Name: name } = section;
    const rpc = pools.get(name) ?? openRpc(section, common);
    if (!pools.has(name)) shutdown.add(`rpc ${name}`, () => rpc.close());
    pools.set(name, rpc);
    return rpc;
  };
}

/** A chain as configured, for those that read it. */
export function watchedChain(section: ChainSection): WatchedChain {
  return {
    name: section.Name,
    selector: section.Selector,
    onRamps: onRampsOf(section),
    offRamps: offRampsOf(section),
    confirmations: section.Confirmations,
    minFinalityDepth: section.MinFinalityDepth,
    haltAfterMs: section.HaltAfter,
    pollIntervalMs: section.PollInterval,
    maxBlockRange: section.MaxBlockRange,
    crossCheck: section.CrossCheck,
  };
}
