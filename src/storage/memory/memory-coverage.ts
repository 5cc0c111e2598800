import type { Clock } from '../../core/clock.js';
import type { Hex } from '../../core/hex.js';
import type { ChangeSet } from '../../model/batch.js';
import { BEGINNING, type Boundary } from '../../model/boundary.js';
import type { Commit } from '../../model/commit/stamp-commit.js';
import { type Coverage, covers } from '../../model/coverage.js';
import { CoverageGapError, PositionGapError } from '../../model/storage-errors.js';
import { FollowerWriteError, PrimaryFollowError } from './role-errors.js';

/**
 * The coverage of a memory storage, and its role:
 *
 *     fresh ── first commit ──> primary      commits by itself, complete since its last eviction
 *       └── apply or rebase ──> follower <── rebase (forgets everything)
 *
 * A follower is whole when it has applied a set that ends at the head of its snapshot; until then records that changed
 * again later are missing anywhere, so it answers nothing. It is current while a whole set was read at most
 * `maxStalenessMs` ago; when it is not, it answers only for closed ranges up to its head.
 */
export class MemoryCoverage {
  readonly #name: string;
  readonly #maxStalenessMs: number;
  readonly #clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  #role: 'fresh' | 'primary' | 'follower' = 'fresh';
  #base = BEGINNING;
  #afterMs = -1;
  #afterPosition = 0n;
  #throughPosition = 0n;
  #movePosition = 0n;
  /** Ingestion time of the last commit held. */
  #headMs = -1;
  /** The highest head of a snapshot that something was applied from. */
  #knownHead = 0n;
  /** When the newest whole set was read, on the monotonic clock: one that is set back must not make old news young. */
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(name: string, maxStalenessMs: number, clock: Pick<Clock, 'nowMs' | 'monotonicMs'>) {
    this.#name = name;
    this.#maxStalenessMs = maxStalenessMs;
    this.#clock = clock;
  }

  get isFollower(): boolean {
    return this.#role === 'follower';
  }

  get afterMs(): number {
    return this.#afterMs;
  }

  get afterPosition(): bigint {
    return this.#afterPosition;
  }

  get throughPosition(): bigint {
    return this.#throughPosition;
  }

  get movePosition(): bigint {
    return this.#movePosition;
  }

  get headMs(): number {
    return this.#headMs;
  }

  /** Where the storage began: everything after it was seen. */
  get base(): Boundary {
    return this.#base;
  }

  /** False while records that changed again may be missing. */
  get isWhole(): boolean {
    return this.#throughPosition >= this.#knownHead;
  }

  get isCurrent(): boolean {
    return this.#role !== 'follower' || (this.isWhole && this.#newsAgeMs() <= this.#maxStalenessMs);
  }

  /** Wall-clock time up to which nothing is missing. */
  get readMs(): number {
    const nowMs = this.#clock.nowMs();
    return this.#role === 'follower' ? Math.max(0, nowMs - this.#newsAgeMs()) : nowMs;
  }

  current(): Coverage {
    const { throughPosition, movePosition } = {
      throughPosition: this.#throughPosition,
      movePosition: this.#movePosition,
    };
    if (!this.isWhole)
      return {
        afterMs: Number.POSITIVE_INFINITY,
        throughMs: -1,
        afterPosition: throughPosition + 1n,
        throughPosition,
        movePosition,
      };
    return {
      afterMs: this.#afterMs,
      throughMs: this.isCurrent ? Number.POSITIVE_INFINITY : this.#headMs,
      afterPosition: this.#afterPosition,
      throughPosition,
      movePosition,
    };
  }

  /** @throws FollowerWriteError */
  beginCommit(): void {
    if (this.#role === 'follower') throw new FollowerWriteError(this.#name);
  }

  /** Notes a commit of this storage's own. */
  committed({ ingestionMs, throughPosition, movePosition }: Commit): void {
    this.#role = 'primary';
    this.#headMs = ingestionMs;
    this.#throughPosition = throughPosition;
    this.#knownHead = throughPosition;
    this.#movePosition = movePosition;
  }

  /**
   * Before a set is applied.
   * @throws PrimaryFollowError, PositionGapError
   */
  beginApply(set: ChangeSet): void {
    if (this.#role === 'primary') throw new PrimaryFollowError(this.#name);
    if (set.afterPosition > this.#throughPosition)
      throw new PositionGapError(this.#name, this.#throughPosition, set.afterPosition);
    this.#role = 'follower';
  }

  /** After the changes of a set were applied. True when the storage moved on. */
  applied(set: ChangeSet): boolean {
    const moved = set.throughPosition > this.#throughPosition;
    if (moved) {
      this.#throughPosition = set.throughPosition;
      if (set.headPosition > this.#knownHead) this.#knownHead = set.headPosition;
      if (set.headMovePosition > this.#movePosition) this.#movePosition = set.headMovePosition;
    }
    if (set.throughPosition === set.headPosition && this.isWhole) {
      if (set.headMs > this.#headMs) this.#headMs = set.headMs;
      const ageMs = Math.max(0, this.#clock.nowMs() - set.readMs);
      this.#readAtMs = Math.max(this.#readAtMs, this.#clock.monotonicMs() - ageMs);
    }
    return moved;
  }

  /** A change to a record below the window was passed over: changes up to it can no longer be told. */
  passedOver(position: bigint): void {
    if (position > this.#afterPosition) this.#afterPosition = position;
  }

  /** Everything up to `ms`, whose last change is at or below `lastPosition`, is about to be forgotten. */
  forget(ms: number, lastPosition: bigint): void {
    if (ms > this.#afterMs) this.#afterMs = ms;
    if (lastPosition > this.#afterPosition) this.#afterPosition = lastPosition;
  }

  rebase(boundary: Boundary): void {
    this.#role = 'follower';
    this.#base = boundary;
    this.#afterMs = boundary.ingestionMs;
    this.#headMs = boundary.ingestionMs;
    this.#afterPosition = boundary.position;
    this.#throughPosition = boundary.position;
    this.#knownHead = boundary.position;
    this.#movePosition = 0n;
    this.#readAtMs = Number.NEGATIVE_INFINITY;
  }

  /** @throws CoverageGapError naming the part of the range that is not covered. */
  requireRange(startMs: number, endMs: number): void {
    const coverage = this.current();
    if (covers(coverage, startMs, endMs)) return;
    const before = startMs <= coverage.afterMs;
    const gap = before
      ? { kind: 'time' as const, startMs, endMs: Math.min(endMs, coverage.afterMs) }
      : { kind: 'time' as const, startMs: Math.max(startMs, coverage.throughMs + 1), endMs };
    throw new CoverageGapError(gap, `storage ${this.#name}`);
  }

  /**
   * @param firstMs of the held records of the id; undefined: none is held.
   * @throws CoverageGapError unless every record of the id is held.
   */
  requireId(messageId: Hex, firstMs: number | undefined): void {
    const complete = this.#afterMs === -1 || (firstMs !== undefined && firstMs > this.#afterMs);
    if (!this.isCurrent || !complete)
      throw new CoverageGapError({ kind: 'messageId', messageId }, `storage ${this.#name}`);
  }

  /** @throws CoverageGapError unless everything that took a position above `afterPosition` for good is held. */
  requireSince(afterPosition: bigint): void {
    if (!this.isCurrent || afterPosition < this.#afterPosition)
      throw new CoverageGapError({ kind: 'position', afterPosition }, `storage ${this.#name}`);
  }

  /** @throws CoverageGapError unless every change after `afterPosition` can be told. */
  requireChangesAfter(afterPosition: bigint): void {
    if (!this.isWhole || afterPosition < this.#afterPosition || afterPosition > this.#throughPosition)
      throw new CoverageGapError({ kind: 'position', afterPosition }, `storage ${this.#name}`);
  }

  /** @throws CoverageGapError unless every record of the kinds that are never evicted is held. */
  requireFromBeginning(): void {
    if (!this.isCurrent) this.requireRange(this.#headMs + 1, Number.POSITIVE_INFINITY);
    if (this.#base.position > 0n)
      throw new CoverageGapError({ kind: 'position', afterPosition: 0n }, `storage ${this.#name}`);
  }

  #newsAgeMs(): number {
    return this.#clock.monotonicMs() - this.#readAtMs;
  }
}
