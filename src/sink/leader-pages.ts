import type { ChangeSet } from '../storage/batch.js';
import { CoverageGapError, StorageFailureError } from '../storage/errors.js';
import { isWindowed, type Storage, standsAt } from '../storage/storage.js';
import { BlamedError, blame } from './blame.js';
import { FollowerAheadError } from './errors.js';
import type { FollowerProgress } from './follower-progress.js';
import { startBoundary } from './start-boundary.js';

/** Reads the leader's changes page by page from where a follower stands, and places the follower where it can start. */
export class LeaderPages {
  readonly #leader: Storage;
  readonly #follower: Storage;
  readonly #progress: FollowerProgress;
  readonly #pageSize: number;

  constructor(parts: {
    readonly leader: Storage;
    readonly follower: Storage;
    readonly progress: FollowerProgress;
    readonly pageSize: number;
  }) {
    this.#leader = parts.leader;
    this.#follower = parts.follower;
    this.#progress = parts.progress;
    this.#pageSize = parts.pageSize;
  }

  /** Puts a windowed follower where its window begins; any other goes on where it stands. */
  async place(): Promise<void> {
    if (this.#progress.isPlaced) return;
    if (isWindowed(this.#follower))
      this.#follower.rebase(await startBoundary(this.#leader, this.#follower).catch(blame('leader')));
    else await this.#learnWhereItStands();
    this.#progress.placed();
  }

  /** A database knows its own position only once it was asked for something. */
  async #learnWhereItStands(): Promise<void> {
    try {
      await this.#follower.changesAfter(this.#follower.coverage().afterPosition, 1);
    } catch (thrown) {
      // it was pruned: to say so it had to look
      if (!(thrown instanceof CoverageGapError)) throw thrown;
    }
  }

  /**
   * The changes after where the follower stands.
   * @throws FollowerAheadError when the leader stands below the follower.
   * @throws BlamedError when the leader fails, or has forgotten what follows.
   */
  async next(): Promise<ChangeSet> {
    const throughPosition = standsAt(this.#follower);
    const set = await this.#readAfter(throughPosition);
    if (set === null) return await this.next();
    this.#progress.know(set.headPosition);
    if (set.throughPosition <= throughPosition && set.headPosition > throughPosition)
      throw new BlamedError({ of: 'leader', error: new StorageFailureError(this.#leader.name, 'list its changes') });
    return set;
  }

  /** Starts a windowed follower anew when all that it holds lies before its window. True when it did. */
  async jumpAhead(): Promise<boolean> {
    if (!isWindowed(this.#follower)) return false;
    const boundary = await startBoundary(this.#leader, this.#follower).catch(blame('leader'));
    if (boundary.position <= this.#follower.coverage().throughPosition) return false;
    this.#follower.rebase(boundary);
    this.#progress.placed();
    return true;
  }

  /** Null when the leader had pruned what follows and the follower was placed above it. */
  async #readAfter(throughPosition: bigint): Promise<ChangeSet | null> {
    try {
      return await this.#leader.changesAfter(throughPosition, this.#pageSize);
    } catch (thrown) {
      if (!(thrown instanceof CoverageGapError)) return blame('leader')(thrown);
      await this.#refuseAhead(throughPosition);
      if (await this.jumpAhead()) return null;
      return blame('leader')(thrown);
    }
  }

  async #refuseAhead(throughPosition: bigint): Promise<void> {
    const { headPosition } = await this.#leader
      .changesAfter(this.#leader.coverage().afterPosition, 1)
      .catch(blame('leader'));
    if (headPosition >= throughPosition) return;
    // what a window holds can be read again, also from a leader that was set back
    if (isWindowed(this.#follower)) this.#progress.displaced();
    throw new FollowerAheadError(this.#follower.name, throughPosition, this.#leader.name, headPosition);
  }
}
