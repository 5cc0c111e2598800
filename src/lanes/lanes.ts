import { createAlarm } from '../core/alarm.js';
import { type Backoff, backoffMs } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { AbortedError, ClosedError, IndexerError, toError } from '../core/errors.js';
import { nextTurn } from '../core/event-loop.js';
import type { ChangeSet } from '../model/batch.js';
import { CoverageGapError } from '../model/storage-errors.js';
import type { GapAsk, KeptBoard, LaneRecords } from '../storage/lane-records.js';
import type { AdvanceEvent, Storage } from '../storage/storage.js';
import { LaneBoard } from './lane-board.js';
import { packBoard, unpackBoard } from './packed-board.js';

/** The storage behind a board. */
export type LaneStorage = Pick<Storage, 'changesAfter' | 'subscribe'>;

/** The lanes of a storage, kept up to date. */
export interface Lanes {
  /**
   * The board, with every change up to some moment before the answer. It is of that moment only until the caller waits
   * for something else.
   * @throws LanesBehindError while the changes before are still being counted or cannot be read, ClosedError.
   */
  board(): Promise<LaneBoard>;
  /** As `board`, with every change up to a position at least. */
  boardAt(position: bigint): Promise<LaneBoard>;
  /** The gaps that were asked for again. */
  asks(): Promise<readonly GapAsk[]>;
  /** Begins to follow; a first question does it too. */
  start(): void;
  /** Ends it and awaits the end. Idempotent. */
  close(): Promise<void>;
}

/** The changes of a storage are not counted yet: the lanes cannot be told. */
export class LanesBehindError extends IndexerError {
  constructor(position: bigint, reason: string | null) {
    const why = reason === null ? '' : ` (${reason})`;
    super('LANES_BEHIND', `lanes are counted up to position ${position} so far${why}: ask again later`, true);
  }
}

/** A question waits for so long before it is an error. */
const PATIENCE_MS = 5_000;
/** It reads again after so long: a storage that other processes bring forward may tell no one of it. */
const BEAT_MS = 15_000;
const RETRY: Backoff = { baseMs: 200, maxMs: 15_000 };
const KEEP_AFTER_CHANGES = 10_000;
const KEEP_EVERY_MS = 300_000;
/** Between two keepings as many times as long as one took: a backfill counts ten thousand changes in seconds. */
const KEEP_REST = 50;
/** Told changes that wait to be counted; beyond it they are read instead. */
const MOST_TOLD = 5_000;

/**
 * Creates the lanes of a storage.
 * @param options.records the notes of its namespace; default: none.
 */
export function createLanes(options: {
  readonly storage: LaneStorage;
  readonly records?: LaneRecords;
  /** Keeps the board now and then for processes that start. Default false. */
  readonly keeps?: boolean;
  /** A board is kept when so many changes have been counted since the last, or after five minutes. Default 10 000. */
  readonly keepAfterChanges?: number;
  readonly common: Common;
}): Lanes {
  return new FollowedLanes(options);
}

/**
 * Counts every change that anyone commits to a storage: its own commits as they are told, those of others by reading on
 * from its position. Listening costs a commit nothing but a place in a queue; the counting goes on between the other
 * work of the process, and when it is far behind it takes half of the time at most.
 *
 * *counting* (nothing is answered) · *whole* (the board is that of a head of the storage) · *set back* (the storage
 * lost its last commits, or another one is there: the board begins anew).
 */
class FollowedLanes implements Lanes {
  readonly #storage: LaneStorage;
  readonly #records: LaneRecords | null;
  readonly #common: Common;
  readonly #alarm;
  readonly #closing = new AbortController();
  #running: Promise<void> | null = null;
  #board = new LaneBoard();
  /** The board is that of `#head`. */
  #isWhole = false;
  #head: { readonly position: bigint; readonly ingestionMs: number } | null = null;
  #told: ChangeSet[] = [];
  #toldChanges = 0;
  /** A board has to be begun, at first from the kept one. */
  #isSetBack = true;
  #triesKept = true;
  /** Null: boards are not kept. */
  readonly #keepAfter: bigint | null;
  #kept = { position: 0n, atMs: 0, tookMs: 0 };
  #reason: string | null = null;
  readonly #waiting = new Set<() => void>();

  constructor(options: Parameters<typeof createLanes>[0]) {
    const { storage, records, keeps = false, keepAfterChanges = KEEP_AFTER_CHANGES, common } = options;
    this.#storage = storage;
    this.#keepAfter = keeps && records ? BigInt(keepAfterChanges) : null;
    this.#records = records ?? null;
    this.#common = common;
    this.#alarm = createAlarm(common.clock);
  }

  board(): Promise<LaneBoard> {
    return this.boardAt(0n);
  }

  async boardAt(position: bigint): Promise<LaneBoard> {
    this.start();
    const { clock } = this.#common;
    const untilMs = clock.monotonicMs() + PATIENCE_MS;
    while (!this.#isWhole || this.#reason !== null || this.#board.position < position) {
      if (this.#closing.signal.aborted) throw new ClosedError('the count of lanes');
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0 || this.#reason !== null) throw new LanesBehindError(this.#board.position, this.#reason);
      await this.#news(leftMs);
    }
    return this.#board;
  }

  async asks(): Promise<readonly GapAsk[]> {
    return (await this.#records?.asks()) ?? [];
  }

  start(): void {
    if (!this.#closing.signal.aborted) this.#running ??= this.#run(this.#closing.signal);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#tell();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#common;
    const unsubscribe = this.#storage.subscribe((event) => this.#hear(event));
    for (let failures = 0; !signal.aborted; ) {
      try {
        const startMs = clock.monotonicMs();
        const next = await this.#advance();
        failures = 0;
        this.#reason = null;
        await this.#keep();
        if (next === 'told') await nextTurn();
        else if (next === 'more') await clock.sleep(clock.monotonicMs() - startMs, signal);
        else await this.#alarm.pause(BEAT_MS, signal);
      } catch (thrown) {
        if (thrown instanceof AbortedError && signal.aborted) break;
        if (!(thrown instanceof IndexerError)) log.error({ err: toError(thrown) }, 'lanes cannot be counted');
        else if (failures === 0) log.warn({ err: thrown }, 'changes of lanes cannot be read: trying again');
        this.#reason = thrown instanceof IndexerError ? thrown.code : toError(thrown).name;
        this.#tell();
        await clock.sleep(backoffMs(RETRY, failures++, random), signal).catch(() => 'closing');
      }
    }
    unsubscribe();
  }

  #hear(event: AdvanceEvent): void {
    if (event.kind === 'set-back') this.#isSetBack = true;
    if (event.kind === 'committed') {
      const { changes } = event;
      if (this.#toldChanges + changes.changes.length > MOST_TOLD) this.#forgetTold();
      this.#told.push(changes);
      this.#toldChanges += changes.changes.length;
    }
    this.#alarm.wake();
  }

  /** @returns where there is more: among the told sets, or in the storage. */
  async #advance(): Promise<'told' | 'more' | null> {
    if (this.#isSetBack) {
      // it may be set back once more meanwhile
      this.#isSetBack = false;
      await this.#begin().catch((thrown: unknown) => {
        this.#isSetBack = true;
        throw thrown;
      });
    }
    const told = this.#takeTold();
    const set = told ?? (await this.#read());
    if (!this.#isSameHistory(set)) this.#isSetBack = true;
    if (this.#isSetBack) return 'more';
    const isEmpty = set.throughPosition <= this.#board.position;
    this.#board.fold(set);
    const { throughPosition, headPosition, headMs } = set;
    this.#isWhole = throughPosition >= headPosition;
    if (this.#isWhole && !isEmpty) this.#head = { position: throughPosition, ingestionMs: headMs };
    if (this.#isWhole) this.#tell();
    if (this.#told.length > 0) return 'told';
    return this.#isWhole ? null : 'more';
  }

  /** A set that joins the board: the earlier ones are in it, and one behind a gap has to be read. */
  #takeTold(): ChangeSet | null {
    const { position } = this.#board;
    for (let set = this.#told.shift(); set; set = this.#told.shift()) {
      this.#toldChanges -= set.changes.length;
      if (set.throughPosition <= position) continue;
      if (set.afterPosition <= position) return set;
      this.#forgetTold();
    }
    return null;
  }

  async #read(): Promise<ChangeSet> {
    const { position } = this.#board;
    try {
      return await this.#storage.changesAfter(position);
    } catch (thrown) {
      // the position is above the head, or the changes behind it are gone: only from the beginning are they whole
      if (thrown instanceof CoverageGapError && position > 0n) this.#isSetBack = true;
      throw thrown;
    }
  }

  /** False when the storage was set back, and has gone on since. */
  #isSameHistory({ follows }: ChangeSet): boolean {
    const head = this.#head;
    return head === null || follows?.position !== head.position || follows.ingestionMs === head.ingestionMs;
  }

  async #begin(): Promise<void> {
    this.#isWhole = false;
    this.#forgetTold();
    const kept = this.#triesKept ? ((await this.#records?.board()) ?? null) : null;
    const board = kept && (await this.#unpack(kept));
    // one that turns out to be of another history is not tried again
    this.#triesKept = false;
    this.#board = board ?? new LaneBoard();
    this.#head = board && kept ? { position: kept.position, ingestionMs: kept.ingestionMs } : null;
    this.#kept = { position: this.#board.position, atMs: this.#common.clock.monotonicMs(), tookMs: 0 };
  }

  async #unpack({ bytes, position }: KeptBoard): Promise<LaneBoard | null> {
    try {
      const board = await unpackBoard(bytes);
      return board?.position === position ? board : null;
    } catch (thrown) {
      this.#common.log.warn({ err: toError(thrown) }, 'the kept board of lanes cannot be read: counting them anew');
      return null;
    }
  }

  /** A process that starts counts from there: any board of this history is right, so that no lease is asked for. */
  async #keep(): Promise<void> {
    const head = this.#head;
    const { position } = this.#board;
    if (this.#keepAfter === null || !this.#isWhole || head?.position !== position) return;
    const nowMs = this.#common.clock.monotonicMs();
    const { position: keptPosition, atMs: keptMs, tookMs } = this.#kept;
    const counted = position - keptPosition;
    if (counted === 0n || nowMs < keptMs + KEEP_REST * tookMs) return;
    if (counted < this.#keepAfter && nowMs < keptMs + KEEP_EVERY_MS) return;
    try {
      await this.#records?.keepBoard({ ...head, bytes: await packBoard(this.#board) });
    } catch (thrown) {
      // the count is right all the same
      this.#common.log.warn({ err: toError(thrown) }, 'the board of lanes cannot be kept: trying again later');
    }
    const atMs = this.#common.clock.monotonicMs();
    this.#kept = { position, atMs, tookMs: atMs - nowMs };
  }

  #forgetTold(): void {
    this.#told = [];
    this.#toldChanges = 0;
  }

  #tell(): void {
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  async #news(limitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#common.clock.after(limitMs, wake);
      const waiting = this.#waiting;
      function wake(): void {
        cancel();
        waiting.delete(wake);
        resolve();
      }
      waiting.add(wake);
    });
  }
}
