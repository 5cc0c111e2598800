import { IndexerError } from '../../core/errors.js';

/** A memory that follows another storage was written to: write to the one it follows. */
export class FollowerWriteError extends IndexerError {
  constructor(backend: string) {
    super(
      'FOLLOWER_WRITE',
      `storage ${backend} follows another storage: write to that one, its changes arrive by apply`,
      false,
      { details: { backend } },
    );
  }
}

/** A memory that has committed records of its own was told to follow: `rebase` it first, which forgets them. */
export class PrimaryFollowError extends IndexerError {
  constructor(backend: string) {
    super(
      'PRIMARY_FOLLOW',
      `storage ${backend} holds commits of its own and cannot take over those of another: rebase it first`,
      false,
      { details: { backend } },
    );
  }
}
