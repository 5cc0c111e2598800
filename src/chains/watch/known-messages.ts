import type { Hex } from '../../core/hex.js';
import type { ChainProgress, UnfinalizedMessage } from '../chain-port.js';
import type { ChainMessage } from '../logs/message-sent-log.js';
import type { HeaderChain } from './header-chain.js';
import type { GoneMessage } from './vanished-messages.js';

interface Place {
  readonly blockNumber: number;
  readonly blockHash: Hex;
}

/** Blocks from the first to the last. */
export interface BlockRange {
  readonly from: number;
  readonly to: number;
}

/** What has to be stored so that the store agrees with the chain. */
export interface MessageChanges {
  readonly messages: readonly ChainMessage[];
  /** In the store, not found again where they were. */
  readonly gone: readonly GoneMessage[];
}

/** The messages above the anchor as the store has them, so that each read is stored as the difference to it. */
export class KnownMessages {
  #places = new Map<Hex, Place>();
  /** Not found where they are stored, though they may have moved to blocks that are not read yet. */
  readonly #missing = new Map<Hex, GoneMessage>();

  /**
   * Takes the store's word for what is stored above block `above`.
   * @returns the lowest block of a message that was taken to be stored there and is not; null when there is none.
   */
  load(messages: readonly UnfinalizedMessage[], above: number): number | null {
    const before = this.#places;
    this.#places = new Map(
      messages.map(({ messageId, blockNumber, blockHash }) => [
        messageId,
        { blockNumber: Number(blockNumber), blockHash },
      ]),
    );
    let lowest: number | null = null;
    for (const [messageId, { blockNumber, blockHash }] of before)
      if (blockNumber > above && this.#places.get(messageId)?.blockHash !== blockHash)
        lowest = Math.min(lowest ?? blockNumber, blockNumber);
    return lowest;
  }

  /** The highest block that a stored message is from; -1 without one. */
  get highestBlock(): number {
    let highest = -1;
    for (const { blockNumber } of this.#places.values()) highest = Math.max(highest, blockNumber);
    return highest;
  }

  /**
   * Compares the store with all messages `found` in the blocks of `ranges`. Gone is what was stored from one of these
   * blocks, or from one that is off the chain, and was not found at all. What was found in another block moved there. Of
   * two logs of the same message the first counts.
   */
  compare(
    found: readonly ChainMessage[],
    ranges: readonly BlockRange[],
    headers?: Pick<HeaderChain, 'isOffChain' | 'isOnChain'>,
  ): MessageChanges {
    const foundById = new Map<Hex, ChainMessage>();
    for (const message of found) if (!foundById.has(message.messageId)) foundById.set(message.messageId, message);
    for (const { messageId, origin } of foundById.values())
      if (this.#missing.get(messageId)?.blockHash === origin.blockHash) this.#missing.delete(messageId);
    const messages = [...foundById.values()].filter(({ messageId, origin }) => {
      const place = this.#places.get(messageId);
      if (!place) return true;
      const isFirst = place.blockNumber < Number(origin.blockNumber);
      return (
        place.blockHash !== origin.blockHash && !(isFirst && headers?.isOnChain(place.blockNumber, place.blockHash))
      );
    });
    const isRead = (block: number) => ranges.some(({ from, to }) => block >= from && block <= to);
    const gone = [...this.#places]
      .filter(
        ([messageId, { blockNumber, blockHash }]) =>
          (isRead(blockNumber) || headers?.isOffChain(blockNumber, blockHash)) && !foundById.has(messageId),
      )
      .map(([messageId, place]) => ({ messageId, ...place }));
    return { messages, gone };
  }

  /** Notes what was not found and may yet be. Found again where they were, or stored from elsewhere, they are forgotten. */
  miss(gone: readonly GoneMessage[]): void {
    for (const each of gone) this.#missing.set(each.messageId, each);
  }

  /** Through here nothing is missing: the cursor must not pass what has to be orphaned yet. */
  get missingAbove(): number {
    return Math.min(...[...this.#missing.values()].map(({ blockNumber }) => blockNumber)) - 1;
  }

  /** What is still missing beside `found`, once all is read that it may have moved to. */
  stillMissing(found: readonly ChainMessage[], headers: Pick<HeaderChain, 'isOnChain'>): readonly GoneMessage[] {
    const ids = new Set(found.map(({ messageId }) => messageId));
    return [...this.#missing.values()].filter(
      ({ messageId, blockNumber, blockHash }) => !ids.has(messageId) && !headers.isOnChain(blockNumber, blockHash),
    );
  }

  /** `progress` is stored, and blocks through `finalThrough` are final. */
  apply(progress: ChainProgress, finalThrough: number): void {
    for (const { messageId } of [...progress.orphanings, ...progress.messages]) this.#missing.delete(messageId);
    for (const { messageId } of progress.orphanings) this.#places.delete(messageId);
    for (const { messageId, origin } of progress.messages)
      if (origin) this.#places.set(messageId, { blockNumber: Number(origin.blockNumber), blockHash: origin.blockHash });
    for (const [messageId, { blockNumber }] of this.#places)
      if (blockNumber <= finalThrough) this.#places.delete(messageId);
  }
}
