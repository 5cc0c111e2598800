import { OnRampsApartError } from '../chains/chain-errors.js';
import type { ChainCursor, ChainProgress, ChainStore } from '../chains/chain-port.js';
import type { Common } from '../core/common.js';
import { IndexerError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import { histogram } from '../core/metrics.js';
import type { WriteBatch, WriteOutcome } from '../model/batch.js';
import { decodeMessage } from '../protocol/message-codec.js';
import type { Storage } from '../storage/storage.js';

const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600];

/**
 * The name of an OnRamp among the sources of a storage. Each has a cursor of its own: one that is added later is read from its
 * own start, and what was read from another stays as it is.
 */
export function chainSourceId(selector: bigint, onRampAddress: Hex): string {
  return `chain:${selector}:${onRampAddress.toLowerCase()}`;
}

/** The name of up to where two nodes have answered for the blocks of such a source, among the sources of a storage. */
export function confirmedSourceId(selector: bigint, onRampAddress: Hex): string {
  return `confirmed:${selector}:${onRampAddress.toLowerCase()}`;
}

/** Every source of a chain whose cursor goes back with it. */
export function chainSources(selector: bigint, onRampAddresses: readonly Hex[]): readonly string[] {
  return onRampAddresses.flatMap((address) => [chainSourceId(selector, address), confirmedSourceId(selector, address)]);
}

/**
 * What the watcher of some OnRamps of a chain stores through. A commit is one transaction: messages, orphanings, quarantine
 * and the cursors of all these OnRamps together, which are at one block for as long as they are read together. `CursorConflictError` (retryable) says that another process moved the cursor first: nothing was stored, and
 * the watcher has to read the cursor again. A watcher never writes over what it has not read.
 */
export function createChainStore(options: {
  readonly storage: Storage;
  readonly selector: bigint;
  /** 20 bytes each. */
  readonly onRampAddresses: readonly Hex[];
  readonly common: Common;
}): ChainStore {
  const { storage, selector, onRampAddresses, common } = options;
  const sourceIds = onRampAddresses.map((address) => chainSourceId(selector, address));
  // as they stand in every message that the watcher lets through
  const onRamps = new Set(onRampAddresses.map((address) => `0x${address.slice(2).toLowerCase().padStart(64, '0')}`));
  // outside of `chain:<selector>:…`, whose cursors say what is final
  const haltId = `halt:chain:${selector}`;
  const timeToIndex = histogram(common.metrics, {
    name: 'indexer_time_to_index_seconds',
    help: 'Time from the timestamp of a message’s block to the message being stored',
    buckets: SECONDS,
  });

  return {
    lastHalt: () => readCursor(haltId),

    async noteHalt({ height, hash }) {
      const expectedHeight = (await storage.getCursor(haltId))?.height ?? null;
      await storage.insertBatch({ cursors: [{ sourceId: haltId, height, hash, expectedHeight, setBack: true }] });
    },

    async cursor() {
      const [first = null, ...others] = await Promise.all(sourceIds.map(readCursor));
      const isApart = others.some((other) => other?.height !== first?.height || other?.hash !== first?.hash);
      if (isApart)
        throw new OnRampsApartError(
          selector,
          [first, ...others].map((cursor) => cursor?.height ?? null),
        );
      return first;
    },

    async confirmed() {
      const read = (address: Hex) => readCursor(confirmedSourceId(selector, address));
      return new Map(
        await Promise.all(onRampAddresses.map(async (address) => [address, await read(address)] as const)),
      );
    },

    async messagesAbove(afterBlock, throughBlock) {
      const messages = await storage.messagesAboveBlock(selector, afterBlock, throughBlock);
      return messages.flatMap(({ messageId, encodedMessage, origin }) =>
        origin === null || !onRamps.has(decodeMessage(encodedMessage).onRampAddress)
          ? []
          : [{ messageId, blockNumber: origin.blockNumber, blockHash: origin.blockHash }],
      );
    },

    async commit(progress) {
      if (isEmpty(progress)) return;
      const outcome = await storage.insertBatch(toBatch(progress, selector, sourceIds));
      observe(progress, outcome);
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

  function observe(progress: ChainProgress, outcome: WriteOutcome): void {
    const nowMs = common.clock.nowMs();
    progress.messages.forEach(({ origin }, index) => {
      if (origin !== null && outcome.messages[index] === 'inserted')
        timeToIndex.observe(Math.max(0, nowMs - origin.blockTimestampMs) / 1_000);
    });
  }
}

function isEmpty({ messages, orphanings, quarantine, cursor, confirmed = [] }: ChainProgress): boolean {
  return messages.length + orphanings.length + quarantine.length + confirmed.length === 0 && cursor === null;
}

function toBatch(progress: ChainProgress, selector: bigint, sourceIds: readonly string[]): WriteBatch {
  const { messages, orphanings, quarantine, cursor, confirmed = [] } = progress;
  return {
    orphanings,
    messages,
    quarantine: quarantine.map(({ onRampAddress, ...log }) => ({
      ...log,
      sourceId: chainSourceId(selector, onRampAddress),
    })),
    cursors: [
      ...(cursor === null ? [] : sourceIds.map((sourceId) => ({ ...cursor, sourceId }))),
      ...confirmed.map(({ onRampAddress, ...move }) => ({
        ...move,
        sourceId: confirmedSourceId(selector, onRampAddress),
      })),
    ],
  };
}
