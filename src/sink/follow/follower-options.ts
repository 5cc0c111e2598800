import type { Backoff } from '../../core/backoff.js';

/** The state of a follower; see `Follower`. */
export type FollowerState = 'starting' | 'catching-up' | 'current' | 'failing' | 'closed';

/** How a follower works; times in milliseconds. */
export interface FollowerOptions {
  /** Asks the leader for news when nothing came for this long. */
  readonly heartbeatMs: number;
  /** Changes read from the leader at once. */
  readonly pageSize: number;
  /** Between attempts after a failure. */
  readonly retry: Backoff;
}

/** Calls of a follower to its owner; they must return quickly and not throw. */
export interface FollowerEvents {
  /** The follower did not take a commit of the leader: it is behind until it has healed. */
  onMissed(error: Error, throughPosition: bigint): void;
  /** It holds everything again. */
  onHealed(): void;
  /** It took changes, or was told that there are none. */
  onProgress(): void;
}
