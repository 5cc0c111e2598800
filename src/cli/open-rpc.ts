import { createRpcClient, type RpcClient } from '../chains/rpc-client.js';
import type { ChainSection } from '../config/schema.js';
import type { Common } from '../core/common.js';

/** The nodes of a chain as configured. */
export function openRpc(section: ChainSection, common: Common): RpcClient {
  return createRpcClient({
    chainName: section.Name,
    urls: section.RpcUrls,
    requestsPerSecond: section.RequestsPerSecond,
    timeoutMs: section.RequestTimeout,
    common,
  });
}
