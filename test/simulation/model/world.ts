import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import type { WriteBatch, WriteOutcome } from '../../../src/model/batch.js';
import type { MessageOrigin, NewMessage, VerifierResult } from '../../../src/model/records.js';
import type { ManualClock } from '../../support/manual-clock.js';
import { commitFlat } from '../../support/oracle/flat-commit.js';
import { EMPTY_STATE, type FlatState, textOf } from '../../support/oracle/flat-state.js';
import { createRecordMaker, type RecordMaker } from '../../support/records.js';
import { openProcess, type ProcessPlace, type TiersProcess } from '../process/tiers-process.js';
import { REQUEST_TIMEOUT_MS } from './outage-store.js';
import type { Tally } from './tally.js';

/**
 * `three`: one process over memory, Postgres and the cold tier. `two`: another one beside it that only reads.
 * `leader`: memory and a cold tier without a database.
 */
export type Shape = 'three' | 'two' | 'leader';

/** What is broken right now. */
export interface Outages {
  cold: boolean;
  warm: boolean;
}

const NUDGE_MS = 250;

/** What a run is made from. */
export interface WorldParts {
  readonly shape: Shape;
  readonly clock: ManualClock;
  readonly place: ProcessPlace;
  readonly tally: Tally;
  /** Of the records. */
  readonly seed: number;
  readonly isRushed: boolean;
}

/** The transaction of the logs of a block. */
export function transactionIn(block: number): Hex {
  return `0x${String(block % 8).padStart(64, 'f')}`;
}

/** A run: real tiers, and beside them the flat state that they must answer like. */
export class World {
  readonly shape: Shape;
  readonly clock: ManualClock;
  readonly place: ProcessPlace;
  readonly tally: Tally;
  readonly make: RecordMaker;
  /** Every message ever given, as it was given last. */
  readonly messages: NewMessage[] = [];
  readonly results: VerifierResult[] = [];
  readonly outages: Outages = { cold: false, warm: false };
  /** One request of the writer's cold tier is going to fail. */
  isFaultArmed = false;
  /** States after each commit, the present one last. */
  readonly history: FlatState[] = [EMPTY_STATE];
  /** The other process has shown the state at this position. */
  shownPosition = 0n;
  /** Commands do not wait for what they set off. */
  readonly isRushed: boolean;
  #writer: TiersProcess;
  #reader: TiersProcess | null = null;

  private constructor(parts: WorldParts) {
    this.shape = parts.shape;
    this.clock = parts.clock;
    this.place = parts.place;
    this.tally = parts.tally;
    this.make = createRecordMaker(parts.seed);
    this.isRushed = parts.isRushed;
    this.#writer = this.#openWriter();
  }

  static async open(parts: WorldParts): Promise<World> {
    const world = new World(parts);
    await world.drive(world.#writer.sink.started());
    if (world.shape === 'two') {
      world.#reader = openProcess(world.place, 'reader');
      await world.drive(world.#reader.sink.started());
    }
    return world;
  }

  get state(): FlatState {
    return this.history.at(-1) ?? EMPTY_STATE;
  }
  get writer(): TiersProcess {
    return this.#writer;
  }
  get reader(): TiersProcess | null {
    return this.#reader;
  }
  get processes(): readonly TiersProcess[] {
    return this.#reader ? [this.#writer, this.#reader] : [this.#writer];
  }
  get isBroken(): boolean {
    return this.outages.cold || this.outages.warm;
  }

  /** Waits for `work`, and lets time pass only when it does not end by itself. */
  async drive<T>(work: Promise<T>): Promise<T> {
    return await this.place.underWay.drive(work);
  }

  /** Ends a command: what it set off has ended, unless the run is a rushed one. */
  async calm(): Promise<void> {
    if (!this.isRushed) await this.settle();
  }

  async settle(): Promise<void> {
    await this.drive(this.place.busy.idle());
  }

  /**
   * Writes a batch and takes it over into the flat state, which has predicted all that the writer is told. Null when it
   * was refused, which only a broken tier excuses; then nothing of it was stored.
   */
  async write(batch: WriteBatch): Promise<WriteOutcome | null> {
    const before = this.state;
    const fromMs = this.clock.nowMs();
    let outcome: WriteOutcome;
    try {
      outcome = await this.drive(this.#writer.sink.insertBatch(batch));
    } catch (thrown) {
      return await this.#refused(batch, thrown, fromMs);
    }
    this.took(batch, outcome, before, fromMs);
    await this.calm();
    return outcome;
  }

  /** `outcome` is what the flat state says; from now on it is the present. */
  took(batch: WriteBatch, outcome: WriteOutcome, before: FlatState, fromMs: number): void {
    const ingestionMs = outcome.committed?.ingestionMs ?? before.headMs + 1;
    const predicted = commitFlat(before, batch, ingestionMs);
    expect(textOf({ ...outcome })).toBe(textOf({ ...predicted.outcome }));
    if (outcome.committed) {
      expect(ingestionMs).toBeGreaterThanOrEqual(Math.max(before.headMs + 1, fromMs));
      expect(ingestionMs).toBeLessThanOrEqual(Math.max(before.headMs + 1, this.clock.nowMs()));
      this.history.push(predicted.state);
    }
  }

  message(n: number): NewMessage | undefined {
    return this.messages[n % Math.max(1, this.messages.length)];
  }

  /** An id that was given, or (`n` of 0) one that nobody has heard of. */
  anyId(n: number): Hex {
    return (n === 0 ? undefined : this.message(n)?.messageId) ?? this.make.hex(32);
  }

  /** A log of a block, in one of a few transactions: some have several, and what moves between blocks changes its own. */
  origin(block: number): MessageOrigin {
    return { ...this.make.origin(BigInt(block)), transactionHash: transactionIn(block) };
  }

  /** The next message with its present origin. */
  replaceMessage(message: NewMessage): void {
    const index = this.messages.findIndex(({ messageId }) => messageId === message.messageId);
    if (index < 0) this.messages.push(message);
    else this.messages[index] = message;
  }

  /** Ends the writer, orderly or by a kill, and starts another one. */
  async restartWriter(how: 'close' | 'kill'): Promise<void> {
    if (how === 'kill') this.#writer.kill();
    await this.#end(this.#writer, how === 'kill' || this.outages.cold);
    this.#writer = this.#openWriter();
    await this.drive(this.#writer.sink.started());
    await this.calm();
  }

  async restartReader(): Promise<void> {
    if (!this.#reader) return;
    await this.#end(this.#reader, true);
    this.#reader = openProcess(this.place, 'reader');
    this.#breakAsBefore(this.#reader);
    await this.drive(this.#reader.sink.started());
    // a process of its own: what the one before has shown does not bind it
    this.shownPosition = 0n;
    await this.calm();
  }

  /** The other process has heard of everything: from now on it shows the present. */
  async hear(): Promise<void> {
    const reader = this.#reader;
    if (!reader || this.isBroken) return;
    const { position } = this.state;
    const stands = () =>
      (reader.warm?.storage.coverage().throughPosition ?? position) >= position &&
      (reader.hot?.coverage().throughPosition ?? position) >= position;
    for (let waited = 0; !stands(); waited += 1) {
      if (waited > 500) throw new Error('the other process has not heard of the last commit');
      await delay(2);
      // followers that missed the announcement ask by themselves
      if (waited % 20 === 19) await this.clock.advance(NUDGE_MS);
    }
    this.shownPosition = position;
  }

  /** Everything works again, and every follower has noticed. */
  async heal(): Promise<void> {
    const { isBroken } = this;
    this.outages.cold = false;
    this.outages.warm = false;
    for (const { outage, warm, faults } of this.processes) {
      outage.outage = 'none';
      warm?.heal();
      faults.heal();
    }
    // what was asked in the silence still fails: later calls may have joined it
    if (isBroken) await this.clock.advance(REQUEST_TIMEOUT_MS);
    for (let waited = 0; ; waited += 1) {
      await this.settle();
      const states = await Promise.all(this.processes.map(({ sink }) => sink.status()));
      if (states.flat().every(({ repairing }) => !repairing)) return;
      if (waited > 100) throw new Error(`not healed: ${textOf(states)}`);
      await this.clock.advance(20);
    }
  }

  async close(): Promise<void> {
    for (const process of this.processes) await this.#end(process, this.isBroken);
  }

  #openWriter(): TiersProcess {
    const writer = openProcess(this.place, this.shape === 'leader' ? 'leader' : 'follower');
    this.#breakAsBefore(writer);
    return writer;
  }

  #breakAsBefore({ outage, warm }: TiersProcess): void {
    if (this.outages.cold) outage.outage = 'all';
    if (this.outages.warm) warm?.fail(FAILING_READS);
  }

  async #end({ sink }: TiersProcess, mayFail: boolean): Promise<void> {
    const closed = sink.close();
    await this.drive(mayFail ? closed.catch(() => undefined) : closed);
  }

  async #refused(batch: WriteBatch, thrown: unknown, fromMs: number): Promise<null> {
    const name = thrown instanceof Error ? thrown.name : String(thrown);
    let predicted: unknown;
    try {
      commitFlat(this.state, batch, this.state.headMs + 1);
    } catch (expected) {
      predicted = expected;
    }
    if (predicted instanceof Error && predicted.name === name) return null;
    const isExcused = (this.outages.cold || this.isFaultArmed) && name === 'SinkWriteError';
    if (!isExcused) throw thrown;
    this.tally.count('write refused');
    if (this.shape === 'leader') await this.#learn(batch, fromMs);
    return null;
  }

  /** A commit of the only durable tier failed: it is done, whole, or it is not. */
  async #learn(batch: WriteBatch, fromMs: number): Promise<void> {
    const { outage } = this.#writer.outage;
    this.#writer.outage.outage = 'none';
    const { position } = this.state;
    // it knows of its own commits only what was confirmed
    await this.drive(this.#writer.cold.refresh());
    const set = await this.drive(this.#writer.cold.changesAfter(position));
    this.#writer.outage.outage = outage;
    if (set.headPosition === position) return;
    this.tally.count('write refused but done');
    const { state, outcome } = commitFlat(this.state, batch, set.headMs);
    expect(set.headMs).toBeGreaterThanOrEqual(fromMs);
    expect(state.position).toBe(set.headPosition);
    expect(outcome.committed).not.toBeNull();
    this.history.push(state);
  }
}

/** What of a database an outage of its reads takes away. Writing goes on. */
export const FAILING_READS = [
  ...(['getCCVData', 'getMessage', 'list', 'count'] as const),
  ...(['heldCCVData', 'heldMessage', 'movesAfter', 'changedMessages'] as const),
];
