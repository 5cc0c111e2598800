import type { Unreachable } from '../../app/unreachable.js';
import type { ColdDescription } from '../../storage/cold/maintenance/cold-maintenance.js';
import type { PostgresDescription } from '../../storage/postgres/inspection.js';

/** Distance of a backend from the leader. `ms`: between their last commits; null where one has none. */
export interface Lag {
  readonly positions: bigint;
  readonly ms: number | null;
}

/** The backend that keeps a database from being pruned: it does not hold, or may not hold, all that should go. */
export interface PruneHoldup {
  readonly backend: string;
  /** Records ingested before this are to be pruned, unix ms. */
  readonly dueMs: number;
  /** Time of its last commit, unix ms; null: it could not be looked at, or has only part of a backlog. */
  readonly headMs: number | null;
}

/** One backend as `storage status` shows it. */
export type TierStatus = {
  readonly backend: string;
  readonly condition: string;
  readonly unreachable?: Unreachable;
} & (
  | { readonly type: 'memory' }
  | {
      readonly type: 'postgres';
      readonly description?: PostgresDescription;
      readonly lag?: Lag;
      readonly pruning?: PruneHoldup;
    }
  | {
      readonly type: 's3';
      readonly place: string;
      readonly role: 'follower' | 'leader';
      readonly description?: ColdDescription;
      readonly lag?: Lag;
    }
);
