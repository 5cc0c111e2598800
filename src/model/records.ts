import type { Hex } from '../core/hex.js';
import type {
  Execution,
  LogPlace,
  MessageOrigin,
  NewMessage,
  SignatureVerdict,
  VerifierResult,
} from '../protocol/records.js';
import type { MessageStatus } from './status.js';

export type { Execution, LogPlace, MessageOrigin, MessageStatus, NewMessage, SignatureVerdict, VerifierResult };

/** The part of a message that it shares with all its verifier results. */
export type MessageBody = Pick<NewMessage, 'encodedMessage' | 'messageCCVAddresses' | 'messageExecutorAddress'>;

/** The part of a record that its commit gives it. */
export interface Stamp {
  /** Ingestion time in unix ms, unique to its commit and rising with every commit. Lists are ordered by it. */
  readonly ingestionMs: number;
  /** Position of this record's last change: gapless over all changes, in commit order. */
  readonly position: bigint;
  /**
   * Ingestion time of the first record that was ever stored for this message id. A store that is complete for times
   * above T holds everything about an id whose `firstMs` is above T.
   */
  readonly firstMs: number;
  /** A reorg removed the message: the record is in no list, but readable by id. */
  readonly orphaned: boolean;
  /**
   * Present in an outline: a read that was bounded by `maxBytes` left out the contents, which can be large and never
   * change, so that they can be read later by the record's identity. Of an outline only the identity, a message's
   * status and origin (null: unknown) and the stamp count.
   */
  readonly outline?: true;
}

/** A verifier result as stored. */
export interface StoredVerifierResult extends VerifierResult, Stamp {
  /** Null: not judged, or an outline. */
  readonly verdict: SignatureVerdict | null;
}

/** An execution as stored. It is in no list: it is read by its message and by its block. */
export interface StoredExecution extends Execution {
  /** Ingestion time of the commit that stored it first, unix ms. */
  readonly ingestionMs: number;
  /** Position of its last change. */
  readonly position: bigint;
  /** A reorg of the destination chain removed it. */
  readonly orphaned: boolean;
}

/** A message as stored. */
export interface StoredMessage extends NewMessage, Stamp {
  readonly status: MessageStatus;
}

/** How far a source (a chain, an aggregator) has been read. */
export interface SourceCursor {
  /**
   * Stable name of the source within the namespace. Cursors of `chain:<selector>:<anything>` say up to which block that
   * chain is final: records above all of them are not pruned.
   */
  readonly sourceId: string;
  /** The last block (or sequence number) whose records are all stored. Falls only when a person sets it back. */
  readonly height: bigint;
  /** Hash of that block; null for sources without one. */
  readonly hash: Hex | null;
}

/** A cursor as stored. */
export interface StoredSourceCursor extends SourceCursor {
  readonly position: bigint;
}

/** Input that failed a check, kept with its reason and its bytes. Its identity is (sourceId, key). */
export interface QuarantineEntry {
  readonly sourceId: string;
  /** Unique among the input of its source, for example `<block hash>:<log index>`. */
  readonly key: string;
  /** The code of the check that failed, from a closed set. */
  readonly reason: string;
  /** For people: the expected and the found value. */
  readonly detail: string;
  readonly raw: Uint8Array;
  readonly messageId: Hex | null;
}

/** A quarantine entry as stored. */
export interface StoredQuarantineEntry extends QuarantineEntry {
  readonly ingestionMs: number;
  readonly position: bigint;
}

/**
 * The same identity arrived with different bytes. The first stays; of the second both payload hashes are kept. Its
 * identity is (record, messageId, addresses, receivedHash): the same conflict again is no news.
 */
export interface Conflict {
  readonly record: ConflictingKind;
  readonly messageId: Hex;
  /** Empty (`0x`) but for verifier results. */
  readonly verifierSourceAddress: Hex;
  readonly verifierDestAddress: Hex;
  /** sha256 of the stored payload, see `payloadHash`. */
  readonly storedHash: Hex;
  readonly receivedHash: Hex;
}

/** The kinds of record that can be in conflict; rows hold their index. */
export const CONFLICTING_KINDS = ['message', 'verifierResult', 'execution'] as const;

export type ConflictingKind = (typeof CONFLICTING_KINDS)[number];

/** A conflict as stored. */
export interface StoredConflict extends Conflict {
  readonly ingestionMs: number;
  readonly position: bigint;
}
