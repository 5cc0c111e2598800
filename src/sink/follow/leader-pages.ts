import type { ChangeSet } from '../../model/batch.js';
import type { Boundary } from '../../model/boundary.js';
import { BEGINNING } from '../../model/boundary.js';
import { CoverageGapError, DivergedError, StorageFailureError } from '../../model/storage-errors.js';
import { type BackendStorage, buffers, startsAnywhere } from '../../storage/backend-storage.js';
import { continuesHistory, headOf } from './common-history.js';
import { divergedError, isSameHead, refuseDiverged } from './divergence.js';
import { FollowerAheadError } from './follower-ahead-error.js';
import { type FollowerProgress, followedTo } from './follower-progress.js';
import { ofSide, SideError } from './side-error.js';
import { startBoundary } from './start-boundary.js';

/** The changes after a position, at most `limit`: see `Storage.changesAfter`. */
export type ChangesAfter = (afterPosition: bigint, limit: number) => Promise<ChangeSet>;

/** A page that is asked for before it is needed, so that the leader works while a follower applies the one before. */
export interface PageAhead {
  readonly afterPosition: bigint;
  /** Null: it failed, and is asked for again when it is needed. */
  readonly set: Promise<ChangeSet | null>;
}

/** Reads the leader's changes page by page from where a follower stands, and places the follower where it can start. */
export class LeaderPages {
  readonly #leader: BackendStorage;
  readonly #follower: BackendStorage;
  readonly #changesAfter: ChangesAfter;
  readonly #progress: FollowerProgress;
  readonly #pageSize: number;
  /** The head of a leader that the follower was found to continue. */
  #continued: Boundary = BEGINNING;

  constructor(parts: {
    readonly leader: BackendStorage;
    readonly follower: BackendStorage;
    /** The leader's changes, also those that only a colder tier still has. */
    readonly changesAfter: ChangesAfter;
    readonly progress: FollowerProgress;
    readonly pageSize: number;
  }) {
    this.#leader = parts.leader;
    this.#follower = parts.follower;
    this.#changesAfter = parts.changesAfter;
    this.#progress = parts.progress;
    this.#pageSize = parts.pageSize;
  }

  /** Puts a windowed follower where its window begins; any other goes on where it stands. */
  async place(): Promise<void> {
    if (this.#progress.isPlaced) return;
    if (startsAnywhere(this.#follower)) {
      this.#follower.rebase(await startBoundary(this.#leader, this.#follower).catch(ofSide('leader')));
      this.#progress.placed(this.#follower.coverage().throughPosition);
      return;
    }
    if (buffers(this.#follower)) await this.#follower.ready();
    else await this.#learnWhereItStands();
    const { throughPosition } = this.#follower.coverage();
    await refuseDiverged(this.#leader, this.#follower, throughPosition);
    // a follower that answers for days by itself has to be a part of the leader's history commit by commit
    if (buffers(this.#follower))
      await continuesHistory(this.#follower, this.#leader, this.#follower).catch((thrown: unknown) => {
        if (thrown instanceof DivergedError) throw thrown;
        return ofSide('leader')(thrown);
      });
    this.#progress.placed(throughPosition);
  }

  /**
   * The follower lacks nothing of `set`, which holds nothing new: whether it stands where the leader does.
   * @throws DivergedError, FollowerAheadError
   */
  async compare(set: ChangeSet): Promise<void> {
    if (startsAnywhere(this.#follower)) {
      const { closedMs } = this.#progress;
      const isSame = set.throughPosition < set.headPosition || closedMs < 0 || closedMs === set.headMs;
      if (isSame) return;
      // the records of a window can be read again
      this.#progress.displaced();
      throw this.#diverged(set.headPosition);
    }
    if (buffers(this.#follower)) {
      // other processes bring it forward too: it may stand above a head that was read before
      const throughPosition = this.#follower.appliedPosition();
      if (throughPosition > set.headPosition) await this.#refuseAhead(throughPosition);
      return;
    }
    const mine = await this.#headOfFollower();
    if (mine === null) return;
    if (!isSameHead(mine, set)) throw this.#diverged(set.headPosition);
    if (mine.headPosition > set.headPosition) await this.#refuseAhead(mine.headPosition);
  }

  #diverged(position: bigint): DivergedError {
    return divergedError(this.#follower, this.#leader, position, 'the commit there has another time');
  }

  /** Null while another process is bringing it forward. */
  async #headOfFollower(): Promise<ChangeSet | null> {
    try {
      return await this.#follower.changesAfter(this.#progress.heldPosition, 1);
    } catch (thrown) {
      if (thrown instanceof CoverageGapError) return null;
      throw thrown;
    }
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

  /** Asks for the changes after `afterPosition`. */
  ahead(afterPosition: bigint): PageAhead {
    return { afterPosition, set: this.#changesAfter(afterPosition, this.#pageSize).catch(() => null) };
  }

  /**
   * The changes after where the follower stands; `ahead` when it is that page.
   * @throws FollowerAheadError when the leader stands below the follower.
   * @throws SideError when the leader fails, or has forgotten the next changes.
   */
  async next(ahead: PageAhead | null = null): Promise<ChangeSet> {
    const throughPosition = followedTo(this.#follower, this.#progress);
    const isAsked = ahead?.afterPosition === throughPosition;
    const set = (isAsked && (await ahead.set)) || (await this.#readAfter(throughPosition));
    if (set === null) return await this.next();
    if (!this.#progress.isSameHistory(set)) {
      await this.#placeAnew(throughPosition);
      return await this.next();
    }
    this.#progress.know(set.headPosition);
    if (set.throughPosition <= throughPosition && set.headPosition > throughPosition)
      throw new SideError({ of: 'leader', error: new StorageFailureError(this.#leader.name, 'list its changes') });
    return set;
  }

  /** The leader was set back, and has gone on from there to where the follower stands: that is of another history. */
  async #placeAnew(throughPosition: bigint): Promise<void> {
    this.#progress.displaced();
    if (buffers(this.#follower) && this.#follower.hasUnflushed()) throw this.#diverged(throughPosition);
    if (!startsAnywhere(this.#follower))
      await continuesHistory(this.#follower, this.#leader, this.#follower).catch((thrown: unknown) => {
        if (thrown instanceof DivergedError) throw thrown;
        return ofSide('leader')(thrown);
      });
    await this.place();
  }

  /** Starts a windowed follower anew when all that it holds lies before its window. True when it did. */
  async jumpAhead(): Promise<boolean> {
    if (!startsAnywhere(this.#follower)) return false;
    const boundary = await startBoundary(this.#leader, this.#follower).catch(ofSide('leader'));
    if (boundary.position <= this.#follower.coverage().throughPosition) return false;
    this.#follower.rebase(boundary);
    this.#progress.placed(boundary.position);
    return true;
  }

  /** Null when the leader had pruned the next changes and the follower was placed above it. */
  async #readAfter(throughPosition: bigint): Promise<ChangeSet | null> {
    try {
      return await this.#changesAfter(throughPosition, this.#pageSize);
    } catch (thrown) {
      if (!(thrown instanceof CoverageGapError)) return ofSide('leader')(thrown);
      await this.#refuseAhead(throughPosition);
      if (await this.jumpAhead()) return null;
      return ofSide('leader')(thrown);
    }
  }

  async #refuseAhead(throughPosition: bigint): Promise<void> {
    const { headPosition: position, headMs: ingestionMs } = await headOf(this.#leader).catch(ofSide('leader'));
    if (position >= throughPosition) return;
    const head = { position, ingestionMs };
    const isContinuation = await this.#continues(head);
    // a window can be read again, also from a leader that was set back; any other is compared anew once the leader is
    // there
    this.#progress.displaced();
    throw new FollowerAheadError(this.#follower, throughPosition, this.#leader, head, isContinuation);
  }

  /** That the follower holds commits which a leader that was set back to `head` lacks; null: the follower does not. */
  aheadOf(head: Boundary): FollowerAheadError | null {
    const throughPosition = followedTo(this.#follower, this.#progress);
    if (startsAnywhere(this.#follower) || throughPosition <= head.position) return null;
    return new FollowerAheadError(this.#follower, throughPosition, this.#leader, head, false);
  }

  /** Compared once for each head of the leader: a follower that is ahead tries again and again. */
  async #continues(head: Boundary): Promise<boolean> {
    if (startsAnywhere(this.#follower)) return false;
    const { position, ingestionMs } = this.#continued;
    if (position === head.position && ingestionMs === head.ingestionMs) return true;
    const isContinuation = await continuesHistory(this.#leader, this.#follower, this.#follower).catch(
      (thrown: unknown) => {
        if (thrown instanceof DivergedError) throw thrown;
        // that the follower is ahead is certain all the same
        return false;
      },
    );
    if (isContinuation) this.#continued = head;
    return isContinuation;
  }
}
