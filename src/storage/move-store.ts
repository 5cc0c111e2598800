import type { ChangeSet } from '../model/batch.js';
import type { Boundary } from '../model/boundary.js';

/** A state of a move as a document; of two databases the one with the higher revision is right. */
export interface MoveRecord {
  readonly revision: number;
  readonly state: string;
}

/** The part of a database in a move, at one moment. */
export interface MoveLook {
  /** Null: it has never taken part in one. */
  readonly record: MoveRecord | null;
  /** Another database leads. */
  readonly handedOver: boolean;
  /** Its last commit, or, in the middle of catching up, the last position that it holds. */
  readonly head: Boundary;
  /** It holds a whole state; false in the middle of catching up. */
  readonly isWhole: boolean;
  /** Records at or below this are not here: pruned, or not taken over yet. */
  readonly floor: Boundary;
  /** Null: nothing is to be taken over from below its beginning. */
  readonly backfill: BackfillPosition | null;
}

/** How far the records from below the beginning of a database are taken over. */
export interface BackfillPosition {
  /** Records at or below this are here. */
  readonly position: bigint;
  /** The end: above it the database has followed from the beginning. */
  readonly throughPosition: bigint;
}

/** The rows that no change tells and that go along with the lead: leases, members, replays, replaced results. */
export interface KeptRows {
  readonly leases: string;
  readonly members: string;
  readonly replayJobs: string;
  readonly replacements: string;
}

/** The end of a database's lead: its last commit, for good, and the rows that go along. */
export interface HandedOver {
  readonly head: Boundary;
  readonly kept: KeptRows;
}

/** A process of the deployment that follows the move. */
export interface MoveProcess {
  readonly process: string;
  readonly role: string;
  /** The revision that it works by. */
  readonly revision: number;
  /** Since when it works by that, unix ms. */
  readonly sinceMs: number;
  /** Its figures as a document; null: none. */
  readonly figures: string | null;
}

/**
 * The part of one database in a move. A record is stored only over one of a lower revision: of two who write the same
 * revision one fails. Every call may be repeated when its answer was lost.
 * @throws StorageUnavailableError, StorageFailureError from every method.
 */
export interface MoveStore {
  look(): Promise<MoveLook>;
  /** @returns false when a record of this revision or a higher one is there. */
  put(record: MoveRecord): Promise<boolean>;
  /**
   * Begins to follow: no commit is made here any more. An empty database stands at `boundary` from then on, and what
   * lies below is taken over by `backfill`; another goes on where it stands.
   * @returns false as `put`.
   */
  follow(record: MoveRecord, boundary: Boundary): Promise<boolean>;
  /**
   * Ends the lead: the last commit is the last until `lead`, and no other is under way when it resolves.
   * @returns null as `put`.
   */
  handOver(record: MoveRecord): Promise<HandedOver | null>;
  /**
   * Begins the lead at the head at which another database ended its own.
   * @returns false as `put`, and when it does not stand at that head.
   */
  lead(record: MoveRecord, ended: HandedOver): Promise<boolean>;
  /**
   * Leads again after a handing over that came to nothing: the other never led. Its caller has made sure of that.
   * @returns false as `put`.
   */
  leadAgain(record: MoveRecord): Promise<boolean>;
  /**
   * Takes over records from below the beginning: each unless a later state of it is here. The set continues at
   * `backfill.position`; its changes above `throughPosition` are passed over.
   * @returns how far it is; another process may have moved it. Null: nothing is left.
   */
  backfill(set: ChangeSet): Promise<BackfillPosition | null>;
  /** How far the furthest of its standbys is behind, ms; null: none is, or this account may not see it. */
  standbyLagMs(): Promise<number | null>;
  /** The process works by `revision`; for `lastsMs` from now. */
  attend(process: Omit<MoveProcess, 'sinceMs'>, lastsMs: number): Promise<void>;
  /** The process is gone. */
  leave(process: string): Promise<void>;
  /** Those that are there. */
  processes(): Promise<readonly MoveProcess[]>;
}
