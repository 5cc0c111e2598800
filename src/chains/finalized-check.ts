import type { Hex } from '../core/hex.js';
import { FinalizedReorgError } from './chain-errors.js';
import type { RpcClient } from './rpc-client.js';
import { RpcError } from './rpc-errors.js';
import type { RpcNode } from './rpc-node.js';

/**
 * Called when `node` has another hash at a height that was final. Another node that still has the old hash makes it the
 * node's fault; another that has not makes it the chain's. When no other can tell, the same node is asked once more.
 * @throws FinalizedReorgError when the change is confirmed, RpcInvalidAnswerError (of `node`) when it is not.
 */
export async function confirmFinalizedReorg({
  chain,
  rpc,
  node,
  blockNumber,
  expectedHash,
  actualHash,
  signal,
}: {
  readonly chain: string;
  readonly rpc: RpcClient;
  readonly node: RpcNode;
  readonly blockNumber: number;
  readonly expectedHash: Hex;
  readonly actualHash: Hex;
  readonly signal: AbortSignal;
}): Promise<never> {
  const urls = [node.index];
  for (const other of rpc.others(node, signal)) {
    const hash = await hashAt(other, blockNumber);
    if (hash === expectedHash)
      throw node.invalid(`finalized block ${blockNumber} is ${actualHash}, another node has ${expectedHash}`);
    if (hash !== null) urls.push(other.index);
  }
  if (urls.length === 1) {
    const [again] = await node.headers([blockNumber]);
    if (again?.hash !== actualHash) throw node.invalid(`finalized block ${blockNumber} differs from answer to answer`);
  }
  throw new FinalizedReorgError({ chain, blockNumber, expectedHash, actualHash, urls });
}

/** Null when the node cannot tell. */
async function hashAt(node: RpcNode, blockNumber: number): Promise<Hex | null> {
  try {
    const [header] = await node.headers([blockNumber]);
    return header?.hash ?? null;
  } catch (thrown) {
    if (thrown instanceof RpcError) return null;
    throw thrown;
  }
}
