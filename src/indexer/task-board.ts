import type { Hex } from '../core/hex.js';
import { IntrusiveList } from './intrusive-list.js';
import { TimingWheel } from './timing-wheel.js';
import { ATTEMPT_OVER, type VerificationTask } from './verification-task.js';

/** How many tasks are in which state. */
export interface TaskCounts {
  /** Waiting for a worker. */
  readonly ready: number;
  readonly running: number;
  /** Waiting for their next attempt. */
  readonly waiting: number;
}

/**
 * The share of the places that is kept for messages whose window has ended, so that neither kind keeps out the other.
 */
const TIMED_OUT_SHARE = 0.1;

/**
 * The tasks held in memory, at most `maxTasks` of them (but two at least).
 *
 * ```
 *  storage ──admit──► ready ──take──► running ──finish──► gone: verified, orphaned, or timed out
 *     ▲                 ▲                │
 *     │                due              wait
 *     │                 │                │
 *     └────park──── waiting ◄────────────┘
 * ```
 *
 * A message that is not verified yet is always in storage; being on the board only means that it is asked for. When the
 * board is full, admitting one parks another: the waiting task whose last attempt is longest ago. Tasks that are
 * ready or running are never parked, so that whatever is admitted is asked for at least once. `overflowed` tells that
 * messages still in their window are in storage only, and must be swept up again.
 *
 * Messages whose window has ended are here for one attempt at a time, in places of their own, behind all others.
 */
export class TaskBoard {
  readonly #maxInTime: number;
  readonly #maxTimedOut: number;
  readonly #tasks = new Map<Hex, VerificationTask>();
  readonly #ready = new IntrusiveList<VerificationTask>();
  readonly #readyTimedOut = new IntrusiveList<VerificationTask>();
  readonly #waiting = new IntrusiveList<VerificationTask>();
  readonly #wheel: TimingWheel<VerificationTask>;
  #running = 0;
  /** Tasks in a place for those. */
  #timedOut = 0;
  #overflowed = false;

  constructor(options: {
    readonly maxTasks: number;
    readonly tickMs: number;
    /** Delays up to this are found by one look into one slot. */
    readonly horizonMs: number;
    readonly nowMs: number;
  }) {
    const slots = Math.min(4_096, Math.max(16, Math.ceil(options.horizonMs / options.tickMs) + 1));
    this.#maxTimedOut = Math.max(1, Math.floor(options.maxTasks * TIMED_OUT_SHARE));
    this.#maxInTime = Math.max(1, options.maxTasks - this.#maxTimedOut);
    this.#wheel = new TimingWheel({ tickMs: options.tickMs, slots, nowMs: options.nowMs });
  }

  get size(): number {
    return this.#tasks.size;
  }

  get overflowed(): boolean {
    return this.#overflowed;
  }

  /** True while something is asked for or about to be: a place may become free without anything new happening. */
  get busy(): boolean {
    return this.#running > 0 || this.#ready.size > 0 || this.#readyTimedOut.size > 0;
  }

  counts(): TaskCounts {
    return {
      ready: this.#ready.size + this.#readyTimedOut.size,
      running: this.#running,
      waiting: this.#waiting.size,
    };
  }

  get(messageId: Hex): VerificationTask | null {
    return this.#tasks.get(messageId) ?? null;
  }

  /** Takes a new task in, ready; false when there is no place for it. */
  admit(task: VerificationTask): boolean {
    if (!this.#hasRoom(task)) {
      if (!task.timedOut) this.#overflowed = true;
      return false;
    }
    if (task.place === 'timed-out') this.#timedOut++;
    this.#tasks.set(task.messageId, task);
    this.#pushReady(task);
    return true;
  }

  /** The next task to attempt, now running; null when none is ready. */
  take(): VerificationTask | null {
    const task = this.#ready.first ?? this.#readyTimedOut.first;
    if (task === null) return null;
    task.list?.remove(task);
    this.#running++;
    return task;
  }

  /** A running task waits until `dueMs`. */
  wait(task: VerificationTask, dueMs: number): void {
    this.#running--;
    if (task.ended) return;
    this.#waiting.push(task);
    this.#wheel.schedule(task, dueMs);
  }

  /** A running task has nothing more to do. */
  finish(task: VerificationTask): void {
    this.#running--;
    this.end(task);
  }

  /** Takes a task off the board whatever it does; a running attempt is told, and still has to be finished. */
  end(task: VerificationTask): void {
    if (task.ended) return;
    task.ended = true;
    task.attempt?.abort(ATTEMPT_OVER);
    this.#remove(task);
  }

  /** Makes a waiting task ready before its time; nothing in any other state. */
  hurry(task: VerificationTask): void {
    if (task.list !== this.#waiting) return;
    this.#wheel.cancel(task);
    task.list.remove(task);
    this.#pushReady(task);
  }

  /** Makes the tasks ready that are due. */
  advance(nowMs: number): void {
    for (const task of this.#wheel.advance(nowMs)) {
      task.list?.remove(task);
      this.#pushReady(task);
    }
  }

  /** Everything that overflowed is about to be swept up: from here on, count anew. */
  resetOverflow(): void {
    this.#overflowed = false;
  }

  /** Ends every task but those of these messages. */
  keep(isKept: (messageId: Hex) => boolean): void {
    for (const task of [...this.#tasks.values()]) if (!isKept(task.messageId)) this.end(task);
  }

  /** Ends every task. */
  clear(): void {
    this.keep(() => false);
  }

  #pushReady(task: VerificationTask): void {
    (task.timedOut ? this.#readyTimedOut : this.#ready).push(task);
  }

  #hasRoom(task: VerificationTask): boolean {
    if (task.timedOut) return this.#timedOut < this.#maxTimedOut;
    if (this.#tasks.size - this.#timedOut < this.#maxInTime) return true;
    const parked = this.#waiting.first;
    if (parked === null) return false;
    this.#overflowed = true;
    this.end(parked);
    return true;
  }

  #remove(task: VerificationTask): void {
    this.#wheel.cancel(task);
    task.list?.remove(task);
    this.#tasks.delete(task.messageId);
    if (task.place === 'timed-out') this.#timedOut--;
  }
}
