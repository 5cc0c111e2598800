import type { Hex } from '../../core/hex.js';
import type { Replacement, WriteOutcome } from '../batch.js';
import type {
  Conflict,
  Execution,
  MessageBody,
  MessageOrigin,
  MessageStatus,
  QuarantineEntry,
  SourceCursor,
  StoredExecution,
} from '../records.js';
import type { CursorConflictError, LeaseLostError } from '../storage-errors.js';
import type { KnownId, KnownMessage, KnownResult, ResultContents } from './known.js';

/** A message id that the group touches, as the batches planned so far leave it. */
export interface PlannedId {
  readonly messageId: Hex;
  readonly known: KnownId | undefined;
  body: MessageBody | null;
  bodyHash: Hex | undefined;
  /** Replaced, never changed: `known.message` while it is as stored. */
  message: PlannedMessage | KnownMessage | undefined;
  /** The message left the lists or came back to them. */
  messageMoved: boolean;
  /** New or changed results. */
  readonly results: PlannedResult[];
}

/** A new or changed message. */
export interface PlannedMessage {
  readonly prunedOrigin?: undefined;
  readonly origin: MessageOrigin | null;
  readonly status: MessageStatus;
  readonly orphaned: boolean;
  /** Null: that of this commit. */
  readonly ingestionMs: number | null;
}

/** A new or changed verifier result. */
export interface PlannedResult {
  readonly id: PlannedId;
  readonly known: KnownResult | undefined;
  contents: ResultContents;
  orphaned: boolean;
  /** Null: that of this commit. */
  ingestionMs: number | null;
  /** Left the lists or came back to them. */
  moved: boolean;
}

/** A new or changed execution. */
export interface PlannedExecution {
  readonly known: StoredExecution | undefined;
  readonly execution: Execution;
  readonly orphaned: boolean;
}

/** A batch of a group, planned: refused as a whole, or with the answer to its writer. */
export type PlannedBatch =
  | { readonly ok: false; readonly error: CursorConflictError | LeaseLostError }
  | {
      readonly ok: true;
      readonly outcome: Omit<WriteOutcome, 'committed'>;
      /** The batch changes the state that the batches before it leave. */
      readonly changed: boolean;
    };

/** All that a group of batches changes, each record once, without times and positions; see `stampCommit`. */
export interface CommitPlan {
  readonly kind: 'planned';
  readonly batches: readonly PlannedBatch[];
  readonly ids: readonly PlannedId[];
  readonly executions: readonly PlannedExecution[];
  readonly quarantine: readonly QuarantineEntry[];
  readonly conflicts: readonly Conflict[];
  readonly replacements: readonly Replacement[];
  readonly cursors: readonly SourceCursor[];
}
