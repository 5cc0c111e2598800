import type { Hex } from '../../../core/hex.js';
import type { CursorMove, Orphaning, StatusChange, WriteOutcome } from '../../../model/batch.js';
import { conflictIdentity } from '../../../model/identity.js';
import type { Conflict, QuarantineEntry } from '../../../model/records.js';
import { movesForward } from '../../../model/status.js';
import { CursorConflictError } from '../../../model/storage-errors.js';
import type { NewBody, PreparedBatch, PreparedMessage, PreparedQuarantine, PreparedResult } from './prepared-batch.js';
import { hashIdentity } from './prepared-batch.js';
import { isStoredOrigin, isStoredPayload } from './stored-equality.js';
import { describeConflict, receivedId } from './write-conflicts.js';
import type { BodyState, MessageState, ResultState, WriteState } from './write-state.js';

/** What differs from the stored state, each record once, with its present state. */
export interface Changed {
  readonly messages: ReadonlySet<MessageState>;
  readonly results: ReadonlySet<ResultState>;
  readonly cursors: ReadonlySet<string>;
  readonly quarantine: ReadonlyMap<Hex, QuarantineEntry>;
  readonly conflicts: ReadonlyMap<Hex, Conflict>;
  /** Records that left the lists or moved in time. */
  readonly moved: ReadonlySet<MessageState | ResultState>;
  /** Of those that were listed, the ingestion time under which they were. */
  readonly listedAt: ReadonlyMap<MessageState | ResultState, number>;
}

/** A conflict met, before the stored side is known. */
interface Clash {
  readonly received: PreparedMessage | PreparedResult;
  readonly batch: AppliedBatch;
}

/** A batch that was applied in memory. */
export interface AppliedBatch {
  readonly messages: WriteOutcome['messages'][number][];
  readonly verifierResults: WriteOutcome['verifierResults'][number][];
  readonly conflicts: Conflict[];
  /** It differs from what was there before it. */
  changed: boolean;
}

/**
 * Applies batches, one after the other, to the state they touch. Nothing here waits or reads a clock: the same state and
 * batches give the same plan.
 *
 * A record that several batches of a group change is one change of their common commit.
 *
 * Of pruned records the state knows too little to change them, or to describe a conflict with them. Then the plan is worth
 * nothing but for `lacking()`, which says what has to be recalled before it is made anew.
 */
export class WritePlan {
  readonly #state: WriteState;
  readonly #messages = new Set<MessageState>();
  readonly #results = new Set<ResultState>();
  readonly #cursors = new Set<string>();
  readonly #quarantine = new Map<Hex, QuarantineEntry>();
  readonly #conflicts = new Map<Hex, Conflict>();
  readonly #moved = new Set<MessageState | ResultState>();
  readonly #listedAt = new Map<MessageState | ResultState, number>();
  readonly #clashes: Clash[] = [];
  readonly #lacking = new Set<Hex>();
  #resultsById: Map<Hex, ResultState[]> | undefined;

  constructor(state: WriteState) {
    this.#state = state;
  }

  /**
   * Applies a batch, or nothing of it.
   * @throws CursorConflictError
   */
  apply(batch: PreparedBatch): AppliedBatch {
    this.#checkMoves(batch.cursors);
    const applied: AppliedBatch = { messages: [], verifierResults: [], conflicts: [], changed: false };
    for (const orphaning of batch.orphanings) this.#orphan(orphaning, applied);
    for (const message of batch.messages) applied.messages.push(this.#store(message, applied));
    for (const result of batch.results) applied.verifierResults.push(this.#storeResult(result, applied));
    for (const change of batch.statuses) this.#advance(change, applied);
    for (const entry of batch.quarantine) this.#quarantineOne(entry, applied);
    for (const move of batch.cursors) this.#move(move, applied);
    return applied;
  }

  /** Ids of which pruned records have to be recalled. Ask after `bodiesOfClashes` were read. */
  lacking(): ReadonlySet<Hex> {
    for (const { received } of this.#clashes) {
      const body = this.#state.bodies.get(receivedId(received));
      const existing = 'result' in received ? this.#state.results.get(received.key) : undefined;
      if (!body?.content || (existing && existing.prunedCcvHash !== null)) this.#lacking.add(receivedId(received));
    }
    for (const { messageId, pruned } of this.#messages) if (pruned !== null) this.#lacking.add(messageId);
    return this.#lacking;
  }

  /** Ids whose stored body must be in the state before the conflicts can be described. */
  bodiesOfClashes(): readonly Hex[] {
    const ids = this.#clashes.map(({ received }) => receivedId(received));
    return [...new Set(ids)].filter((id) => {
      const body = this.#state.bodies.get(id);
      return body?.stored && body.content === null;
    });
  }

  /** All conflicts by identity, each described to its batch. */
  describeClashes(): ReadonlyMap<Hex, { readonly conflict: Conflict; readonly batches: readonly AppliedBatch[] }> {
    const described = new Map<Hex, { conflict: Conflict; batches: AppliedBatch[] }>();
    for (const { received, batch } of this.#clashes) {
      const conflict = describeConflict(received, this.#state);
      batch.conflicts.push(conflict);
      const identity = hashIdentity(conflictIdentity(conflict));
      const known = described.get(identity);
      if (known) known.batches.push(batch);
      else described.set(identity, { conflict, batches: [batch] });
    }
    return described;
  }

  /** A conflict that is not stored yet becomes a change of the first batch that met it. */
  record(identity: Hex, conflict: Conflict, first: AppliedBatch | undefined): void {
    this.#conflicts.set(identity, conflict);
    if (first) first.changed = true;
  }

  changed(): Changed {
    return {
      messages: this.#messages,
      results: this.#results,
      cursors: this.#cursors,
      quarantine: this.#quarantine,
      conflicts: this.#conflicts,
      moved: this.#moved,
      listedAt: this.#listedAt,
    };
  }

  #checkMoves(moves: readonly CursorMove[]): void {
    const heights = new Map<string, bigint>();
    for (const { sourceId, height, expectedHeight, setBack } of moves) {
      const actual = heights.get(sourceId) ?? this.#state.cursors.get(sourceId)?.height ?? null;
      // a cursor falls for a person only: a watcher that would lower it has not seen where it is
      if (actual !== expectedHeight || (actual !== null && height < actual && setBack !== true))
        throw new CursorConflictError(sourceId, expectedHeight, actual);
      heights.set(sourceId, height);
    }
  }

  #orphan({ messageId, blockHash }: Orphaning, applied: AppliedBatch): void {
    const message = this.#state.messages.get(messageId);
    if (!message || message.orphaned) return;
    if (message.pruned === null && message.origin?.blockHash !== blockHash) return;
    if (this.#lacks(messageId)) return;
    if (message.origin?.blockHash !== blockHash) return;
    for (const record of [message, ...this.#resultsOf(messageId)]) {
      if (record.stored && record.ingestionMs !== null && !this.#listedAt.has(record))
        this.#listedAt.set(record, record.ingestionMs);
      record.orphaned = true;
      this.#moveInLists(record, applied);
    }
  }

  #store(given: PreparedMessage, applied: AppliedBatch): WriteOutcome['messages'][number] {
    const { messageId, origin } = given;
    if (!this.#claimBody(messageId, given.body)) {
      this.#clashes.push({ received: given, batch: applied });
      return 'conflict';
    }
    const message = this.#state.messages.get(messageId);
    if (!message) {
      const fresh: MessageState = {
        ...{ messageId, origin, stored: false, status: 'processing', orphaned: false, ingestionMs: null, pruned: null },
      };
      this.#state.messages.set(messageId, fresh);
      this.#touch(fresh, applied);
      return 'inserted';
    }
    const isElsewhere = origin !== null && !isStoredOrigin(origin, message);
    if (message.orphaned && this.#lacks(messageId)) return 'returned';
    if (isElsewhere) message.origin = origin;
    if (message.orphaned) {
      for (const record of [message, ...this.#resultsOf(messageId)]) {
        record.orphaned = false;
        record.ingestionMs = null;
        this.#moveInLists(record, applied);
      }
      return 'returned';
    }
    if (!isElsewhere) return 'duplicate';
    this.#touch(message, applied);
    return 'updated';
  }

  #storeResult(given: PreparedResult, applied: AppliedBatch): WriteOutcome['verifierResults'][number] {
    const { key, result, body } = given;
    const existing = this.#state.results.get(key);
    const agrees = this.#claimBody(result.messageId, body);
    if (!agrees || (existing && !isStoredPayload(result.ccvData, existing))) {
      this.#clashes.push({ received: given, batch: applied });
      return 'conflict';
    }
    if (existing) return 'duplicate';
    const orphaned = this.#state.messages.get(result.messageId)?.orphaned ?? false;
    const fresh: ResultState = { stored: false, result, orphaned, ingestionMs: null, prunedCcvHash: null };
    this.#state.results.set(key, fresh);
    if (this.#resultsById) this.#index(this.#resultsById, fresh);
    this.#touch(fresh, applied);
    return 'inserted';
  }

  #advance({ messageId, status }: StatusChange, applied: AppliedBatch): void {
    const message = this.#state.messages.get(messageId);
    if (!message || !movesForward(message.status, status)) return;
    message.status = status;
    this.#touch(message, applied);
  }

  #quarantineOne({ identity, entry }: PreparedQuarantine, applied: AppliedBatch): void {
    if (this.#state.quarantine.has(identity)) return;
    this.#state.quarantine.add(identity);
    this.#quarantine.set(identity, entry);
    applied.changed = true;
  }

  #move({ sourceId, height, hash }: CursorMove, applied: AppliedBatch): void {
    const cursor = this.#state.cursors.get(sourceId);
    if (cursor && cursor.height === height && cursor.hash === hash) return;
    this.#state.cursors.set(sourceId, { sourceId, height, hash });
    this.#cursors.add(sourceId);
    applied.changed = true;
  }

  /** Notes that the id has to be recalled before this can be gone on with; false when everything of it is here. */
  #lacks(messageId: Hex): boolean {
    if (!this.#state.incomplete.has(messageId)) return false;
    this.#lacking.add(messageId);
    return true;
  }

  /** True when the id has this body, or had none and now has it. */
  #claimBody(messageId: Hex, body: NewBody): boolean {
    const known = this.#state.bodies.get(messageId);
    if (known) {
      if (known.hash !== body.hash) return false;
      known.content ??= body.content;
      return true;
    }
    const fresh: BodyState = { hash: body.hash, firstMs: null, content: body.content, stored: false };
    this.#state.bodies.set(messageId, fresh);
    return true;
  }

  #touch(record: MessageState | ResultState, applied: AppliedBatch): void {
    if ('result' in record) this.#results.add(record);
    else this.#messages.add(record);
    applied.changed = true;
  }

  /** Only what others may have seen in the lists can move in them. */
  #moveInLists(record: MessageState | ResultState, applied: AppliedBatch): void {
    this.#touch(record, applied);
    if (record.stored) this.#moved.add(record);
  }

  #resultsOf(messageId: Hex): readonly ResultState[] {
    if (!this.#resultsById) {
      this.#resultsById = new Map();
      for (const state of this.#state.results.values()) this.#index(this.#resultsById, state);
    }
    return this.#resultsById.get(messageId) ?? [];
  }

  #index(index: Map<Hex, ResultState[]>, state: ResultState): void {
    const siblings = index.get(state.result.messageId);
    if (siblings) siblings.push(state);
    else index.set(state.result.messageId, [state]);
  }
}
