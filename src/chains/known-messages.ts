import type { Hex } from '../core/hex.js';
import type { ChainProgress, UnfinalizedMessage } from './chain-port.js';
import type { ChainMessage } from './message-sent-log.js';

interface Place {
  readonly blockNumber: number;
  readonly blockHash: Hex;
}

/** What has to be stored so that the store agrees with the chain. */
export interface MessageChanges {
  readonly messages: readonly ChainMessage[];
  /** In the store, not found again where they were. */
  readonly gone: readonly (Place & { readonly messageId: Hex })[];
}

/** The messages above the anchor as the store has them, so that each read is stored as the difference to it. */
export class KnownMessages {
  #places = new Map<Hex, Place>();

  /** Takes the store's word. */
  load(messages: readonly UnfinalizedMessage[]): void {
    this.#places = new Map(
      messages.map(({ messageId, blockNumber, blockHash }) => [
        messageId,
        { blockNumber: Number(blockNumber), blockHash },
      ]),
    );
  }

  /** The highest block that a stored message is from; -1 without one. */
  get highestBlock(): number {
    let highest = -1;
    for (const { blockNumber } of this.#places.values()) highest = Math.max(highest, blockNumber);
    return highest;
  }

  /**
   * Compares the store with all messages `found` in blocks `from` to `to`. Gone is what was stored from one of these
   * blocks, or from one that `isOffChain`, and was not found at all. What was found in another block moved there. Of two
   * logs of the same message the first counts.
   */
  compare(
    found: readonly ChainMessage[],
    range: { readonly from: number; readonly to: number },
    isOffChain: (blockNumber: number, blockHash: Hex) => boolean = () => false,
  ): MessageChanges {
    const foundById = new Map<Hex, ChainMessage>();
    for (const message of found) if (!foundById.has(message.messageId)) foundById.set(message.messageId, message);
    const messages = [...foundById.values()].filter(
      ({ messageId, origin }) => this.#places.get(messageId)?.blockHash !== origin.blockHash,
    );
    const gone = [...this.#places]
      .filter(([messageId, { blockNumber, blockHash }]) => {
        const read = blockNumber >= range.from && blockNumber <= range.to;
        return (read || isOffChain(blockNumber, blockHash)) && !foundById.has(messageId);
      })
      .map(([messageId, place]) => ({ messageId, ...place }));
    return { messages, gone };
  }

  /** `progress` is stored, and blocks through `finalThrough` are final. */
  apply(progress: ChainProgress, finalThrough: number): void {
    for (const { messageId } of progress.orphanings) this.#places.delete(messageId);
    for (const { messageId, origin } of progress.messages)
      if (origin) this.#places.set(messageId, { blockNumber: Number(origin.blockNumber), blockHash: origin.blockHash });
    for (const [messageId, { blockNumber }] of this.#places)
      if (blockNumber <= finalThrough) this.#places.delete(messageId);
  }
}
