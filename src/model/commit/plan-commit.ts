import type { Hex } from '../../core/hex.js';
import type { CursorMove, Orphaning, Replacement, StatusChange, WriteOutcome } from '../batch.js';
import { quarantineIdentity, resultIdentity } from '../identity.js';
import { messagePayloadHash, verifierResultPayloadHash } from '../payload.js';
import type { Conflict, NewMessage, QuarantineEntry, SourceCursor, VerifierResult } from '../records.js';
import { movesForward } from '../status.js';
import type { CommitPlan, PlannedBatch, PlannedId, PlannedResult } from './commit-plan.js';
import { isStoredOrigin, isStoredPayload } from './equality.js';
import type { Given, GivenBatch } from './given-batch.js';
import type { Known, KnownId, KnownResult, Lacking } from './known.js';
import { ConflictPlanner, type Progress } from './plan-conflicts.js';
import { ExecutionPlanner } from './plan-executions.js';
import { claimBody, replaceContents } from './planned-id.js';
import { cursorConflict, leaseLoss } from './refusals.js';

/**
 * Plans the one commit of a group of batches over the stored state: the same state and batches give the same plan, and
 * neither is changed. A record that several batches change is one change of the commit.
 *
 * - A batch applies its parts in the order of `WriteBatch`; batches apply one after the other.
 * - The first payload of an identity stays; the same again is a duplicate, another one a conflict, recorded once. A
 *   batch that says so (`replacesFor`) replaces it, and the record is listed anew at the time of the commit.
 * - An orphaning takes effect while the message stands in its block; the message and its results leave the lists, and a
 *   message that is given again brings them back at the time of the commit.
 * - An execution is one of its log: the first told stays, an orphaning takes it back, the log told again returns it.
 * - A status only moves forward. A cursor moves from where its mover saw it, and falls only when set back by a person;
 *   a batch with another move is refused and changes nothing. So is one whose lease does not stand.
 * - A pruned record is compared by hash. A change of it, or a conflict with it, lacks its contents.
 */
export function planCommit(known: Known, batches: readonly GivenBatch[]): CommitPlan | Lacking {
  const planner = new CommitPlanner(known);
  const planned = batches.map((batch) => planner.plan(batch));
  return planner.lacking() ?? planner.result(planned);
}

type ResultVerdict = WriteOutcome['verifierResults'][number];

class CommitPlanner {
  readonly #known: Known;
  readonly #ids = new Map<Hex, PlannedId>();
  readonly #results = new Map<string, PlannedResult>();
  /** The known results of the touched ids, by identity. */
  readonly #stored = new Map<string, KnownResult>();
  readonly #cursors = new Map<string, SourceCursor>();
  readonly #quarantine = new Map<string, QuarantineEntry>();
  readonly #conflicts: ConflictPlanner;
  readonly #executions: ExecutionPlanner;
  readonly #replacements: Replacement[] = [];
  readonly #lacksBody = new Set<Hex>();
  readonly #lacksRecall = new Set<Hex>();

  constructor(known: Known) {
    this.#known = known;
    this.#executions = new ExecutionPlanner(known);
    this.#conflicts = new ConflictPlanner(known);
  }

  plan(batch: GivenBatch): PlannedBatch {
    const error =
      leaseLoss(batch.lease, this.#known) ?? cursorConflict(batch.cursors ?? [], (sourceId) => this.#cursor(sourceId));
    if (error) return { ok: false, error };
    const progress: Progress = { conflicts: [], changed: false };
    for (const orphaning of batch.orphanings ?? []) this.#orphan(orphaning, progress);
    const messages = (batch.messages ?? []).map((message) => this.#addMessage(message, progress));
    const verifierResults = (batch.verifierResults ?? []).map((result) =>
      this.#addResult(result, batch.replacesFor, progress),
    );
    for (const log of batch.executionOrphanings ?? []) this.#executions.orphan(log, progress);
    const executions = (batch.executions ?? []).map((each) => this.#executions.add(each, this.#conflicts, progress));
    for (const change of batch.statuses ?? []) this.#changeStatus(change, progress);
    for (const entry of batch.quarantine ?? []) this.#quarantineOne(entry, progress);
    for (const move of batch.cursors ?? []) this.#moveCursor(move, progress);
    const { conflicts, changed } = progress;
    return { ok: true, outcome: { messages, verifierResults, executions, conflicts }, changed };
  }

  lacking(): Lacking | null {
    if (this.#lacksBody.size + this.#lacksRecall.size + this.#conflicts.lacking.length === 0) return null;
    return {
      kind: 'lacking',
      bodies: this.#lacksBody,
      recalls: this.#lacksRecall,
      conflicts: this.#conflicts.lacking,
    };
  }

  result(batches: readonly PlannedBatch[]): CommitPlan {
    return {
      kind: 'planned',
      batches,
      ids: [...this.#ids.values()],
      executions: this.#executions.planned(),
      quarantine: [...this.#quarantine.values()],
      conflicts: this.#conflicts.planned(),
      replacements: this.#replacements,
      cursors: [...this.#cursors.values()],
    };
  }

  #orphan({ messageId, blockHash }: Orphaning, progress: Progress): void {
    const id = this.#touchedId(messageId);
    const message = id?.message;
    if (!id || !message || message.orphaned) return;
    if (message.prunedOrigin === undefined && message.origin?.blockHash !== blockHash) return;
    if (this.#lacksRecords(id) || message.prunedOrigin !== undefined) return;
    id.message = { ...message, orphaned: true };
    id.messageMoved = true;
    this.#moveResults(id, true);
    progress.changed = true;
  }

  #addMessage(given: Given<NewMessage>, progress: Progress): WriteOutcome['messages'][number] {
    const id = this.#touchedId(given.messageId) ?? this.#newId(given.messageId);
    if (!claimBody(id, given)) {
      this.#conflict(id, 'message', given, messagePayloadHash(given), undefined, progress);
      return 'conflict';
    }
    const { message } = id;
    if (!message) {
      id.message = { origin: given.origin, status: 'processing', orphaned: false, ingestionMs: null };
      // a memory that evicted an orphaned message may hold its results still
      this.#moveResults(id, false);
      progress.changed = true;
      return 'inserted';
    }
    const isElsewhere = given.origin !== null && !isStoredOrigin(given.origin, message);
    if (message.orphaned) {
      // a chain removed it: only a place on that chain brings it back
      if (given.origin === null) return 'duplicate';
      if (this.#lacksRecords(id) || message.prunedOrigin !== undefined) return 'returned';
      const origin = isElsewhere ? given.origin : message.origin;
      id.message = { ...message, origin, orphaned: false, ingestionMs: null };
      id.messageMoved = true;
      this.#moveResults(id, false);
      progress.changed = true;
      return 'returned';
    }
    if (!isElsewhere) return 'duplicate';
    if (message.prunedOrigin !== undefined) this.#lacksRecall.add(id.messageId);
    else id.message = { ...message, origin: given.origin };
    progress.changed = true;
    return 'updated';
  }

  #addResult(given: Given<VerifierResult>, replay: bigint | undefined, progress: Progress): ResultVerdict {
    const id = this.#touchedId(given.messageId) ?? this.#newId(given.messageId);
    const identity = resultIdentity(given);
    const stored = this.#results.get(identity) ?? this.#stored.get(identity);
    const isBody = claimBody(id, given);
    const isOther = stored !== undefined && !isStoredPayload(given.ccvData, stored);
    if (isBody && isOther && replay !== undefined) return this.#replace(id, given, stored, replay, progress);
    if (!isBody || isOther) {
      this.#conflict(id, 'verifierResult', given, verifierResultPayloadHash(given), stored, progress);
      return 'conflict';
    }
    if (stored) return 'duplicate';
    const orphaned = id.message ? id.message.orphaned : (id.known?.results[0]?.orphaned ?? false);
    const fresh: PlannedResult = { id, known: undefined, contents: given, orphaned, ingestionMs: null, moved: false };
    this.#results.set(identity, fresh);
    id.results.push(fresh);
    progress.changed = true;
    return 'inserted';
  }

  #replace(
    id: PlannedId,
    given: VerifierResult,
    stored: PlannedResult | KnownResult,
    replay: bigint,
    progress: Progress,
  ): 'replaced' {
    const isPruned = !('contents' in stored) && stored.prunedCcv !== undefined;
    if (isPruned || id.message?.prunedOrigin !== undefined) {
      this.#lacksRecall.add(id.messageId);
      return 'replaced';
    }
    const storedHash = this.#storedHash(id, stored);
    const result = 'contents' in stored ? stored : this.#changedResult(id, stored);
    const receivedHash = verifierResultPayloadHash(given);
    this.#replacements.push({ replay, messageId: id.messageId, old: result.contents, storedHash, receivedHash });
    replaceContents(id, result, given);
    progress.changed = true;
    return 'replaced';
  }

  #changeStatus({ messageId, status }: StatusChange, progress: Progress): void {
    const id = this.#touchedId(messageId);
    const message = id?.message;
    if (!id || !message || !movesForward(message.status, status)) return;
    if (message.prunedOrigin !== undefined) this.#lacksRecall.add(messageId);
    else id.message = { ...message, status };
    progress.changed = true;
  }

  #quarantineOne(entry: QuarantineEntry, progress: Progress): void {
    const identity = quarantineIdentity(entry);
    if (this.#quarantine.has(identity) || this.#known.hasQuarantine(entry)) return;
    this.#quarantine.set(identity, entry);
    progress.changed = true;
  }

  #moveCursor({ sourceId, height, hash }: CursorMove, progress: Progress): void {
    const cursor = this.#cursor(sourceId);
    if (cursor && cursor.height === height && cursor.hash === hash) return;
    this.#cursors.set(sourceId, { sourceId, height, hash });
    progress.changed = true;
  }

  #conflict(
    id: PlannedId,
    record: Conflict['record'],
    given: NewMessage | VerifierResult,
    receivedHash: Hex,
    stored: PlannedResult | KnownResult | undefined,
    progress: Progress,
  ): void {
    const { messageId } = id;
    const isResult = 'ccvData' in given;
    const verifierSourceAddress = isResult ? given.verifierSourceAddress : '0x';
    const verifierDestAddress = isResult ? given.verifierDestAddress : '0x';
    const storedHash = this.#storedHash(id, stored);
    this.#conflicts.met(
      { record, messageId, verifierSourceAddress, verifierDestAddress, storedHash, receivedHash },
      progress,
    );
  }

  /** Hash of the stored side of a conflict. Empty where it cannot be told yet. */
  #storedHash({ messageId, known, body }: PlannedId, stored: PlannedResult | KnownResult | undefined): Hex {
    const contents = stored && 'contents' in stored ? stored.contents : stored;
    const isPruned = stored !== undefined && 'prunedCcv' in stored && stored.prunedCcv !== undefined;
    if (isPruned || (body === null && known?.isBodyPruned)) this.#lacksRecall.add(messageId);
    else if (body === null) this.#lacksBody.add(messageId);
    else return contents ? verifierResultPayloadHash({ ...body, ccvData: contents.ccvData }) : messagePayloadHash(body);
    return '0x';
  }

  /** True when pruned records of the id have to be recalled before it leaves or returns to the lists. */
  #lacksRecords({ messageId, known }: PlannedId): boolean {
    if (!known?.isPruned) return false;
    this.#lacksRecall.add(messageId);
    return true;
  }

  /** The results of an id leave the lists, or come back to them at the time of the commit. */
  #moveResults(id: PlannedId, orphaned: boolean): void {
    for (const result of id.results) {
      if (result.orphaned === orphaned) continue;
      result.orphaned = orphaned;
      if (!orphaned) result.ingestionMs = null;
      result.moved = true;
    }
    for (const known of id.known?.results ?? []) {
      const identity = resultIdentity(known);
      if (known.orphaned === orphaned || this.#results.has(identity)) continue;
      const result = this.#changedResult(id, known);
      result.orphaned = orphaned;
      if (!orphaned) result.ingestionMs = null;
      result.moved = true;
    }
  }

  /** A stored result that the commit changes, as it is stored. */
  #changedResult(id: PlannedId, known: KnownResult): PlannedResult {
    const { orphaned, ingestionMs } = known;
    const result: PlannedResult = { id, known, contents: known, orphaned, ingestionMs, moved: false };
    this.#results.set(resultIdentity(known), result);
    id.results.push(result);
    return result;
  }

  #cursor(sourceId: string): SourceCursor | undefined {
    return this.#cursors.get(sourceId) ?? this.#known.cursor(sourceId);
  }

  /** Undefined: the id was never heard of. */
  #touchedId(messageId: Hex): PlannedId | undefined {
    const planned = this.#ids.get(messageId);
    if (planned) return planned;
    const known = this.#known.id(messageId);
    return known && this.#newId(messageId, known);
  }

  #newId(messageId: Hex, known?: KnownId): PlannedId {
    const id: PlannedId = {
      messageId,
      known,
      body: known?.body ?? null,
      bodyHash: known?.bodyHash,
      message: known?.message,
      messageMoved: false,
      results: [],
    };
    this.#ids.set(messageId, id);
    for (const result of known?.results ?? []) this.#stored.set(resultIdentity(result), result);
    return id;
  }
}
