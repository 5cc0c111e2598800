import type { Clock } from '../../core/clock.js';
import type { ChangeSet } from '../../model/batch.js';
import { type BackendStorage, knowsItsPosition, standsAt } from '../../storage/backend-storage.js';

/**
 * How far a follower has come. `closedMs` and `newsAgeMs` move only on whole sets (`throughPosition` =
 * `headPosition`): a partial set can lack records that changed again later.
 */
export class FollowerProgress {
  #isPlaced = false;
  #closedMs = -1;
  /** Where it stood when it lacked nothing. */
  #closedPosition = 0n;
  /** On the monotonic clock: a wall clock that is set back must not make old news young. */
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  readonly #clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  #leaderPosition = 0n;
  #heldPosition = 0n;

  constructor(clock: Pick<Clock, 'nowMs' | 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** False until the follower stands at its boundary: before that its coverage is that of a store without a leader. */
  get isPlaced(): boolean {
    return this.#isPlaced;
  }
  /** It holds every record with an ingestion time up to and including this (unix ms), above its coverage's start. */
  get closedMs(): number {
    return this.#closedMs;
  }
  /** How long ago it was last known to lack nothing; `Infinity` = never yet. */
  get newsAgeMs(): number {
    return this.#clock.monotonicMs() - this.#confirmedAtMs;
  }
  /** The last position that the leader is known to have. */
  get leaderPosition(): bigint {
    return this.#leaderPosition;
  }

  /**
   * Every change of the leader up to this was taken over or was compared with it. A database can stand elsewhere: other
   * processes may write to it.
   */
  get heldPosition(): bigint {
    return this.#heldPosition;
  }

  /** The leader stands at `position` at least. */
  know(position: bigint): void {
    if (position > this.#leaderPosition) this.#leaderPosition = position;
  }

  /** The leader was set back to `position`. */
  setBack(position: bigint): void {
    this.#leaderPosition = position;
  }

  /** `set` is applied. Returns true when the follower lacked nothing then. */
  took(set: ChangeSet): boolean {
    this.know(set.headPosition);
    if (set.throughPosition > this.#heldPosition) this.#heldPosition = set.throughPosition;
    if (set.throughPosition < set.headPosition) return false;
    if (set.headMs > this.#closedMs) this.#closedMs = set.headMs;
    this.#closedPosition = set.throughPosition;
    const readAgeMs = Math.max(0, this.#clock.nowMs() - set.readMs);
    this.#confirmedAtMs = Math.max(this.#confirmedAtMs, this.#clock.monotonicMs() - readAgeMs);
    return true;
  }

  /** False: the leader has another commit, or none, at the follower's position. An unknown one counts as the same. */
  isSameHistory({ follows }: ChangeSet): boolean {
    if (follows === undefined || this.#closedMs < 0 || follows.position !== this.#closedPosition) return true;
    return follows.ingestionMs === this.#closedMs;
  }

  /** The follower stands at `position` and has taken nothing above it. */
  placed(position: bigint): void {
    this.#isPlaced = true;
    this.#heldPosition = position;
    this.#closedMs = -1;
  }

  /** Its records are worth nothing: it has to be placed anew. */
  displaced(): void {
    this.#isPlaced = false;
    this.#heldPosition = 0n;
    this.#closedMs = -1;
  }
}

/**
 * The position up to which every change of the leader is applied to a follower: the next set continues here. A storage
 * that knows its position tells it; for any other the account of the follower counts.
 */
export function followedTo(follower: BackendStorage, progress: FollowerProgress): bigint {
  return knowsItsPosition(follower) ? standsAt(follower) : progress.heldPosition;
}
