import { CoverageGapError, type Gap } from '../../model/storage-errors.js';
import type { BackendStorage } from '../../storage/backend-storage.js';
import type { Follower } from './follower.js';
import type { FollowerAheadError } from './follower-ahead-error.js';

/**
 * A durable follower is known to hold commits that the leader lacks, as after a failover to a replica that was behind.
 * Until the leader holds them again
 * - the follower answers alone within its coverage, where it is known to continue the leader's history;
 * - all others answer for times up to the leader's last commit, unless a commit that is lost took records out of there;
 * - everything else is a gap that names the remedy.
 */
export interface LostCommits {
  readonly keeper: Following;
  readonly error: FollowerAheadError;
}

/** The part of a backend that its followers need. */
export interface Following {
  readonly storage: BackendStorage;
  readonly follower: Follower | null;
  /** See `SinkBackend.onTrial`: its word is none. */
  readonly onTrial: boolean;
}

/** The commits that the leader is known to lack; null: none. It allocates little: every lookup asks it. */
export function lostCommits(backends: readonly Following[]): LostCommits | null {
  for (const backend of backends) {
    const error = backend.onTrial ? null : (backend.follower?.ahead ?? null);
    if (error !== null) return { keeper: backend, error };
  }
  return null;
}

/** Whether a storage answers for all commits that are known to be lost, and for all that the leader still holds. */
export function holdsLost(storage: BackendStorage, { isContinuation, throughPosition }: FollowerAheadError): boolean {
  // buffered commits are not covered
  return isContinuation && storage.coverage().throughPosition >= throughPosition;
}

/** @throws CoverageGapError naming the remedy when the leader lacks commits: its present state is not the truth. */
export function requirePresent(backends: readonly Following[], gap: Gap): void {
  const lost = lostCommits(backends);
  if (lost !== null) throw lostError(gap, lost);
}

/** The gap that only lost commits could fill. */
export function lostError(gap: Gap, { error }: LostCommits): CoverageGapError {
  return new CoverageGapError(gap, 'sink', { cause: error, remedy: error.remedy });
}
