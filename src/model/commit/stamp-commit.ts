import type { Change, ChangeSet, WriteOutcome } from '../batch.js';
import type { AsOf } from '../coverage.js';
import { compareExecutions, compareMessages, compareResults } from '../order.js';
import type { MessageBody, MessageOrigin, StoredMessage, StoredVerifierResult } from '../records.js';
import type { CommitPlan, PlannedExecution, PlannedId, PlannedMessage, PlannedResult } from './commit-plan.js';

/** A planned commit with its time and positions. */
export interface Commit {
  readonly ingestionMs: number;
  readonly throughPosition: bigint;
  /** See `Coverage.movePosition`. */
  readonly movePosition: bigint;
  readonly changes: readonly Change[];
  /** Messages and verifier results that were never stored before. */
  readonly inserted: ReadonlySet<StoredMessage | StoredVerifierResult>;
  readonly moves: readonly MovedRecord[];
}

/** A record that was listed until this commit moved it, and the ingestion time under which it was. */
export interface MovedRecord {
  readonly record: StoredMessage | StoredVerifierResult;
  readonly oldMs: number;
}

/** The end of one batch of a group: its outcome or its error. */
export type BatchVerdict =
  | { readonly ok: true; readonly outcome: WriteOutcome }
  | { readonly ok: false; readonly error: unknown };

/**
 * Stamps a plan: one ingestion time for the commit, and to each change the next position above those of `before`.
 *
 * The one order of positions, by kind:
 *
 *   1. messages, by id
 *   2. verifier results, by message id, source address and destination address
 *   3. executions, by message id, block number and log index
 *   4. quarantined input, as given
 *   5. conflicts, as met
 *   6. cursors, as first moved: a follower that has a cursor has the records before it
 */
export function stampCommit(plan: CommitPlan, ingestionMs: number, before: AsOf): Commit {
  let { position, movePosition } = before;
  const changes: Change[] = [];
  const inserted = new Set<StoredMessage | StoredVerifierResult>();
  const moves: MovedRecord[] = [];

  for (const { id, message } of changedMessages(plan)) {
    position += 1n;
    const record = stampMessage(id, message, ingestionMs, position);
    changes.push({ kind: 'message', position, record });
    const stored = id.known?.message;
    if (!stored) inserted.add(record);
    else if (id.messageMoved) {
      movePosition = position;
      if (!stored.orphaned && stored.prunedOrigin === undefined) moves.push({ record, oldMs: stored.ingestionMs });
    }
  }
  for (const result of changedResults(plan)) {
    position += 1n;
    const record = stampResult(result, ingestionMs, position);
    changes.push({ kind: 'verifierResult', position, record });
    const { known, moved } = result;
    if (!known) inserted.add(record);
    else if (moved) {
      movePosition = position;
      if (!known.orphaned) moves.push({ record, oldMs: known.ingestionMs });
    }
  }
  for (const { execution, known, orphaned } of changedExecutions(plan)) {
    position += 1n;
    const record = { ...execution, ingestionMs: known?.ingestionMs ?? ingestionMs, position, orphaned };
    changes.push({ kind: 'execution', position, record });
  }
  for (const entry of plan.quarantine) {
    position += 1n;
    changes.push({ kind: 'quarantine', position, record: { ...entry, ingestionMs, position } });
  }
  for (const conflict of plan.conflicts) {
    position += 1n;
    changes.push({ kind: 'conflict', position, record: { ...conflict, ingestionMs, position } });
  }
  for (const cursor of plan.cursors) {
    position += 1n;
    changes.push({ kind: 'cursor', position, record: { ...cursor, position } });
  }
  return { ingestionMs, throughPosition: position, movePosition, changes, inserted, moves };
}

/** The answer to the writer of each batch. `commit` is null when nothing was stored. */
export function verdictsOf(plan: CommitPlan, commit: Commit | null): readonly BatchVerdict[] {
  return plan.batches.map((batch) => {
    if (!batch.ok) return batch;
    const committed =
      batch.changed && commit ? { ingestionMs: commit.ingestionMs, throughPosition: commit.throughPosition } : null;
    return { ok: true, outcome: { ...batch.outcome, committed } };
  });
}

/** The changes of a commit on top of `afterPosition`, planned over a state that was read at `readMs`. */
export function changeSetOf(commit: Commit, afterPosition: bigint, readMs: number): ChangeSet {
  return {
    afterPosition,
    throughPosition: commit.throughPosition,
    headPosition: commit.throughPosition,
    headMs: commit.ingestionMs,
    headMovePosition: commit.movePosition,
    readMs,
    changes: commit.changes,
  };
}

function changedMessages({ ids }: CommitPlan): { readonly id: PlannedId; readonly message: PlannedMessage }[] {
  const changed: { id: PlannedId; message: PlannedMessage }[] = [];
  for (const id of ids) {
    const { message, known } = id;
    if (message && message !== known?.message && message.prunedOrigin === undefined) changed.push({ id, message });
  }
  return changed.sort((a, b) => compareMessages(a.id, b.id));
}

function changedResults({ ids }: CommitPlan): PlannedResult[] {
  return ids.flatMap(({ results }) => results).sort((a, b) => compareResults(a.contents, b.contents));
}

function changedExecutions({ executions }: CommitPlan): PlannedExecution[] {
  const changed = executions.filter(({ known, orphaned }) => known?.orphaned !== orphaned);
  return changed.sort((a, b) => compareExecutions(a.execution, b.execution));
}

// field by field: this is done for every record

function stampMessage(id: PlannedId, message: PlannedMessage, nowMs: number, position: bigint): StoredMessage {
  const body = bodyOf(id);
  return {
    messageId: id.messageId,
    encodedMessage: body.encodedMessage,
    messageCCVAddresses: body.messageCCVAddresses,
    messageExecutorAddress: body.messageExecutorAddress,
    origin: message.origin && copyOrigin(message.origin),
    status: message.status,
    ingestionMs: message.ingestionMs ?? nowMs,
    position,
    firstMs: id.known?.firstMs ?? nowMs,
    orphaned: message.orphaned,
  };
}

function stampResult(result: PlannedResult, nowMs: number, position: bigint): StoredVerifierResult {
  const { id, contents } = result;
  const body = bodyOf(id);
  return {
    messageId: contents.messageId,
    verifierSourceAddress: contents.verifierSourceAddress,
    verifierDestAddress: contents.verifierDestAddress,
    encodedMessage: body.encodedMessage,
    messageCCVAddresses: body.messageCCVAddresses,
    messageExecutorAddress: body.messageExecutorAddress,
    ccvData: contents.ccvData,
    attestationMs: contents.attestationMs,
    verifierName: contents.verifierName,
    verdict: contents.verdict ?? null,
    ingestionMs: result.ingestionMs ?? nowMs,
    position,
    firstMs: id.known?.firstMs ?? nowMs,
    orphaned: result.orphaned,
  };
}

function copyOrigin(origin: MessageOrigin): MessageOrigin {
  const { blockNumber, blockHash, blockTimestampMs, transactionHash, logIndex } = origin;
  return { blockNumber, blockHash, blockTimestampMs, transactionHash, logIndex };
}

function bodyOf({ body, messageId }: PlannedId): MessageBody {
  if (body === null) throw new TypeError(`the body of a changed record was not loaded: ${messageId}`);
  return body;
}
