import { MESSAGE_SENT_TOPIC } from '../../../chains/logs/message-sent-event.js';
import type { RawLog } from '../../../chains/rpc/raw-log.js';
import type { RpcNode } from '../../../chains/rpc/rpc-node.js';
import { onRampsOf } from '../../../config/checks/chain-identity.js';
import type { ChainSection } from '../../../config/schema/schema.js';
import type { Common } from '../../../core/common.js';
import type { Hex } from '../../../core/hex.js';
import type { MessageOrigin } from '../../../model/records.js';
import { openRpc } from '../../open-rpc.js';
import { finalBlockOf } from '../final-block.js';

/** The place of the message's log on its source chain, as one node has it now. */
export interface LogPlace {
  readonly blockNumber: number;
  readonly blockHash: Hex;
  readonly logIndex: number;
  readonly transactionHash: Hex;
  /** Null: the node cannot tell. */
  readonly isFinal: boolean | null;
}

/** What one node knows of a message. */
export interface NodeAnswer {
  readonly head: number;
  /** The last final block; null: the node cannot tell. */
  readonly final: number | null;
  /** Null: it has no such log where it was looked for. */
  readonly log: LogPlace | null;
  /** The blocks in which it was looked for. */
  readonly looked: { readonly from: number; readonly to: number };
}

/** Blocks around the place where the message was found: a reorg moves it by less. */
const AROUND = 200;

/**
 * Asks one node where the log of a message is now. Where its block is not known, the newest blocks are looked at, as
 * many as a worker reads at once.
 * @throws RpcError, AbortedError
 */
export async function askNode(
  chain: ChainSection,
  url: number,
  message: { readonly messageId: Hex; readonly origin: MessageOrigin | null },
  { common, signal }: { readonly common: Common; readonly signal: AbortSignal },
): Promise<NodeAnswer> {
  const rpc = openRpc({ ...chain, RpcUrls: chain.RpcUrls.slice(url, url + 1) }, common);
  try {
    return await rpc.withNode(async (node) => {
      const heads = await node.heads([]);
      const looked = rangeOf(chain, heads.latest.number, message.origin);
      const log = looked.from > looked.to ? undefined : await findLog(chain, node, message.messageId, looked);
      const final = finalBlockOf(chain, heads);
      return { head: heads.latest.number, final, looked, log: log ? placeOf(log, final) : null };
    }, signal);
  } finally {
    await rpc.close();
  }
}

function rangeOf({ MaxBlockRange }: ChainSection, head: number, origin: MessageOrigin | null) {
  if (origin === null) return { from: Math.max(0, head - MaxBlockRange + 1), to: head };
  const block = Number(origin.blockNumber);
  const around = Math.min(AROUND, Math.floor((MaxBlockRange - 1) / 2));
  return { from: Math.max(0, block - around), to: Math.min(head, block + around) };
}

async function findLog(
  chain: ChainSection,
  node: RpcNode,
  messageId: Hex,
  blocks: NodeAnswer['looked'],
): Promise<RawLog | undefined> {
  const address = onRampsOf(chain).map((onRamp) => onRamp.address);
  const logs = await node.logs({ address, topic0: MESSAGE_SENT_TOPIC, blocks });
  return logs.find(({ topics }) => topics[3] === messageId);
}

function placeOf({ blockNumber, blockHash, logIndex, transactionHash }: RawLog, final: number | null): LogPlace {
  return { blockNumber, blockHash, logIndex, transactionHash, isFinal: final === null ? null : blockNumber <= final };
}
