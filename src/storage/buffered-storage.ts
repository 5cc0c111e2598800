import type { Storage } from './storage.js';

/**
 * A storage that takes changes before it answers for them. `coverage().throughPosition` is what it answers for and what a
 * restart finds; `appliedPosition` is where the next set of `apply` has to continue, and is lost with the process.
 */
export interface BufferedStorage extends Storage {
  /** Finds out where it stands: from then on `appliedPosition` and `coverage` say it. Cheap when it is known already. */
  ready(): Promise<void>;
  /** Looks again where it stands: other processes may have brought it forward. */
  refresh(): Promise<void>;
  /** Every change up to this position was applied; at or above `coverage().throughPosition`. */
  appliedPosition(): bigint;
  /** Whether some of what was applied would be lost with the process. */
  hasUnflushed(): boolean;
  /** Makes everything applied so far durable and answered for. */
  flush(): Promise<void>;
}

/** True for a storage that buffers what is applied to it. */
export function isBuffered(storage: Storage): storage is BufferedStorage {
  return 'appliedPosition' in storage && 'flush' in storage;
}

/** Where the next set for `storage.apply` must continue. */
export function standsAt(storage: Storage): bigint {
  return isBuffered(storage) ? storage.appliedPosition() : storage.coverage().throughPosition;
}
