import { IndexerError } from '../../core/errors.js';
import type { Boundary } from '../../model/boundary.js';
import { type BackendStorage, keepsForGood } from '../../storage/backend-storage.js';

/**
 * A durable backend that should follow holds commits that the leader does not have: the two were configured the wrong
 * way round, or swapped before the new one had caught up, or the leader was lost, or set back by a failover, beside a
 * cold tier. Writing on would give the same positions to different records, so the Sink refuses writes until the leader
 * holds them, and reads of records that it may lack.
 */
export class FollowerAheadError extends IndexerError {
  /** The follower's position. */
  readonly throughPosition: bigint;
  /** The last commit of the leader: the commits that it lacks came later. */
  readonly head: Boundary;
  /** The follower is known to hold all that the leader holds, and more. */
  readonly isContinuation: boolean;
  /** For readers that may not know the names of storages. */
  readonly remedy: string;
  constructor(
    follower: BackendStorage,
    throughPosition: bigint,
    leader: BackendStorage,
    head: Boundary,
    isContinuation: boolean,
  ) {
    const { position: headPosition } = head;
    const isCold = keepsForGood(follower);
    const advice = isCold
      ? `stop every worker and bring the commits that ${leader.name} lacks back with 'ccv-indexer storage restore'`
      : `put ${follower.name} first until ${leader.name} has caught up`;
    super(
      'FOLLOWER_AHEAD',
      `storage ${follower.name} stands at position ${throughPosition}, ` +
        `its leader ${leader.name} only at ${headPosition}: ${advice}`,
      false,
      {
        details: {
          follower: follower.name,
          leader: leader.name,
          throughPosition: String(throughPosition),
          headPosition: String(headPosition),
        },
      },
    );
    this.throughPosition = throughPosition;
    this.head = head;
    this.isContinuation = isContinuation;
    this.remedy = isCold
      ? 'the database lacks commits that the cold tier holds; ' +
        "the operator brings them back with 'ccv-indexer storage restore'"
      : 'the database lacks commits that another one holds; the operator puts that one first until both hold the same';
  }
}
