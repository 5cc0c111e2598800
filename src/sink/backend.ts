import type { Coverage } from '../model/coverage.js';
import {
  admitsLookups,
  admittedInterval,
  type Interval,
  intersect,
  type ReadCondition,
} from '../model/read-conditions.js';
import type { BackendStorage } from '../storage/backend-storage.js';
import type { Follower } from './follow/follower.js';
import { holdsLost, type LostCommits } from './follow/lost-commits.js';
import type { ReadFloor } from './read/read-floor.js';
import type { Tier } from './sink-options.js';

/** A backend of a Sink with everything decided. */
export interface Backend {
  readonly name: string;
  /** Position in the configured order. */
  readonly index: number;
  /** Metered. */
  readonly storage: BackendStorage;
  readonly condition: ReadCondition;
  readonly required: boolean;
  readonly tier: Tier;
  /** It outlives the Sink. */
  readonly lent: boolean;
  /** See `SinkBackend.onTrial`. */
  readonly onTrial: boolean;
  /** Null for the leader. */
  readonly follower: Follower | null;
}

/** Why a backend is not used for some time, besides its condition and coverage. */
export type Limit = 'behind' | 'stale' | 'starting' | 'lost';

/** A backend with the times that it may be asked for at one moment, for one query. */
export interface Candidate {
  readonly backend: Backend;
  readonly coverage: Coverage;
  /** The times that the condition admits. */
  readonly admitted: Interval | null;
  /** The times that can be asked: admitted, covered, and not held back by `limit`. */
  readonly usable: Interval | null;
  /** Everything ever ingested up to this time is in the backend's state, unix ms. */
  readonly closedMs: number;
  readonly limit: Limit | null;
  /**
   * It lags, and things changed since where it stands, or may have, because the leader was not heard of lately: its
   * answers have to be amended by the leader.
   */
  readonly amended: boolean;
}

/** The moment and the query by which candidates are chosen. */
export interface Moment {
  readonly nowMs: number;
  /** End of the range asked for; `Infinity`: everything committed until now. */
  readonly endMs: number;
  readonly floor: ReadFloor;
  /** A follower that has not come this far is not asked at all. */
  readonly minPosition: bigint;
  /** For how long a durable follower counts as current after its leader had nothing more for it. */
  readonly maxStalenessMs: number;
  /** A tier that lags by design shows an old state when it stands below this. */
  readonly changedPosition: bigint;
  /** Lists of a backend that stands at or above this can be amended; null: none can. */
  readonly amendsAfter: bigint | null;
  /** The leader lacks commits. */
  readonly lost: LostCommits | null;
  /** The records change where they are, and an old state of them will not do. */
  readonly mustBeUpToDate: boolean;
}

/** The candidate that `backend` is at `moment`. */
export function candidateOf(backend: Backend, moment: Moment): Candidate {
  const { lost } = moment;
  if (lost === null) return usualCandidate(backend, moment);
  return backend === lost.keeper
    ? keeperOfLost(backend, lost, moment)
    : withoutLost(usualCandidate(backend, moment), lost, moment);
}

/** It knows more than the leader: there is nothing to amend, but nothing beyond its last commit either. */
function keeperOfLost(backend: Backend, { error }: LostCommits, moment: Moment): Candidate {
  const coverage = backend.storage.coverage();
  const admitted = admittedInterval(backend.condition, moment.nowMs);
  const { throughPosition, afterMs, throughMs } = coverage;
  // a backend that buffers covers times up to its last commit; a database takes itself for the present
  const isKnown =
    holdsLost(backend.storage, error) && Number.isFinite(throughMs) && throughPosition >= moment.minPosition;
  return {
    ...{ backend, coverage, admitted, amended: false, closedMs: throughMs },
    limit: isKnown ? null : 'lost',
    usable: isKnown ? usable(admitted, afterMs, throughMs) : null,
  };
}

function withoutLost(candidate: Candidate, lost: LostCommits, moment: Moment): Candidate {
  const { ingestionMs } = lost.error.head;
  const isInDoubt = moment.mustBeUpToDate || candidate.amended || movedRecords(lost);
  return {
    ...candidate,
    limit: candidate.limit ?? 'lost',
    usable:
      candidate.usable === null || isInDoubt ? null : intersect(candidate.usable, { fromMs: 0, toMs: ingestionMs }),
  };
}

/** Whether a lost commit may have removed or moved records that the leader lists. */
function movedRecords({ keeper: { storage }, error }: LostCommits): boolean {
  return !holdsLost(storage, error) || storage.coverage().movePosition > error.head.position;
}

function usualCandidate(backend: Backend, moment: Moment): Candidate {
  const coverage = backend.storage.coverage();
  const admitted = admittedInterval(backend.condition, moment.nowMs);
  const { follower } = backend;
  // the leader reads the present, so a time known to be closed is closed for it
  if (follower === null)
    return {
      backend,
      coverage,
      admitted,
      usable: usable(admitted, coverage.afterMs, coverage.throughMs),
      closedMs: moment.floor.closedMs,
      limit: null,
      amended: false,
    };
  if (lags(backend, coverage)) return laggingCandidate(backend, follower, coverage, admitted, moment);
  const limit = limitOf(backend, follower, coverage, moment.floor.position, moment.maxStalenessMs);
  const closedMs = Number.isFinite(coverage.throughMs) ? coverage.throughMs : follower.progress.closedMs;
  // Current means no older than some time. The named end of a range may come from another process, which has seen more:
  // beyond the last commit that the follower holds, such a range is the leader's.
  const isOpen = limit === null && moment.endMs === Number.POSITIVE_INFINITY;
  const throughMs = isOpen ? coverage.throughMs : Math.min(coverage.throughMs, closedMs);
  const isOut = limit === 'starting' || coverage.throughPosition < moment.minPosition;
  return {
    backend,
    coverage,
    admitted,
    usable: isOut ? null : usable(admitted, coverage.afterMs, throughMs),
    closedMs,
    limit: isOut && limit === null ? 'behind' : limit,
    amended: false,
  };
}

/**
 * A durable backend that does not speak for the present: it is complete up to some commit and will move on in minutes.
 * Up to there it is asked like any other; its lists are amended by the later changes of the leader.
 */
function lags(backend: Backend, coverage: Coverage): boolean {
  return backend.storage.durable && Number.isFinite(coverage.throughMs) && coverage.throughMs >= 0;
}

function laggingCandidate(
  backend: Backend,
  follower: Follower,
  coverage: Coverage,
  admitted: Interval | null,
  moment: Moment,
): Candidate {
  const stands = coverage.throughPosition;
  // later commits of the leader, unknown here, could be in the way too: then the backend has to say so itself
  const isNewsOld = moment.amendsAfter !== null && follower.progress.newsAgeMs > moment.maxStalenessMs;
  const amended = isNewsOld || stands < moment.changedPosition || stands < moment.minPosition;
  const isKnown = moment.amendsAfter !== null && stands >= moment.amendsAfter;
  const limit: Limit | null = !follower.progress.isPlaced ? 'starting' : amended && !isKnown ? 'behind' : null;
  return {
    ...{ backend, coverage, admitted, limit, amended },
    usable: limit === null ? usable(admitted, coverage.afterMs, coverage.throughMs) : null,
    closedMs: coverage.throughMs,
  };
}

/**
 * Whether a follower may be asked for everything known about one id; whether it is complete for that id is then its
 * own answer. The leader always may. On the path of every lookup: it allocates nothing.
 */
export function mayLookUp(backend: Backend, floorPosition: bigint, maxStalenessMs: number): boolean {
  const { follower } = backend;
  if (follower === null) return true;
  const coverage = backend.storage.coverage();
  // the leader has the records that it lacks yet: see `LookupReader`
  if (lags(backend, coverage)) return false;
  return limitOf(backend, follower, coverage, floorPosition, maxStalenessMs) === null;
}

/** Whether the backend lags by design right now: it is complete for no id by itself, and a wait for it is no use. */
export function isLagging(backend: Backend): boolean {
  return backend.follower !== null && lags(backend, backend.storage.coverage());
}

/** Whether the backend's condition lets lookups by id through. */
export function isReadable(backend: Backend): boolean {
  return admitsLookups(backend.condition);
}

function limitOf(
  backend: Backend,
  follower: Follower,
  coverage: Coverage,
  floorPosition: bigint,
  maxStalenessMs: number,
): Limit | null {
  if (!follower.progress.isPlaced) return 'starting';
  // an answer of a state before one that a reader has seen would take records back
  if (coverage.throughPosition < floorPosition) return 'behind';
  const speaksForNow = coverage.throughMs === Number.POSITIVE_INFINITY;
  // memory minds its own staleness; a database does not know that it is only following
  if (!backend.storage.durable) return speaksForNow ? null : 'stale';
  if (speaksForNow && follower.progress.newsAgeMs > maxStalenessMs) return 'stale';
  return null;
}

function usable(admitted: Interval | null, afterMs: number, throughMs: number): Interval | null {
  if (admitted === null || throughMs <= afterMs) return null;
  return intersect(admitted, { fromMs: afterMs + 1, toMs: throughMs });
}
