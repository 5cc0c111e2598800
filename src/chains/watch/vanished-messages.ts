import type { Hex } from '../../core/hex.js';
import type { Logger } from '../../core/logger.js';
import type { SilenceCheck } from '../logs/silent-blocks.js';
import type { RpcNode } from '../rpc/rpc-node.js';

/** A stored message that was not found again. */
export interface GoneMessage {
  readonly messageId: Hex;
  readonly blockNumber: number;
  readonly blockHash: Hex;
}

/**
 * For messages that were not found although their blocks are still on the chain: their blocks are asked about once
 * more, elsewhere if possible. A message that turns up was left out, and nothing of the node's answer is used. One
 * that does not was never there for these OnRamps and goes.
 */
export function createVanishedCheck({
  chain,
  askSilent,
  log,
}: {
  readonly chain: string;
  readonly askSilent: SilenceCheck;
  readonly log: Logger;
}) {
  /** @throws RpcInvalidAnswerError of `node` when it left one of the messages out. */
  return async (node: RpcNode, gone: readonly GoneMessage[], signal: AbortSignal): Promise<void> => {
    if (gone.length === 0) return;
    const blocks = new Map(gone.map(({ blockNumber, blockHash }) => [blockHash, blockNumber]));
    const found = await askSilent(
      node,
      [...blocks].map(([hash, number]) => ({ hash, number })),
      signal,
    );
    const ids = new Set<Hex | undefined>(found.map(({ topics }) => topics[3]));
    const leftOut = gone.find(({ messageId }) => ids.has(messageId));
    if (leftOut) throw node.invalid(`a log of block ${leftOut.blockNumber} was left out that was there before`);
    const messageIds = gone.map(({ messageId }) => messageId);
    log.warn({ chain, messageIds }, 'stored messages are not in their blocks, though the blocks are on the chain');
  };
}

/** See `createVanishedCheck`. */
export type VanishedCheck = ReturnType<typeof createVanishedCheck>;

/** Those of `gone` whose block `node` still has at its height. */
export async function inUnchangedBlocks(node: RpcNode, gone: readonly GoneMessage[]): Promise<readonly GoneMessage[]> {
  if (gone.length === 0) return [];
  const headers = await node.headers(gone.map(({ blockNumber }) => blockNumber));
  return gone.filter(({ blockNumber, blockHash }, index) => {
    const header = headers[index];
    if (!header) throw node.missing(blockNumber);
    return header.hash === blockHash;
  });
}
