import { numberToHex } from 'viem';
import { parseBlockHeader } from './block-header.js';
import { MAX_BLOCK, parseQuantity } from './quantity.js';
import type { RpcEndpoint } from './rpc-endpoint.js';
import { RpcError, RpcInvalidAnswerError } from './rpc-errors.js';

/** A head is believed without proof when it is at most that far above the one that the node told of before. */
const LEAP_BLOCKS = 128;

/**
 * Takes down the head that a node tells of. One that leaps ahead is proved first: the node must have a block just below
 * it. So a head that is not there, told once, is an invalid answer of this node, and is neither kept nor held against
 * the others. Costs one request at the start and after a long pause.
 * @throws RpcError, AbortedError
 */
export async function noteHead(endpoint: RpcEndpoint, head: unknown, signal: AbortSignal): Promise<void> {
  const block = endpoint.parsed(() => parseQuantity(head, 'number of the latest block', MAX_BLOCK));
  const below = block - LEAP_BLOCKS;
  if (below > (endpoint.head ?? 0)) {
    const call = { method: 'eth_getBlockByNumber', params: [numberToHex(below), false] };
    const [result] = await endpoint.request([call], signal);
    if (result instanceof RpcError) throw result;
    const header = endpoint.parsed(() => parseBlockHeader(result));
    if (header?.number !== below)
      throw new RpcInvalidAnswerError(
        endpoint.origin,
        `the latest block is said to be ${block}, but block ${below} is not there`,
      );
  }
  endpoint.noteHead(block);
}
