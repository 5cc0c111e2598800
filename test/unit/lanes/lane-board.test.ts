import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { LaneBoard } from '../../../src/lanes/lane-board.js';
import { laneViews } from '../../../src/lanes/lane-views.js';
import { readMessagePlace } from '../../../src/model/message-place.js';
import type { Execution, NewMessage } from '../../../src/model/records.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { answersOf, expectedLanes, foldOn, recordsOf, rereadBoard, toldLane } from '../../support/lane-model.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';
import { createStoppedClock } from '../../support/stopped-clock.js';

const DESTS = [SELECTORS.high, SELECTORS.mid] as const;
const CCVS: readonly Hex[] = [`0x${'a1'.repeat(20)}`, `0x${'a2'.repeat(20)}`];
const VERIFIERS = ['one', 'two'] as const;

/** Random commits of a chain with reorgs, verifiers and executions; numbers come in any order. */
class History {
  readonly clock = createStoppedClock();
  readonly storage: Storage = createMemoryStorage({ name: 'hot', common: createCommon({ clock: this.clock }) });
  readonly #make = createRecordMaker(5);
  readonly #onRamps = [this.#make.hex(32), this.#make.hex(32)];
  readonly #live: NewMessage[] = [];
  readonly #orphans: NewMessage[] = [];
  readonly #executed: Execution[] = [];
  #blocks = 1n;

  readonly #choose: (below: number) => number;

  constructor(choose: (below: number) => number) {
    this.#choose = choose;
  }

  async step(): Promise<void> {
    this.clock.advance(this.#choose(200_000));
    const messages = Array.from({ length: this.#choose(3) }, () => this.#message());
    const orphaned = this.#choose(4) === 0 ? this.#take(this.#live) : null;
    if (orphaned && this.#choose(2) === 0) messages.push(this.#message(numberOf(orphaned), orphaned));
    if (orphaned) this.#orphans.push(orphaned);
    const returned = this.#choose(5) === 0 ? this.#take(this.#orphans) : null;
    const isReplaced = [...this.#live, ...messages].some((each) => returned && numberOf(each) === numberOf(returned));
    if (returned && returned !== orphaned && !isReplaced) messages.push({ ...returned, origin: this.#origin() });
    else if (returned) this.#orphans.push(returned);
    this.#live.push(...messages);
    const target = this.#live[this.#choose(this.#live.length)];
    const gone = this.#choose(6) === 0 ? this.#take(this.#executed) : null;
    const executions = target && this.#choose(3) === 0 ? [this.#execution(target)] : [];
    await this.storage.insertBatch({
      ...(orphaned?.origin && { orphanings: [{ messageId: orphaned.messageId, ...orphaned.origin }] }),
      messages,
      verifierResults: target && this.#choose(2) === 0 ? [this.#result(target)] : [],
      ...(gone && { executionOrphanings: [{ messageId: gone.messageId, ...gone.place }] }),
      executions,
      statuses:
        target && this.#choose(8) === 0
          ? [{ messageId: target.messageId, status: this.#choose(2) === 0 ? 'timeout' : 'success' }]
          : [],
    });
  }

  /** `like`: the message whose number it takes. */
  #message(wanted = BigInt(1 + this.#choose(25)), like?: NewMessage): NewMessage {
    let messageNumber = wanted;
    const isTaken = (each: NewMessage) => numberOf(each) === messageNumber && each !== like;
    while (this.#live.some(isTaken) || this.#orphans.some(isTaken)) messageNumber += 1n;
    const place = like && readMessagePlace(like.encodedMessage);
    const message = this.#make.message({
      sourceChainSelector: SELECTORS.low,
      destChainSelector: place?.destChainSelector ?? DESTS[this.#choose(2)] ?? SELECTORS.high,
      onRamp: place?.onRampAddress ?? this.#onRamps[this.#choose(2)] ?? '0x',
      ccvs: CCVS.slice(0, 1 + this.#choose(2)),
      messageNumber,
    });
    return { ...message, origin: this.#origin() };
  }

  #origin() {
    this.#blocks += 1n;
    return { ...this.#make.origin(this.#blocks), blockTimestampMs: this.clock.nowMs() - this.#choose(90_000) };
  }

  #result(message: NewMessage) {
    const ccv = this.#choose(2);
    const wish = { source: CCVS[ccv] ?? '0x', dest: CCVS[ccv] ?? '0x' };
    return this.#make.result(message, ccv, { ...wish, verifierName: VERIFIERS[ccv] ?? 'one' });
  }

  #execution(message: NewMessage): Execution {
    const state = this.#choose(3) === 0 ? 'failure' : 'success';
    const wasSuccess = this.#executed.some((each) => each.messageId === message.messageId && each.state === 'success');
    const execution = this.#make.execution(message, { state: wasSuccess ? 'failure' : state, place: this.#origin() });
    this.#executed.push(execution);
    return execution;
  }

  #take<T>(from: T[]): T | null {
    return from.splice(this.#choose(from.length), 1)[0] ?? null;
  }
}

function numberOf({ encodedMessage }: NewMessage): bigint {
  return Buffer.from(encodedMessage).readBigUInt64BE(17);
}

test('a board is that of the records, whichever of their states it was told and wherever it was written down', async () => {
  const seeds = fc.array(fc.nat(0xffff), { minLength: 300, maxLength: 600 });
  await fc.assert(
    fc.asyncProperty(seeds, fc.nat(40), fc.integer({ min: 1, max: 7 }), async (dice, writeAt, pageSize) => {
      let drawn = 0;
      const choose = (below: number) => (below <= 1 ? 0 : (dice[drawn++ % dice.length] ?? 0) % below);
      const history = new History(choose);
      const { storage, clock } = history;
      const live = new LaneBoard();
      storage.subscribe((event) => event.kind === 'committed' && live.fold(event.changes));
      let kept = new LaneBoard();
      for (let step = 0; step < 40; step += 1) {
        await history.step();
        if (step % 9 === writeAt % 9) kept = rereadBoard(await foldOn(kept, storage, pageSize));
      }
      const anew = await foldOn(new LaneBoard(), storage, pageSize);
      await foldOn(kept, storage, 3);
      const ask = (board: LaneBoard) => answersOf(board, clock.nowMs(), CCVS, VERIFIERS);
      expect(ask(live)).toEqual(ask(anew));
      expect(ask(kept)).toEqual(ask(anew));
      const views = laneViews(anew, clock.nowMs(), ({ onRamps }) =>
        [...onRamps.values()].some(({ numbers }) => numbers.first !== null),
      );
      const told = views.map((view) => [`${view.sourceChainSelector}-${view.destChainSelector}`, toldLane(view)]);
      expect(new Map(told as [])).toEqual(expectedLanes(await recordsOf(storage), clock.nowMs()));
      await storage.close();
    }),
    { numRuns: 40, endOnFailure: true },
  );
});
