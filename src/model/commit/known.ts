import type { Hex } from '../../core/hex.js';
import type { ExecutionOrphaning, Lease } from '../batch.js';
import type {
  Conflict,
  MessageBody,
  MessageOrigin,
  MessageStatus,
  QuarantineEntry,
  SourceCursor,
  StoredExecution,
  StoredVerifierResult,
  VerifierResult,
} from '../records.js';

/** The stored state that a group of batches touches, as its leader has loaded it. `planCommit` reads it only. */
export interface Known {
  /** Undefined: nothing of the id was ever stored. */
  id(messageId: Hex): KnownId | undefined;
  execution(log: ExecutionOrphaning): StoredExecution | undefined;
  cursor(sourceId: string): SourceCursor | undefined;
  /** The lease that stands on a source. Undefined: none does, or the storage is not shared by workers. */
  lease(source: string): Lease | undefined;
  hasQuarantine(entry: QuarantineEntry): boolean;
  /** Undefined: not loaded. */
  hasConflict(conflict: Conflict): boolean | undefined;
}

/** The records of one message id. */
export interface KnownId {
  /** Ingestion time of the first record that was ever stored for the id. */
  readonly firstMs: number;
  /** Null: not loaded, or no longer held. */
  readonly body: MessageBody | null;
  /** Of the body, as `Given.bodyHash`: stands for it while it is not loaded. */
  readonly bodyHash?: Hex;
  /** Records of the id were pruned and not recalled: of its results not all may be here. */
  readonly isPruned?: boolean;
  /** The body was pruned too: it cannot be loaded, only recalled. */
  readonly isBodyPruned?: boolean;
  readonly message: KnownMessage | undefined;
  /** All of them where the id leaves or returns to the lists, else at least those that a batch gives again. */
  readonly results: readonly KnownResult[];
}

/** A stored message, whole or as its pruning left it. */
export type KnownMessage = WholeMessage | PrunedMessage;

interface WholeMessage {
  readonly prunedOrigin?: undefined;
  readonly origin: MessageOrigin | null;
  readonly status: MessageStatus;
  readonly orphaned: boolean;
  readonly ingestionMs: number;
}

/** A pruned message: a change of it has to be recalled first, a duplicate need not. */
export interface PrunedMessage {
  /** See `originHash`; null: the message has no origin. */
  readonly prunedOrigin: Hex | null;
  readonly status: MessageStatus;
  readonly orphaned: boolean;
}

/** The part of a verifier result that is not the body of its id. */
export type ResultContents = Omit<VerifierResult, keyof MessageBody>;

/** A stored verifier result. While `prunedCcv` is there (see `ccvHash`) only the identity counts of the rest. */
export type KnownResult = ResultContents &
  Pick<StoredVerifierResult, 'orphaned' | 'ingestionMs'> & { readonly prunedCcv?: Hex };

/** The parts of the stored state without which a commit cannot be planned. */
export interface Lacking {
  readonly kind: 'lacking';
  /** Ids whose stored body has to be loaded. */
  readonly bodies: ReadonlySet<Hex>;
  /** Ids whose pruned records have to be recalled. */
  readonly recalls: ReadonlySet<Hex>;
  /** Conflicts of which has to be loaded whether they are recorded; their stored hash is not known yet. */
  readonly conflicts: readonly Conflict[];
}
