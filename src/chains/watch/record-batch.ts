import type { WriteBatch } from '../../model/batch.js';
import type { GoneRecord } from './vanished-records.js';

/** True when a batch has nothing but cursors. */
export function isEmpty(batch: WriteBatch): boolean {
  const { messages, orphanings, executions, executionOrphanings, quarantine } = batch;
  return [messages, orphanings, executions, executionOrphanings, quarantine].every((part = []) => part.length === 0);
}

/** The part of a batch that takes `gone` out of the lists. */
export function orphaningsOf(
  gone: readonly GoneRecord[],
): Required<Pick<WriteBatch, 'orphanings' | 'executionOrphanings'>> {
  return {
    orphanings: gone
      .filter(({ logIndex }) => logIndex === null)
      .map(({ messageId, blockHash }) => ({ messageId, blockHash })),
    executionOrphanings: gone.flatMap(({ messageId, blockHash, logIndex }) =>
      logIndex === null ? [] : [{ messageId, blockHash, logIndex }],
    ),
  };
}
