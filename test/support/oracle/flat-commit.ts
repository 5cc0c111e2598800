import type { Hex } from '../../../src/core/hex.js';
import type { ExecutionOrphaning, WriteBatch, WriteOutcome } from '../../../src/model/batch.js';
import { executionPayloadHash, messagePayloadHash, verifierResultPayloadHash } from '../../../src/model/payload.js';
import type {
  Conflict,
  Execution,
  MessageOrigin,
  NewMessage,
  StoredExecution,
  StoredMessage,
  StoredVerifierResult,
  VerifierResult,
} from '../../../src/model/records.js';
import { CursorConflictError } from '../../../src/model/storage-errors.js';
import { bodyOf, conflictKey, executionKey, type FlatState, resultKey, textOf } from './flat-state.js';

/** What a batch does to a state: the state after it and what its writer is told. */
export interface FlatCommit {
  readonly state: FlatState;
  readonly outcome: WriteOutcome;
}

const NO_ADDRESSES = { verifierSourceAddress: '0x', verifierDestAddress: '0x' } as const;

const RANK = { processing: 0, timeout: 1, success: 2 } as const;

/**
 * What `batch` does when it commits at `ingestionMs`: said once more, as plainly as possible, without an index, a tier or a
 * cache.
 * @throws CursorConflictError
 */
export function commitFlat(before: FlatState, batch: WriteBatch, ingestionMs: number): FlatCommit {
  const draft = new Draft(before, ingestionMs);
  draft.moveCursors(batch);
  for (const { messageId, blockHash } of batch.orphanings ?? []) draft.orphan(messageId, blockHash);
  const messages = (batch.messages ?? []).map((message) => draft.addMessage(message));
  const verifierResults = (batch.verifierResults ?? []).map((result) =>
    draft.addResult(result, batch.replacesFor !== undefined),
  );
  for (const log of batch.executionOrphanings ?? []) draft.orphanExecution(log);
  const executions = (batch.executions ?? []).map((execution) => draft.addExecution(execution));
  for (const { messageId, status } of batch.statuses ?? []) draft.changeStatus(messageId, status);
  for (const entry of batch.quarantine ?? []) draft.quarantine(entry);
  const state = draft.stamped();
  const committed = state.position === before.position ? null : { ingestionMs, throughPosition: state.position };
  return {
    state: committed ? state : before,
    outcome: { messages, verifierResults, executions, conflicts: draft.described, committed },
  };
}

class Draft {
  /** All conflicts met, known ones too. */
  readonly described: Conflict[] = [];
  readonly #before: FlatState;
  readonly #ms: number;
  readonly #messages: Map<Hex, StoredMessage>;
  readonly #results: Map<string, StoredVerifierResult>;
  readonly #bodies: Map<Hex, { readonly body: ReturnType<typeof bodyOf>; readonly firstMs: number }>;
  readonly #executions: Map<string, StoredExecution>;
  readonly #cursors: Map<string, { sourceId: string; height: bigint; hash: Hex | null; position: bigint }>;
  readonly #quarantine: Map<
    string,
    NonNullable<WriteBatch['quarantine']>[number] & { position: bigint; ingestionMs: number }
  >;
  readonly #conflicts: Map<string, Conflict & { position: bigint; ingestionMs: number }>;

  constructor(before: FlatState, ingestionMs: number) {
    this.#before = before;
    this.#ms = ingestionMs;
    this.#messages = new Map(before.messages);
    this.#results = new Map(before.results);
    this.#bodies = new Map(before.bodies);
    this.#executions = new Map(before.executions);
    this.#cursors = new Map(before.cursors);
    this.#quarantine = new Map(before.quarantine);
    this.#conflicts = new Map(before.conflicts);
  }

  moveCursors({ cursors = [] }: WriteBatch): void {
    for (const { sourceId, height, hash, expectedHeight } of cursors) {
      const cursor = this.#cursors.get(sourceId);
      const present = cursor?.height ?? null;
      if (present !== expectedHeight || (present !== null && height < present))
        throw new CursorConflictError(sourceId, expectedHeight, present);
      if (!cursor || cursor.height !== height || cursor.hash !== hash)
        this.#cursors.set(sourceId, { sourceId, height, hash, position: 0n });
    }
  }

  orphan(messageId: Hex, blockHash: Hex): void {
    const message = this.#messages.get(messageId);
    if (!message || message.orphaned || message.origin?.blockHash !== blockHash) return;
    this.#messages.set(messageId, { ...message, orphaned: true });
    this.#changeResults(messageId, (result) => ({ ...result, orphaned: true }));
  }

  addMessage(given: NewMessage): WriteOutcome['messages'][number] {
    const { messageId } = given;
    const known = this.#bodies.get(messageId);
    if (known && textOf(bodyOf(given)) !== textOf(known.body)) {
      this.#conflict('message', given, messagePayloadHash(known.body), messagePayloadHash(given));
      return 'conflict';
    }
    const { body, firstMs } = this.#introduce(given);
    const message = this.#messages.get(messageId);
    if (!message) {
      const stamp = { ingestionMs: this.#ms, position: 0n, firstMs, orphaned: false };
      this.#messages.set(messageId, { ...body, origin: given.origin, status: 'processing', ...stamp });
      return 'inserted';
    }
    const origin = given.origin ?? message.origin;
    if (message.orphaned && given.origin === null) return 'duplicate';
    if (message.orphaned) {
      this.#messages.set(messageId, { ...message, origin, orphaned: false, ingestionMs: this.#ms });
      this.#changeResults(messageId, (result) => ({ ...result, orphaned: false, ingestionMs: this.#ms }));
      return 'returned';
    }
    if (isSameOrigin(origin, message.origin)) return 'duplicate';
    this.#messages.set(messageId, { ...message, origin });
    return 'updated';
  }

  addResult(given: VerifierResult, replaces: boolean): WriteOutcome['verifierResults'][number] {
    const known = this.#bodies.get(given.messageId);
    const stored = this.#results.get(resultKey(given));
    const isSameBody = known === undefined || textOf(bodyOf(given)) === textOf(known.body);
    if (stored && isSameBody && Buffer.compare(stored.ccvData, given.ccvData) === 0) return 'duplicate';
    if (stored && isSameBody && replaces) {
      const { ingestionMs, orphaned } = stored;
      const { ccvData, attestationMs, verifierName } = given;
      const verdict = given.verdict ?? null;
      const news = { ccvData, attestationMs, verifierName, verdict, ingestionMs: orphaned ? ingestionMs : this.#ms };
      this.#results.set(resultKey(given), { ...stored, ...news });
      const message = this.#messages.get(given.messageId);
      if (message && !message.orphaned) this.#messages.set(given.messageId, { ...message, ingestionMs: this.#ms });
      return 'replaced';
    }
    if (known && (stored || !isSameBody)) {
      const storedHash = stored ? verifierResultPayloadHash(stored) : messagePayloadHash(known.body);
      this.#conflict('verifierResult', given, storedHash, verifierResultPayloadHash(given));
      return 'conflict';
    }
    const { body, firstMs } = this.#introduce(given);
    const orphaned = this.#messages.get(given.messageId)?.orphaned ?? false;
    const stamp = { ingestionMs: this.#ms, position: 0n, firstMs, orphaned };
    this.#results.set(resultKey(given), { ...given, ...body, ...stamp, verdict: given.verdict ?? null });
    return 'inserted';
  }

  orphanExecution({ messageId, blockHash, logIndex }: ExecutionOrphaning): void {
    for (const [key, execution] of this.#executions)
      if (
        execution.messageId === messageId &&
        execution.place.blockHash === blockHash &&
        execution.place.logIndex === logIndex
      )
        this.#executions.set(key, { ...execution, orphaned: true });
  }

  addExecution(given: Execution): WriteOutcome['executions'][number] {
    const { messageId, place } = given;
    const found = [...this.#executions].find(
      ([, each]) =>
        each.messageId === messageId &&
        each.place.blockHash === place.blockHash &&
        each.place.logIndex === place.logIndex,
    );
    if (!found) {
      const stamp = { ingestionMs: this.#ms, position: 0n, orphaned: false };
      this.#executions.set(executionKey(given), { ...given, ...stamp });
      return 'inserted';
    }
    const [key, stored] = found;
    const { ingestionMs: _ms, position: _position, orphaned, ...execution } = stored;
    if (textOf(execution) !== textOf(given)) {
      this.#noteConflict({
        record: 'execution',
        messageId,
        ...NO_ADDRESSES,
        storedHash: executionPayloadHash(execution),
        receivedHash: executionPayloadHash(given),
      });
      return 'conflict';
    }
    this.#executions.set(key, { ...stored, orphaned: false });
    return orphaned ? 'returned' : 'duplicate';
  }

  changeStatus(messageId: Hex, status: StoredMessage['status']): void {
    const message = this.#messages.get(messageId);
    if (message && RANK[status] > RANK[message.status]) this.#messages.set(messageId, { ...message, status });
  }

  quarantine(entry: NonNullable<WriteBatch['quarantine']>[number]): void {
    const identity = `${entry.sourceId} ${entry.key}`;
    if (!this.#quarantine.has(identity))
      this.#quarantine.set(identity, { ...entry, ingestionMs: this.#ms, position: 0n });
  }

  /** The state with the next positions given to all that changed, by kind; see `stampCommit`. */
  stamped(): FlatState {
    const { position: from } = this.#before;
    let position = from;
    const stamp = <K, T extends { readonly position: bigint }>(map: Map<K, T>, keys: readonly K[]) => {
      for (const key of keys) {
        position += 1n;
        const record = map.get(key);
        if (record) map.set(key, { ...record, position });
      }
    };
    stamp(this.#messages, changed(this.#before.messages, this.#messages).sort());
    stamp(this.#results, changed(this.#before.results, this.#results).sort());
    stamp(this.#executions, changed(this.#before.executions, this.#executions).sort());
    stamp(this.#quarantine, changed(this.#before.quarantine, this.#quarantine));
    stamp(this.#conflicts, changed(this.#before.conflicts, this.#conflicts));
    stamp(this.#cursors, changed(this.#before.cursors, this.#cursors));
    return {
      position,
      headMs: this.#ms,
      messages: this.#messages,
      results: this.#results,
      bodies: this.#bodies,
      executions: this.#executions,
      cursors: this.#cursors,
      quarantine: this.#quarantine,
      conflicts: this.#conflicts,
    };
  }

  #introduce(given: NewMessage | VerifierResult) {
    const known = this.#bodies.get(given.messageId) ?? { body: bodyOf(given), firstMs: this.#ms };
    this.#bodies.set(given.messageId, known);
    return known;
  }

  #changeResults(messageId: Hex, change: (result: StoredVerifierResult) => StoredVerifierResult): void {
    for (const [key, result] of this.#results)
      if (result.messageId === messageId) this.#results.set(key, change(result));
  }

  #conflict(record: Conflict['record'], given: NewMessage | VerifierResult, storedHash: Hex, receivedHash: Hex): void {
    const { messageId } = given;
    const addresses =
      'verifierSourceAddress' in given
        ? { verifierSourceAddress: given.verifierSourceAddress, verifierDestAddress: given.verifierDestAddress }
        : NO_ADDRESSES;
    this.#noteConflict({ record, messageId, ...addresses, storedHash, receivedHash });
  }

  #noteConflict(conflict: Conflict): void {
    this.described.push(conflict);
    const key = conflictKey(conflict);
    if (!this.#conflicts.has(key)) this.#conflicts.set(key, { ...conflict, ingestionMs: this.#ms, position: 0n });
  }
}

/** The keys whose records are not what they were, whatever their positions. */
function changed<K, T extends object>(before: ReadonlyMap<K, T>, after: ReadonlyMap<K, T>): K[] {
  const unplaced = (record: T | undefined) => record && textOf({ ...record, position: 0n });
  return [...after].flatMap(([key, record]) =>
    before.get(key) === record || unplaced(before.get(key)) === unplaced(record) ? [] : [key],
  );
}

function isSameOrigin(a: MessageOrigin | null, b: MessageOrigin | null): boolean {
  return textOf(a) === textOf(b);
}
