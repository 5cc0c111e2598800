import type { Hex } from '../core/hex.js';
import { isBuffered } from '../storage/buffered-storage.js';
import type { Storage } from '../storage/storage.js';
import type { HeldMessage, HeldResults } from './held.js';

/** Everything that a colder tier holds about an id. */
export interface Recalled {
  readonly message: HeldMessage;
  readonly results: HeldResults;
}

/**
 * Reads back from a colder tier what was pruned, for the few changes that need more than what is left of it here.
 * @throws StorageUnavailableError and what else the tier throws.
 */
export type Recall = (messageId: Hex) => Promise<Recalled>;

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
