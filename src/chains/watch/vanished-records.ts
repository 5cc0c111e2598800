import type { Hex } from '../../core/hex.js';
import type { Logger } from '../../core/logger.js';
import { MESSAGE_SENT_TOPIC } from '../logs/message-sent-event.js';
import type { SilenceCheck } from '../logs/silent-blocks.js';
import type { RawLog } from '../rpc/raw-log.js';
import type { RpcNode } from '../rpc/rpc-node.js';

/** A stored message or execution that was not found again. */
export interface GoneRecord {
  readonly messageId: Hex;
  readonly blockNumber: number;
  readonly blockHash: Hex;
  /** Of an execution; null for a message, which may have another log in the same block. */
  readonly logIndex: number | null;
}

/**
 * For records that were not found although their blocks are still on the chain: their blocks are asked about once
 * more, elsewhere if possible. A record that turns up was left out, and nothing of the node's answer is used. One
 * that does not was never there for these OnRamps and OffRamps and goes.
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
  /** @throws RpcInvalidAnswerError of `node` when it left one of the records out. */
  return async (node: RpcNode, gone: readonly GoneRecord[], signal: AbortSignal): Promise<void> => {
    if (gone.length === 0) return;
    const blocks = new Map(gone.map(({ blockNumber, blockHash }) => [blockHash, blockNumber]));
    const found = await askSilent(
      node,
      [...blocks].map(([hash, number]) => ({ hash, number })),
      signal,
    );
    const leftOut = gone.find((record) => found.some((raw) => isLogOf(raw, record)));
    if (leftOut) throw node.invalid(`a log of block ${leftOut.blockNumber} was left out that was there before`);
    const messageIds = gone.map(({ messageId }) => messageId);
    log.warn({ chain, messageIds }, 'stored records are not in their blocks, though the blocks are on the chain');
  };
}

/** See `createVanishedCheck`. */
export type VanishedCheck = ReturnType<typeof createVanishedCheck>;

/** Both events have the message id as their last topic. */
function isLogOf(raw: RawLog, { messageId, blockHash, logIndex }: GoneRecord): boolean {
  if (raw.topics[3] !== messageId) return false;
  if (logIndex !== null) return raw.blockHash === blockHash && raw.logIndex === logIndex;
  return raw.topics[0] === MESSAGE_SENT_TOPIC;
}

/** Those of `gone` whose block `node` still has at its height. */
export async function inUnchangedBlocks(node: RpcNode, gone: readonly GoneRecord[]): Promise<readonly GoneRecord[]> {
  if (gone.length === 0) return [];
  const headers = await node.headers(gone.map(({ blockNumber }) => blockNumber));
  return gone.filter(({ blockNumber, blockHash }, index) => {
    const header = headers[index];
    if (!header) throw node.missing(blockNumber);
    return header.hash === blockHash;
  });
}
