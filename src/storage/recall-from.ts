import type { Recall } from '../model/recall.js';
import { type ArchiveStorage, keepsForGood, type RecordStorage } from './backend-storage.js';

/**
 * Recalls from `storage`. A tier that other processes feed looks where it stands first: its last known place may lie
 * below the records that they have pruned since because of it.
 */
export function recallFrom(storage: RecordStorage | ArchiveStorage): Recall {
  return async (messageId) => {
    if (keepsForGood(storage)) await storage.refresh();
    const [message, results] = await Promise.all([storage.heldMessage(messageId), storage.heldCCVData(messageId)]);
    return { message, results };
  };
}
