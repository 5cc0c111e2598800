import type { Hex } from '../../core/hex.js';
import type { Orphaning, StatusChange, WriteBatch, WriteOutcome } from '../../model/batch.js';
import { conflictIdentity, quarantineIdentity } from '../../model/identity.js';
import { messagePayloadHash, verifierResultPayloadHash } from '../../model/payload.js';
import type {
  Conflict,
  MessageOrigin,
  NewMessage,
  QuarantineEntry,
  SourceCursor,
  StoredMessage,
  StoredVerifierResult,
  VerifierResult,
} from '../../model/records.js';
import { movesForward } from '../../model/status.js';
import { CursorConflictError } from '../../model/storage-errors.js';
import {
  type Body,
  copyBody,
  copyBytes,
  findResult,
  sameBody,
  sameBytes,
  storedMessage,
  storedResult,
  withResult,
} from './body.js';
import type { Entry, RecordStore } from './record-store.js';

/** A record as it will be stored, without its position yet. */
export type PlannedRecord =
  | { readonly kind: 'message'; readonly record: StoredMessage; readonly body: Body; readonly moved: boolean }
  | {
      readonly kind: 'verifierResult';
      readonly record: StoredVerifierResult;
      readonly body: Body;
      readonly moved: boolean;
    };

/** What a batch will change. Nothing of the store has been touched yet. */
export interface CommitPlan {
  readonly outcome: Omit<WriteOutcome, 'committed'>;
  /** Changed messages and verifier results, in the order of lists. */
  readonly records: readonly PlannedRecord[];
  readonly conflicts: readonly Conflict[];
  readonly quarantine: readonly QuarantineEntry[];
  readonly cursors: readonly SourceCursor[];
}

/** The state of one message id as the batch has changed it so far. */
interface Draft {
  readonly entry: Entry | undefined;
  readonly body: Body;
  readonly firstMs: number;
  message: StoredMessage | undefined;
  results: readonly StoredVerifierResult[];
  /** Left the lists, or came back to them. */
  moved: boolean;
}

/**
 * Works out what a checked batch does to the store when it commits at `ingestionMs`. `firstMsOf` says when the first
 * record of an id was stored that the store holds nothing of.
 * @throws CursorConflictError
 */
export function planCommit(
  store: RecordStore,
  batch: WriteBatch,
  ingestionMs: number,
  firstMsOf: (messageId: Hex) => number,
): CommitPlan {
  const cursors = planCursors(store, batch);
  const planner = new Planner(store, ingestionMs, firstMsOf);
  for (const orphaning of batch.orphanings ?? []) planner.orphan(orphaning);
  const messages = (batch.messages ?? []).map((message) => planner.addMessage(message));
  const verifierResults = (batch.verifierResults ?? []).map((result) => planner.addResult(result));
  for (const change of batch.statuses ?? []) planner.changeStatus(change);
  return {
    outcome: { messages, verifierResults, conflicts: planner.conflicts },
    records: planner.changedRecords(),
    conflicts: onlyNew(planner.conflicts, conflictIdentity, store.conflicts),
    quarantine: onlyNew(batch.quarantine ?? [], quarantineIdentity, store.quarantine),
    cursors,
  };
}

class Planner {
  readonly conflicts: Conflict[] = [];
  readonly #drafts = new Map<Hex, Draft>();
  readonly #store: RecordStore;
  readonly #ingestionMs: number;
  readonly #firstMsOf: (messageId: Hex) => number;

  constructor(store: RecordStore, ingestionMs: number, firstMsOf: (messageId: Hex) => number) {
    this.#store = store;
    this.#ingestionMs = ingestionMs;
    this.#firstMsOf = firstMsOf;
  }

  orphan({ messageId, blockHash }: Orphaning): void {
    const draft = this.#draft(messageId);
    const message = draft?.message;
    if (!draft || !message || message.orphaned || message.origin?.blockHash !== blockHash) return;
    draft.message = { ...message, orphaned: true };
    draft.results = draft.results.map((result) => ({ ...result, orphaned: true }));
    draft.moved = true;
  }

  addMessage(given: NewMessage): WriteOutcome['messages'][number] {
    const draft = this.#draft(given.messageId) ?? this.#newDraft(given);
    if (!sameBody(draft.body, given)) {
      this.#conflict('message', given, messagePayloadHash(draft.body), messagePayloadHash(given));
      return 'conflict';
    }
    const { message } = draft;
    if (!message) {
      draft.message = this.#newMessage(draft, given.origin);
      this.#returnResults(draft);
      return 'inserted';
    }
    const origin = given.origin ? copyOrigin(given.origin) : message.origin;
    if (message.orphaned) {
      draft.message = { ...message, origin, orphaned: false, ingestionMs: this.#ingestionMs };
      this.#returnResults(draft);
      draft.moved = true;
      return 'returned';
    }
    if (sameOrigin(origin, message.origin)) return 'duplicate';
    draft.message = { ...message, origin };
    return 'updated';
  }

  addResult(given: VerifierResult): WriteOutcome['verifierResults'][number] {
    const draft = this.#draft(given.messageId) ?? this.#newDraft(given);
    const stored = findResult(draft.results, given);
    const sameBodies = sameBody(draft.body, given);
    if (stored && sameBodies && sameBytes(stored.ccvData, given.ccvData)) return 'duplicate';
    if (stored || !sameBodies) {
      const storedHash = stored ? verifierResultPayloadHash(stored) : messagePayloadHash(draft.body);
      this.#conflict('verifierResult', given, storedHash, verifierResultPayloadHash(given));
      return 'conflict';
    }
    draft.results = withResult(draft.results, this.#newResult(draft, given));
    return 'inserted';
  }

  changeStatus({ messageId, status }: StatusChange): void {
    const draft = this.#draft(messageId);
    if (draft?.message && movesForward(draft.message.status, status)) draft.message = { ...draft.message, status };
  }

  changedRecords(): PlannedRecord[] {
    const planned: PlannedRecord[] = [];
    for (const { entry, body, message, results, moved } of this.#drafts.values()) {
      if (message && message !== entry?.message) planned.push({ kind: 'message', record: message, body, moved });
      if (results !== entry?.results)
        for (const record of results)
          if (!entry?.results.includes(record)) planned.push({ kind: 'verifierResult', record, body, moved });
    }
    return planned.sort(comparePlanned);
  }

  #draft(messageId: Hex): Draft | undefined {
    const known = this.#drafts.get(messageId);
    if (known) return known;
    const entry = this.#store.entries.get(messageId);
    if (!entry) return undefined;
    const { body, firstMs, message, results } = entry;
    const draft: Draft = { entry, body, firstMs, message, results, moved: false };
    this.#drafts.set(body.messageId, draft);
    return draft;
  }

  #newDraft(given: Omit<NewMessage, 'origin'>): Draft {
    const body = copyBody(given, this.#store.interner);
    const firstMs = this.#firstMsOf(body.messageId);
    const draft: Draft = { entry: undefined, body, firstMs, message: undefined, results: [], moved: false };
    this.#drafts.set(body.messageId, draft);
    return draft;
  }

  #newMessage({ body, firstMs }: Draft, origin: MessageOrigin | null): StoredMessage {
    return storedMessage(body, {
      origin: origin && copyOrigin(origin),
      status: 'processing',
      ingestionMs: this.#ingestionMs,
      position: 0n,
      firstMs,
      orphaned: false,
    });
  }

  #newResult({ body, firstMs, message, results }: Draft, given: VerifierResult): StoredVerifierResult {
    return storedResult(
      body,
      {
        ...given,
        ccvData: copyBytes(given.ccvData),
        ingestionMs: this.#ingestionMs,
        position: 0n,
        firstMs,
        orphaned: message?.orphaned ?? results[0]?.orphaned ?? false,
      },
      this.#store.interner,
    );
  }

  #returnResults(draft: Draft): void {
    if (draft.results.some((result) => result.orphaned))
      draft.results = draft.results.map((result) => ({ ...result, orphaned: false, ingestionMs: this.#ingestionMs }));
  }

  #conflict(
    record: Conflict['record'],
    given: Pick<NewMessage, 'messageId'> & Partial<VerifierResult>,
    storedHash: Hex,
    receivedHash: Hex,
  ): void {
    const { messageId, verifierSourceAddress = '0x', verifierDestAddress = '0x' } = given;
    this.conflicts.push({ record, messageId, verifierSourceAddress, verifierDestAddress, storedHash, receivedHash });
  }
}

/** Each cursor's last move; all moves of a cursor are checked one after the other. */
function planCursors(store: RecordStore, batch: WriteBatch): SourceCursor[] {
  const moved = new Map<string, SourceCursor>();
  for (const { sourceId, height, hash, expectedHeight, setBack } of batch.cursors ?? []) {
    const present = moved.get(sourceId) ?? store.cursors.get(sourceId);
    const presentHeight = present?.height ?? null;
    if (presentHeight !== expectedHeight || (presentHeight !== null && height < presentHeight && setBack !== true))
      throw new CursorConflictError(sourceId, expectedHeight, presentHeight);
    moved.set(sourceId, { sourceId, height, hash });
  }
  return [...moved.values()].filter(({ sourceId, height, hash }) => {
    const stored = store.cursors.get(sourceId);
    return stored?.height !== height || stored.hash !== hash;
  });
}

function onlyNew<T>(
  records: readonly T[],
  identityOf: (record: T) => string,
  stored: { has(id: string): boolean },
): T[] {
  const fresh = new Map<string, T>();
  for (const record of records) {
    const identity = identityOf(record);
    if (!stored.has(identity) && !fresh.has(identity)) fresh.set(identity, record);
  }
  return [...fresh.values()];
}

function comparePlanned(a: PlannedRecord, b: PlannedRecord): number {
  if (a.record.messageId !== b.record.messageId) return a.record.messageId < b.record.messageId ? -1 : 1;
  if (a.kind !== b.kind) return a.kind === 'message' ? -1 : 1;
  // the results of one message are planned in their order, and the sort is stable
  return 0;
}

function copyOrigin({
  blockNumber,
  blockHash,
  blockTimestampMs,
  transactionHash,
  logIndex,
}: MessageOrigin): MessageOrigin {
  return { blockNumber, blockHash, blockTimestampMs, transactionHash, logIndex };
}

function sameOrigin(a: MessageOrigin | null, b: MessageOrigin | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.blockNumber === b.blockNumber &&
    a.blockHash === b.blockHash &&
    a.blockTimestampMs === b.blockTimestampMs &&
    a.transactionHash === b.transactionHash &&
    a.logIndex === b.logIndex
  );
}
