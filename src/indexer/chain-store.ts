import { RampsApartError } from '../chains/chain-errors.js';
import type { BatchWriter, ChainCursor, ChainStore } from '../chains/chain-port.js';
import { chainSourceId, confirmedSourceId, haltSourceId } from '../chains/source-ids.js';
import { IndexerError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import { decodeMessage } from '../protocol/message-codec.js';
import type { Storage } from '../storage/storage.js';

/**
 * The store of the watcher of some ramps of a chain. The cursors of all these are at one block for as long as they are
 * read together.
 */
export function createChainStore(options: {
  readonly storage: Storage;
  /** Takes the note of a halt. Default: the storage. */
  readonly writer?: BatchWriter;
  readonly selector: bigint;
  /** 20 bytes each. */
  readonly rampAddresses: readonly Hex[];
}): ChainStore {
  const { storage, writer = storage, selector, rampAddresses } = options;
  const sourceIds = rampAddresses.map((address) => chainSourceId(selector, address));
  const ramps = new Set<string>(rampAddresses.map((address) => address.toLowerCase()));
  // as they stand in every message that the watcher lets through
  const onRamps = new Set([...ramps].map((address) => `0x${address.slice(2).padStart(64, '0')}`));
  const haltId = haltSourceId(selector);

  return {
    lastHalt: () => readCursor(haltId),

    async noteHalt({ height, hash }) {
      const expectedHeight = (await storage.getCursor(haltId))?.height ?? null;
      await writer.insertBatch({ cursors: [{ sourceId: haltId, height, hash, expectedHeight, setBack: true }] });
    },

    async cursor() {
      const [first = null, ...others] = await Promise.all(sourceIds.map(readCursor));
      const isApart = others.some((other) => other?.height !== first?.height || other?.hash !== first?.hash);
      if (isApart)
        throw new RampsApartError(
          selector,
          [first, ...others].map((cursor) => cursor?.height ?? null),
        );
      return first;
    },

    async confirmed() {
      const read = (address: Hex) => readCursor(confirmedSourceId(selector, address));
      return new Map(await Promise.all(rampAddresses.map(async (address) => [address, await read(address)] as const)));
    },

    async messagesAbove(afterBlock, throughBlock) {
      const messages = await storage.messagesAboveBlock(selector, afterBlock, throughBlock);
      return messages.flatMap(({ messageId, encodedMessage, origin }) =>
        origin === null || !onRamps.has(decodeMessage(encodedMessage).onRampAddress)
          ? []
          : [{ messageId, blockNumber: origin.blockNumber, blockHash: origin.blockHash }],
      );
    },

    async executionsAbove(afterBlock, throughBlock) {
      const executions = await storage.executionsAboveBlock(selector, afterBlock, throughBlock);
      return executions.flatMap(({ messageId, offRamp, place: { blockNumber, blockHash, logIndex } }) =>
        ramps.has(offRamp) ? [{ messageId, blockNumber, blockHash, logIndex }] : [],
      );
    },
  };

  async function readCursor(sourceId: string): Promise<ChainCursor | null> {
    const cursor = await storage.getCursor(sourceId);
    if (cursor === null) return null;
    if (cursor.hash === null)
      throw new IndexerError('CHAIN_CURSOR', `cursor of ${sourceId} has no block hash`, false, {
        details: { sourceId, height: String(cursor.height) },
      });
    return { height: cursor.height, hash: cursor.hash };
  }
}
