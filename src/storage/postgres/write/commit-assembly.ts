import type { Hex } from '../../../core/hex.js';
import type { Change, ChangeSet } from '../../../model/batch.js';
import type { StoredMessage, StoredVerifierResult } from '../../../model/records.js';
import type { ClockRow } from '../clock/clock-row.js';
import type { BodyRow, MoveRow } from './record-values.js';
import type { Changed } from './write-plan.js';
import { contentOf, type MessageState, type ResultState, type WriteState } from './write-state.js';

/** What a commit writes, with its times and positions. */
export interface Commit {
  readonly ingestionMs: number;
  readonly throughPosition: bigint;
  readonly movePosition: bigint;
  readonly changes: readonly Change[];
  /** Messages and verifier results that no row is there for yet. */
  readonly inserted: ReadonlySet<StoredMessage | StoredVerifierResult>;
  readonly bodies: readonly BodyRow[];
  /** Positions of changes that moved a listed record, and where it was listed. */
  readonly moves: readonly MoveRow[];
}

/**
 * Stamps what changed: one ingestion time above the last, and a position each, messages before verifier results, both in
 * list order, and cursors last, so that whoever has applied a cursor has its records.
 */
export function assembleCommit(changed: Changed, state: WriteState, clock: ClockRow, nowMs: number): Commit {
  const ingestionMs = Math.max(clock.lastMs + 1, nowMs);
  let position = clock.lastPosition;
  let movePosition = clock.lastMovePosition;
  const changes: Change[] = [];
  const inserted = new Set<StoredMessage | StoredVerifierResult>();
  const moves: MoveRow[] = [];
  const next = (source?: MessageState | ResultState): bigint => {
    position += 1n;
    if (source && changed.moved.has(source)) movePosition = position;
    return position;
  };

  for (const message of [...changed.messages].sort(byMessageId)) {
    const record = stampMessage(message, state, ingestionMs, next(message));
    changes.push({ kind: 'message', position, record });
    const oldMs = changed.listedAt.get(message);
    if (oldMs !== undefined) moves.push({ record, oldMs });
    if (!message.stored) inserted.add(record);
  }
  for (const result of [...changed.results].sort(byIdentity)) {
    const record = stampResult(result, state, ingestionMs, next(result));
    changes.push({ kind: 'verifierResult', position, record });
    const oldMs = changed.listedAt.get(result);
    if (oldMs !== undefined) moves.push({ record, oldMs });
    if (!result.stored) inserted.add(record);
  }
  for (const entry of changed.quarantine.values())
    changes.push({ kind: 'quarantine', position: next(), record: { ...entry, ingestionMs, position } });
  for (const conflict of changed.conflicts.values())
    changes.push({ kind: 'conflict', position: next(), record: { ...conflict, ingestionMs, position } });
  for (const sourceId of changed.cursors) {
    const cursor = state.cursors.get(sourceId);
    if (cursor) changes.push({ kind: 'cursor', position: next(), record: { ...cursor, position } });
  }
  const bodies: BodyRow[] = [];
  const written = new Set<Hex>();
  for (const change of changes)
    if (change.kind === 'message' || change.kind === 'verifierResult') written.add(change.record.messageId);
  for (const [messageId, body] of state.bodies)
    if (!body.stored && written.has(messageId))
      bodies.push({ messageId, firstMs: body.firstMs ?? ingestionMs, hash: body.hash, content: contentOf(body) });
  return {
    ...{ ingestionMs, movePosition, changes, inserted, bodies, moves },
    throughPosition: position,
  };
}

/** What subscribers are told of a commit. */
export function changeSetOf(commit: Commit, before: ClockRow, readMs: number): ChangeSet {
  return {
    afterPosition: before.lastPosition,
    follows: { position: before.lastPosition, ingestionMs: before.lastMs },
    throughPosition: commit.throughPosition,
    headPosition: commit.throughPosition,
    headMs: commit.ingestionMs,
    headMovePosition: commit.movePosition,
    readMs,
    changes: commit.changes,
  };
}

function stampMessage(message: MessageState, state: WriteState, nowMs: number, position: bigint): StoredMessage {
  const { messageId, origin, status, orphaned } = message;
  const body = state.bodies.get(messageId);
  return {
    messageId,
    ...contentOf(body),
    ...{ origin, status, orphaned, position },
    ingestionMs: message.ingestionMs ?? nowMs,
    firstMs: body?.firstMs ?? nowMs,
  };
}

function stampResult(state: ResultState, all: WriteState, nowMs: number, position: bigint): StoredVerifierResult {
  const { result, orphaned } = state;
  const body = all.bodies.get(result.messageId);
  const { encodedMessage, messageCCVAddresses, messageExecutorAddress } = contentOf(body);
  // field by field: this is done for every result
  return {
    messageId: result.messageId,
    verifierSourceAddress: result.verifierSourceAddress,
    verifierDestAddress: result.verifierDestAddress,
    encodedMessage,
    messageCCVAddresses,
    messageExecutorAddress,
    ccvData: result.ccvData,
    attestationMs: result.attestationMs,
    verifierName: result.verifierName,
    orphaned,
    position,
    ingestionMs: state.ingestionMs ?? nowMs,
    firstMs: body?.firstMs ?? nowMs,
  };
}

function byMessageId(a: MessageState, b: MessageState): number {
  return a.messageId < b.messageId ? -1 : 1;
}

function byIdentity({ result: a }: ResultState, { result: b }: ResultState): number {
  if (a.messageId !== b.messageId) return a.messageId < b.messageId ? -1 : 1;
  if (a.verifierSourceAddress !== b.verifierSourceAddress)
    return a.verifierSourceAddress < b.verifierSourceAddress ? -1 : 1;
  return a.verifierDestAddress < b.verifierDestAddress ? -1 : 1;
}
