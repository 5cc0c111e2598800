import type { Clock } from '../../core/clock.js';
import { type BackendStorage, buffers } from '../../storage/backend-storage.js';
import { CoverageLag } from './coverage-lag.js';
import { type FollowerProgress, followedTo } from './follower-progress.js';

/** The known distance between the leader and the coverage of a backend. */
export class FollowerLag {
  readonly #storage: BackendStorage;
  readonly #progress: FollowerProgress;
  readonly #coverageLag: CoverageLag;

  constructor(storage: BackendStorage, progress: FollowerProgress, clock: Pick<Clock, 'monotonicMs'>) {
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
    if (buffers(this.#storage)) return this.#coverageLag.measure(this.#progress.leaderPosition, this.#answeredPosition);
    if (isCurrent && this.positions === 0n) return 0;
    return Math.max(0, this.#progress.newsAgeMs);
  }

  /** The position of a backend that buffers is above its coverage. */
  get #answeredPosition(): bigint {
    return buffers(this.#storage)
      ? this.#storage.coverage().throughPosition
      : followedTo(this.#storage, this.#progress);
  }
}
