import type { Lease } from '../model/batch.js';
import type { VerifierReport } from '../model/verifier-report.js';

/** A worker among those that share sources and tasks. */
export interface Member {
  readonly member: string;
  /** The sources that it is configured with. */
  readonly sources: readonly string[];
  /** As of its last beat. */
  readonly verifiers: readonly VerifierReport[];
  /** Since when it is there, unix ms. */
  readonly sinceMs: number;
  /** Its last beat, unix ms; 0: a version before this one beats. */
  readonly seenMs: number;
}

/** A member as it tells of itself. */
export type Beat = Omit<Member, 'sinceMs' | 'seenMs'>;

/** A source that was ever owned; `owner` null: it was released. */
export interface SourceLease extends Omit<Lease, 'owner'> {
  readonly owner: string | null;
  /** Since when it is owned, or free, unix ms. */
  readonly sinceMs: number;
}

/** The members that are there, by name, and the leases, by source. Who is not among the members is gone. */
export interface Shares {
  readonly members: readonly Member[];
  readonly leases: readonly SourceLease[];
}

/**
 * The leases of a storage that several workers fill. All times are those of the storage's clock. Every call may be
 * repeated when its answer was lost.
 * @throws StorageUnavailableError, StorageFailureError from every method.
 */
export interface LeaseStore {
  /**
   * The member is there for another `leaseMs`, and gives back the leases named, where they still stand.
   * @returns the shares after that.
   */
  beat(member: Beat, leaseMs: number, released: readonly Lease[]): Promise<Shares>;
  /**
   * Takes those of the sources that are free: never owned, released, or of an owner that is gone. No write under the
   * lease before is under way when it resolves, and none is stored from then on.
   * @returns the leases that were taken.
   */
  take(member: string, sources: readonly string[]): Promise<readonly Lease[]>;
  /** The member is gone; its leases are released. */
  leave(member: string): Promise<void>;
  shares(): Promise<Shares>;
}
