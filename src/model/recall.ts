import type { Hex } from '../core/hex.js';
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
