import type { Hex } from '../core/hex.js';
import type { HeldMessage, HeldResults } from './held.js';

/** Everything that a colder tier holds about an id. */
export interface Recalled {
  readonly message: HeldMessage;
  readonly results: HeldResults;
}

/**
 * Reads the pruned records of an id back from a colder tier, for the few changes that need more than their traces.
 * @throws StorageUnavailableError, and other errors of the tier.
 */
export type Recall = (messageId: Hex) => Promise<Recalled>;
