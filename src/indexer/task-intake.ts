import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.js';
import type { Hex } from '../core/hex.js';
import type { ChangeSet } from '../model/batch.js';
import type { StoredMessage } from '../model/records.js';
import type { VerifierRegistry } from '../verifiers/registry.js';
import type { TaskBoard } from './task-board.js';
import type { UnknownCCVs } from './unknown-ccvs.js';
import { createTask, markAnswered, type PendingMessage, pendingMessage } from './verification-task.js';
import type { TaskShare } from './workers/membership.js';

/** Removals remembered, so that a page of messages that was read before one does not bring the message back. */
const REMEMBERED_REMOVALS = 10_000;

/**
 * Turns messages into tasks on the board, a message never into two, and tells the tasks the word of the
 * storage on them: a result that is stored, a message that is verified or orphaned.
 */
export class TaskIntake {
  readonly #board: TaskBoard;
  readonly #unknown: UnknownCCVs;
  readonly #registry: VerifierRegistry;
  readonly #share: TaskShare;
  readonly #baseDelayMs: number;
  readonly #clock: Clock;
  /** Position of the change that made a task end. */
  readonly #removals = new LRUCache<Hex, bigint>({ max: REMEMBERED_REMOVALS });
  #closed = false;

  constructor(parts: {
    readonly board: TaskBoard;
    readonly unknown: UnknownCCVs;
    readonly registry: VerifierRegistry;
    readonly share: TaskShare;
    readonly baseDelayMs: number;
    readonly clock: Clock;
  }) {
    this.#board = parts.board;
    this.#unknown = parts.unknown;
    this.#registry = parts.registry;
    this.#share = parts.share;
    this.#baseDelayMs = parts.baseDelayMs;
    this.#clock = parts.clock;
  }

  /** Takes over a commit. `live`: told as it was made, not read later. */
  follow(changes: ChangeSet, live: boolean): void {
    for (const change of changes.changes) {
      if (change.kind === 'message') {
        const { record } = change;
        // told as it was committed, and the first record of its id: nothing else can be stored for it
        const first = live && record.ingestionMs === changes.headMs && record.firstMs === record.ingestionMs;
        this.#onMessage(record, !first);
      } else if (change.kind === 'verifierResult' && !change.record.orphaned) {
        const task = this.#board.get(change.record.messageId);
        if (task === null) continue;
        markAnswered(task, change.record.verifierSourceAddress);
        if (task.missing.length === 0) this.#board.hurry(task);
      }
    }
  }

  /** A task for an unfinished message of this share, unless it has one. False when the board has no place for it. */
  take(message: PendingMessage, needsLookup: boolean): boolean {
    if (this.#closed || this.#board.get(message.messageId) !== null) return true;
    if (!this.#share.isMine(message.messageId)) return true;
    if ((this.#removals.get(message.messageId) ?? -1n) >= message.position) return true;
    const task = createTask(message, {
      registry: this.#registry,
      baseDelayMs: this.#baseDelayMs,
      needsLookup,
      nowMs: this.#clock.nowMs(),
    });
    const hopeless = !task.verifiable && task.timedOut;
    if (!hopeless && !this.#board.admit(task)) return false;
    this.#unknown.note(message);
    return true;
  }

  /** From here on no message becomes a task. */
  close(): void {
    this.#closed = true;
  }

  #onMessage(record: StoredMessage, needsLookup: boolean): void {
    const { messageId, position } = record;
    if (record.orphaned || record.status === 'success') {
      const task = this.#board.get(messageId);
      if (task) this.#board.end(task);
      if (record.orphaned) this.#unknown.forget(messageId);
      this.#removals.set(messageId, position);
    } else this.take(pendingMessage(record), needsLookup);
  }
}
