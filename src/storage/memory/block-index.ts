import type { StoredMessage } from '../../model/records.js';
import { SortedList } from './sorted-list.js';

interface BlockKey {
  readonly blockNumber: bigint;
  readonly logIndex: number;
  readonly messageId: string;
}

/** Messages by where they were found: per source chain, by block number, log index and id. */
export class BlockIndex {
  readonly #chains = new Map<bigint, SortedList<StoredMessage, BlockKey>>();

  /** A message without an origin is passed over. */
  add(message: StoredMessage, sourceChainSelector: bigint): void {
    if (!message.origin) return;
    let list = this.#chains.get(sourceChainSelector);
    if (!list) {
      list = new SortedList(compareBlock, keyOf);
      this.#chains.set(sourceChainSelector, list);
    }
    list.add(message);
  }

  delete(message: StoredMessage, sourceChainSelector: bigint): void {
    if (message.origin) this.#chains.get(sourceChainSelector)?.delete(message);
  }

  above(sourceChainSelector: bigint, afterBlock: bigint): readonly StoredMessage[] {
    const list = this.#chains.get(sourceChainSelector);
    if (!list) return [];
    const from = list.lowerBound({ blockNumber: afterBlock + 1n, logIndex: -1, messageId: '' });
    return list.slice(from, list.length);
  }
}

function keyOf(message: StoredMessage): BlockKey {
  return {
    blockNumber: message.origin?.blockNumber ?? -1n,
    logIndex: message.origin?.logIndex ?? -1,
    messageId: message.messageId,
  };
}

function compareBlock(message: StoredMessage, key: BlockKey): number {
  const { origin, messageId } = message;
  if (origin && origin.blockNumber !== key.blockNumber) return origin.blockNumber < key.blockNumber ? -1 : 1;
  if (origin && origin.logIndex !== key.logIndex) return origin.logIndex - key.logIndex;
  return messageId === key.messageId ? 0 : messageId < key.messageId ? -1 : 1;
}
