import type { Clock } from '../../core/clock.js';
import { isBuffered } from '../../storage/buffered-storage.js';
import type { Storage } from '../../storage/storage.js';
import { CoverageLag } from './coverage-lag.js';
import { type FollowerProgress, followedTo } from './follower-progress.js';

/** How far what a backend answers for is behind the leader, as far as is known. */
export class FollowerLag {
  readonly #storage: Storage;
  readonly #progress: FollowerProgress;
  readonly #coverageLag: CoverageLag;

  constructor(storage: Storage, progress: FollowerProgress, clock: Pick<Clock, 'monotonicMs'>) {
    this.#storage = storage;
    this.#progress = progress;
    this.#coverageLag = new CoverageLag(clock);
  }

  get positions(): bigint {
    const behind = this.#progress.leaderPosition - this.#answeredPosition;
    return behind > 0n ? behind : 0n;
  }

  /** For how long, in milliseconds; 0 when it holds all it knows of, `Infinity` = it never was whole. */
  ms(isCurrent: boolean): number {
    if (isBuffered(this.#storage))
      return this.#coverageLag.measure(this.#progress.leaderPosition, this.#answeredPosition);
    if (isCurrent && this.positions === 0n) return 0;
    return Math.max(0, this.#progress.newsAgeMs);
  }

  /** Where a backend stands that buffers is not what it answers for. */
  get #answeredPosition(): bigint {
    const isBuffering = isBuffered(this.#storage);
    return isBuffering ? this.#storage.coverage().throughPosition : followedTo(this.#storage, this.#progress);
  }
}
