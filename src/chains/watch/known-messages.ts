import type { Hex } from '../../core/hex.js';
import type { WriteBatch } from '../../model/batch.js';
import type { MessageOrigin, NewMessage } from '../../model/records.js';
import type { UnfinalizedMessage } from '../chain-port.js';
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

type Found = readonly NewMessage<MessageOrigin>[];

/** The messages above the anchor as the store has them, so that each read is stored as the difference to it. */
export class KnownMessages {
  #places = new Map<Hex, Place>();
  /** Not found where they are stored, though they may have moved to blocks that are not read yet. */
  readonly #missing = new Map<Hex, GoneMessage>();

  /**
   * Takes the store's word for the messages above block `above`.
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
   * The messages of `found` that the store lacks: new ones, and those that moved to another block. Of two logs of one
   * message the first counts.
   */
  toStore(found: Found, headers?: Pick<HeaderChain, 'isOnChain'>): readonly NewMessage<MessageOrigin>[] {
    const first = firstOfEach(found);
    for (const { messageId, origin } of first)
      if (this.#missing.get(messageId)?.blockHash === origin.blockHash) this.#missing.delete(messageId);
    return first.filter(({ messageId, origin }) => {
      const place = this.#places.get(messageId);
      if (!place) return true;
      const isFirst = place.blockNumber < Number(origin.blockNumber);
      return (
        place.blockHash !== origin.blockHash && !(isFirst && headers?.isOnChain(place.blockNumber, place.blockHash))
      );
    });
  }

  /**
   * The messages that are stored from the blocks of `ranges`, or from a block that is off the chain, and are not
   * among all `found` there.
   */
  gone(found: Found, ranges: readonly BlockRange[], headers?: Pick<HeaderChain, 'isOffChain'>): readonly GoneMessage[] {
    const ids = new Set(found.map(({ messageId }) => messageId));
    const isRead = (block: number) => ranges.some(({ from, to }) => block >= from && block <= to);
    return [...this.#places]
      .filter(
        ([messageId, { blockNumber, blockHash }]) =>
          (isRead(blockNumber) || headers?.isOffChain(blockNumber, blockHash)) && !ids.has(messageId),
      )
      .map(([messageId, place]) => ({ messageId, ...place }));
  }

  /**
   * Notes messages that were not found and may yet be. Found again where they were, or stored from elsewhere, they
   * are forgotten.
   */
  miss(gone: readonly GoneMessage[]): void {
    for (const each of gone) this.#missing.set(each.messageId, each);
  }

  /** Through here nothing is missing: the cursor must not pass a message that may have to be orphaned. */
  get missingAbove(): number {
    return Math.min(...[...this.#missing.values()].map(({ blockNumber }) => blockNumber)) - 1;
  }

  /** The messages that are missing beside `found`, once all blocks are read that they may have moved to. */
  stillMissing(found: Found, headers: Pick<HeaderChain, 'isOnChain'>): readonly GoneMessage[] {
    const ids = new Set(found.map(({ messageId }) => messageId));
    return [...this.#missing.values()].filter(
      ({ messageId, blockNumber, blockHash }) => !ids.has(messageId) && !headers.isOnChain(blockNumber, blockHash),
    );
  }

  /** `batch` is stored, and blocks through `finalThrough` are final. */
  apply({ messages = [], orphanings = [] }: WriteBatch, finalThrough: number): void {
    for (const { messageId } of [...orphanings, ...messages]) this.#missing.delete(messageId);
    for (const { messageId } of orphanings) this.#places.delete(messageId);
    for (const { messageId, origin } of messages)
      if (origin) this.#places.set(messageId, { blockNumber: Number(origin.blockNumber), blockHash: origin.blockHash });
    for (const [messageId, { blockNumber }] of this.#places)
      if (blockNumber <= finalThrough) this.#places.delete(messageId);
  }
}

function firstOfEach(found: Found): Found {
  const byId = new Map<Hex, NewMessage<MessageOrigin>>();
  for (const message of found) if (!byId.has(message.messageId)) byId.set(message.messageId, message);
  return [...byId.values()];
}
