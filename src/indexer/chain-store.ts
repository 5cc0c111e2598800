import type { ChainCursor, ChainProgress, ChainStore } from '../chains/chain-port.js';
import type { Common } from '../core/common.js';
import { IndexerError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import { histogram } from '../core/metrics.js';
import { decodeMessage } from '../protocol/message-codec.js';
import type { WriteBatch, WriteOutcome } from '../storage/batch.js';
import type { Storage } from '../storage/storage.js';

const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600];

/**
 * The name of what a chain's watcher reads among the sources of a storage. Another OnRamp is another source: it is read from
 * its own start, and what was read from the one before stays as it is.
 */
export function chainSourceId(selector: bigint, onRampAddress: Hex): string {
  return `chain:${selector}:${onRampAddress.toLowerCase()}`;
}

/** Every source of a chain whose cursor goes back with it. */
export function chainSources(selector: bigint, onRampAddress: Hex): readonly string[] {
  return [chainSourceId(selector, onRampAddress)];
}

/**
 * What the watcher of one chain stores through. A commit is one transaction: messages, orphanings, quarantine and cursor
 * together. `CursorConflictError` (retryable) says that another process moved the cursor first: nothing was stored, and
 * the watcher has to read the cursor again. A watcher never writes over what it has not read.
 */
export function createChainStore(options: {
  readonly storage: Storage;
  readonly selector: bigint;
  /** 20 bytes. */
  readonly onRampAddress: Hex;
  readonly common: Common;
}): ChainStore {
  const { storage, selector, onRampAddress, common } = options;
  const sourceId = chainSourceId(selector, onRampAddress);
  // outside of `chain:<selector>:…`, whose cursors say what is final
  const haltId = `halt:${sourceId}`;
  // as it stands in every message that the watcher lets through
  const onRamp = `0x${onRampAddress.slice(2).toLowerCase().padStart(64, '0')}`;
  const timeToIndex = histogram(common.metrics, {
    name: 'indexer_time_to_index_seconds',
    help: 'Time from the timestamp of a message’s block to the message being stored',
    buckets: SECONDS,
  });

  return {
    cursor: () => read(sourceId),
    lastHalt: () => read(haltId),

    async noteHalt({ height, hash }) {
      const expectedHeight = (await storage.getCursor(haltId))?.height ?? null;
      await storage.insertBatch({ cursors: [{ sourceId: haltId, height, hash, expectedHeight, setBack: true }] });
    },

    async messagesAbove(afterBlock) {
      const messages = await storage.messagesAboveBlock(selector, afterBlock);
      return messages.flatMap(({ messageId, encodedMessage, origin }) =>
        origin === null || decodeMessage(encodedMessage).onRampAddress !== onRamp
          ? []
          : [{ messageId, blockNumber: origin.blockNumber, blockHash: origin.blockHash }],
      );
    },

    async commit(progress) {
      if (isEmpty(progress)) return;
      const outcome = await storage.insertBatch(toBatch(progress, sourceId));
      observe(progress, outcome);
    },
  };

  async function read(source: string): Promise<ChainCursor | null> {
    const cursor = await storage.getCursor(source);
    if (cursor === null) return null;
    if (cursor.hash === null)
      throw new IndexerError('CHAIN_CURSOR', `cursor of ${source} has no block hash`, false, {
        details: { sourceId: source, height: String(cursor.height) },
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

function isEmpty({ messages, orphanings, quarantine, cursor }: ChainProgress): boolean {
  return messages.length + orphanings.length + quarantine.length === 0 && cursor === null;
}

function toBatch({ messages, orphanings, quarantine, cursor }: ChainProgress, sourceId: string): WriteBatch {
  return {
    orphanings,
    messages,
    quarantine: quarantine.map((log) => ({ ...log, sourceId })),
    cursors: cursor === null ? [] : [{ ...cursor, sourceId }],
  };
}
