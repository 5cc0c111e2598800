import type { Hex } from '../core/hex.js';
import type {
  Conflict,
  Execution,
  MessageBody,
  MessageStatus,
  NewMessage,
  QuarantineEntry,
  SourceCursor,
  StoredConflict,
  StoredExecution,
  StoredMessage,
  StoredQuarantineEntry,
  StoredSourceCursor,
  StoredVerifierResult,
  VerifierResult,
} from './records.js';

/** A forward move of a message's status. An unknown message or a move backwards changes nothing. */
export interface StatusChange {
  readonly messageId: Hex;
  readonly status: MessageStatus;
}

/**
 * The chain no longer has the message where it was. Takes effect only while the stored origin still has this block
 * hash; the message and all its verifier results leave the lists. Storing the message again brings them all back, with
 * the ingestion time of that commit.
 */
export interface Orphaning {
  readonly messageId: Hex;
  readonly blockHash: Hex;
}

/** The destination chain no longer has the log of an execution: it is orphaned. Storing it again brings it back. */
export interface ExecutionOrphaning {
  readonly messageId: Hex;
  readonly blockHash: Hex;
  readonly logIndex: number;
}

/** A cursor move. `expectedHeight`: the height that the mover last saw (null: no cursor yet). */
export interface CursorMove extends SourceCursor {
  readonly expectedHeight: bigint | null;
  /** Lets the height fall, for an operator that has a range read again. Without it a lower height is a conflict. */
  readonly setBack?: boolean;
}

/**
 * A term of ownership of a source that several workers share. The epoch rises with every owner: that of an owner whose
 * source was given to another is never right again.
 */
export interface Lease {
  /** As the workers name it among themselves, for example `chain:<selector>`. */
  readonly source: string;
  /** The member of the workers that owns it. */
  readonly owner: string;
  readonly epoch: bigint;
}

/**
 * The records of one transaction: all are stored or, on an error, none. Applied in the order of the fields. A message
 * that is stored and not orphaned is a duplicate; one that is orphaned returns to the lists when it is given with an
 * origin, and is a duplicate without; one with another origin takes the new origin without moving in the lists.
 */
export interface WriteBatch {
  /** The batch is stored only while this lease stands, as the transaction itself finds it. */
  readonly lease?: Lease;
  /** The replay for which a person wants stored results replaced where the batch has other bytes; see `Replacement`. */
  readonly replacesFor?: bigint;
  readonly orphanings?: readonly Orphaning[];
  readonly messages?: readonly NewMessage[];
  readonly verifierResults?: readonly VerifierResult[];
  readonly executionOrphanings?: readonly ExecutionOrphaning[];
  readonly executions?: readonly Execution[];
  readonly statuses?: readonly StatusChange[];
  readonly quarantine?: readonly QuarantineEntry[];
  readonly cursors?: readonly CursorMove[];
}

/**
 * A verifier result that gave way to another of its identity. The new one and its message take the ingestion time of
 * the commit, so that clients which poll by time see both again; an orphaned one stays out of the lists. A message
 * itself is never replaced: its id is the hash of its bytes.
 */
export interface Replacement extends Pick<Conflict, 'messageId' | 'storedHash' | 'receivedHash'> {
  readonly replay: bigint;
  /** As it was stored. */
  readonly old: Omit<VerifierResult, keyof MessageBody>;
}

/** The outcome of a batch, by input in input order. */
export interface WriteOutcome {
  /** `updated`: the origin changed; `returned`: it was orphaned before. */
  readonly messages: readonly ('inserted' | 'duplicate' | 'conflict' | 'updated' | 'returned')[];
  readonly verifierResults: readonly ('inserted' | 'duplicate' | 'conflict' | 'replaced')[];
  readonly executions: readonly ('inserted' | 'duplicate' | 'conflict' | 'returned')[];
  /** The conflicts behind the entries `conflict` above. */
  readonly conflicts: readonly Conflict[];
  /** Stamp of the commit; null when the batch changed nothing. */
  readonly committed: { readonly ingestionMs: number; readonly throughPosition: bigint } | null;
}

/** The present state of one record, as of its last change. */
export type Change =
  | { readonly kind: 'message'; readonly position: bigint; readonly record: StoredMessage }
  | { readonly kind: 'verifierResult'; readonly position: bigint; readonly record: StoredVerifierResult }
  | { readonly kind: 'execution'; readonly position: bigint; readonly record: StoredExecution }
  | { readonly kind: 'cursor'; readonly position: bigint; readonly record: StoredSourceCursor }
  | { readonly kind: 'quarantine'; readonly position: bigint; readonly record: StoredQuarantineEntry }
  | { readonly kind: 'conflict'; readonly position: bigint; readonly record: StoredConflict };

/**
 * Consecutive changes: every record whose last change lies in (afterPosition, throughPosition], in position order, as
 * one snapshot saw them. A record that changed again later is not among them, so a follower's state is whole only when
 * it has applied a set whose `throughPosition` is its `headPosition`.
 */
export interface ChangeSet {
  readonly afterPosition: bigint;
  readonly throughPosition: bigint;
  /** The last position committed in that snapshot. */
  readonly headPosition: bigint;
  /** Ingestion time of the last commit in that snapshot: nothing later appears at or below it. */
  readonly headMs: number;
  /** Position of the last change in that snapshot that took a record out of the lists or moved it; 0 = none. */
  readonly headMovePosition: bigint;
  /**
   * Boundaries within the set that its teller knows, ascending. A follower may keep them as points that others can
   * start from, and up to which it can be pruned.
   */
  readonly boundaries?: readonly { readonly position: bigint; readonly ingestionMs: number }[];
  /**
   * The commit that ended at a position which the set continues, as that snapshot has it; `ingestionMs` null: none did.
   * A follower with another commit there has a history that is no more. Absent: not known.
   */
  readonly follows?: { readonly position: bigint; readonly ingestionMs: number | null };
  /** Wall-clock time (unix ms) of the reading process, taken before the snapshot: nothing older is missing. */
  readonly readMs: number;
  readonly changes: readonly Change[];
}
