import type { Recall } from '../model/recall.js';
import { isBuffered } from './buffered-storage.js';
import type { Storage } from './storage.js';

/**
 * Recalls from `storage`. Null when it cannot say what it holds about an id. A tier that other processes feed looks where
 * it stands first: what it knew a moment ago may lie below what they have pruned since because of it.
 */
export function recallFrom(storage: Storage): Recall | null {
  const { heldMessage, heldCCVData } = storage;
  if (!heldMessage || !heldCCVData) return null;
  return async (messageId) => {
    if (isBuffered(storage)) await storage.refresh();
    const [message, results] = await Promise.all([
      heldMessage.call(storage, messageId),
      heldCCVData.call(storage, messageId),
    ]);
    return { message, results };
  };
}
