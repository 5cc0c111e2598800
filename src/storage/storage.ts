import type { Hex } from '../core/hex.js';
import type { ChangeSet, WriteBatch, WriteOutcome } from '../model/batch.js';
import type { Boundary } from '../model/boundary.js';
import type { Coverage } from '../model/coverage.js';
import type { HeldTransaction } from '../model/held.js';
import type { KeyedPage, UnfinishedQuery } from '../model/list-query.js';
import type { ResultsPart } from '../model/outlines.js';
import type {
  SourceCursor,
  StoredConflict,
  StoredExecution,
  StoredMessage,
  StoredQuarantineEntry,
  StoredVerifierResult,
} from '../model/records.js';
import type { Lists, ResolvedLists } from './list-face.js';

/** Whether a backend can be used right now. */
export interface Health {
  readonly healthy: boolean;
  /** Why not, without credentials; null when healthy. */
  readonly reason: string | null;
}

/** A listener hears when a storage moves on. It must not throw and must return quickly. */
export type AdvanceListener = (event: AdvanceEvent) => void;

/**
 * - `committed`: this instance committed the changes itself. The event comes in position order, before the writer's
 *   promise resolves.
 * - `advanced`: another process committed; `changesAfter` reads its changes.
 * - `set-back`: the last commits are gone, as after a failover to a replica that was behind; `head` is the last one
 *   that is left. The event comes before any answer from there.
 */
export type AdvanceEvent =
  | { readonly kind: 'committed'; readonly changes: ChangeSet }
  | { readonly kind: 'advanced'; readonly throughPosition: bigint }
  | { readonly kind: 'set-back'; readonly head: Boundary };

/**
 * The interface that all backends and the Sink share; a backend is one of three kinds besides, see `BackendStorage`.
 * Every method may throw `ClosedError` after `close`, and `StorageUnavailableError` or `StorageFailureError` when the
 * backend cannot do its work; reads throw `CoverageGapError` for what the backend is not complete for, and
 * `InvalidArgumentError` for what can never be asked.
 */
export interface Storage extends Lists, ResolvedLists {
  /** The short name of the storage for logs and metrics, from the configuration, for example `hot`. */
  readonly name: string;
  /** Acknowledged records survive the process. */
  readonly durable: boolean;

  /**
   * The verifier results of one message, orphaned or not, ordered by (verifierSourceAddress, verifierDestAddress).
   * @throws CCVDataNotFoundError when there is none.
   */
  getCCVData(messageId: Hex, part?: ResultsPart): Promise<readonly StoredVerifierResult[]>;
  /** @throws MessageNotFoundError */
  getMessage(messageId: Hex): Promise<StoredMessage>;

  /**
   * Messages that are neither orphaned nor `success`, in the order of (ingestionMs, messageId) or its reverse,
   * behind a key. At most `limit`, fewer when they are large, but at least one when there is one. Needs a backend
   * that is complete from the beginning.
   */
  queryUnfinishedMessages(query: UnfinishedQuery): Promise<KeyedPage<StoredMessage>>;
  /**
   * Messages (orphaned ones left out) of one source chain found in blocks above `afterBlock`, up to `throughBlock` if
   * it is given, ordered by (block number, log index). Needs a backend that is complete from the beginning.
   */
  messagesAboveBlock(
    sourceChainSelector: bigint,
    afterBlock: bigint,
    throughBlock?: bigint,
  ): Promise<readonly StoredMessage[]>;
  /**
   * The executions of one message, orphaned or not, in the order of its destination chain; none when there is none.
   * Needs a backend that is complete from the beginning.
   */
  getExecutions(messageId: Hex): Promise<readonly StoredExecution[]>;
  /**
   * Executions (orphaned ones left out) of one destination chain in blocks above `afterBlock`, up to `throughBlock` if
   * it is given, ordered by (block number, log index). Needs a backend that is complete from the beginning.
   */
  executionsAboveBlock(
    destChainSelector: bigint,
    afterBlock: bigint,
    throughBlock?: bigint,
  ): Promise<readonly StoredExecution[]>;
  /**
   * The messages and executions whose logs are in a transaction, orphaned or not, in the order of the logs: all whose
   * last change lies in the range of positions that the answer names, as of its end or later. That of a Sink begins
   * at 0.
   */
  getTransaction(transactionHash: Hex): Promise<HeldTransaction>;
  /** The cursor of a source, or null before its first move. */
  getCursor(sourceId: string): Promise<SourceCursor | null>;
  /** All cursors, ordered by source id. */
  listCursors(): Promise<readonly SourceCursor[]>;
  /** Quarantined input, in position order. */
  queryQuarantine(query: {
    readonly afterPosition: bigint;
    readonly limit: number;
  }): Promise<readonly StoredQuarantineEntry[]>;
  /** Recorded conflicts, in position order. */
  queryConflicts(query: { readonly afterPosition: bigint; readonly limit: number }): Promise<readonly StoredConflict[]>;

  /**
   * Stores a batch in one transaction. Duplicates are successes. Every read of this storage that begins after it
   * resolves sees the batch.
   * @throws CursorConflictError, LeaseLostError
   */
  insertBatch(batch: WriteBatch): Promise<WriteOutcome>;

  /**
   * The changes after a position, at most `limit` of them (default 1000). Large changes come fewer at once, but at
   * least one comes when there is one. The bytes of a record can share memory with those of others in the set: copy
   * them where few are kept for long. See `ChangeSet`.
   */
  changesAfter(afterPosition: bigint, limit?: number): Promise<ChangeSet>;
  /**
   * The highest boundary that the backend knows at or below a time (unix ms) or a position. A follower that needs only
   * later changes can start from there.
   */
  boundaryAt(at: { readonly ms: number } | { readonly position: bigint }): Promise<Boundary>;
  /**
   * Takes over the commits of another storage, with their times and positions. Applied changes are passed over.
   * A storage that is applied to must not be written to by anything else.
   * @throws PositionGapError when the set starts above where this storage stands.
   * @throws DivergedError when a durable storage stands where the set ends, or within it, with another history.
   */
  apply(changes: ChangeSet): Promise<void>;
  /** Tells `listener` of every advance from now on. The returned function ends that. */
  subscribe(listener: AdvanceListener): () => void;

  /** The times and positions for which the backend is complete, as far as it knows without a request. */
  coverage(): Coverage;
  health(): Promise<Health>;
  /** Ends the work under way (writes complete or fail with an error), then releases everything. Idempotent. */
  close(): Promise<void>;
}
