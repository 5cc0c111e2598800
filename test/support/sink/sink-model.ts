import { expect } from 'vitest';
import { type Random, seededRandom } from '../../../src/core/random.js';
import type { WriteBatch } from '../../../src/model/batch.js';
import type { ListQuery, Page } from '../../../src/model/list-query.js';
import type { NewMessage, VerifierResult } from '../../../src/model/records.js';
import type { Sink } from '../../../src/sink/sink.js';
import type { Storage } from '../../../src/storage/storage.js';
import { flatList, flatPage, flatResults, type ListName } from '../oracle/flat-answers.js';
import { commitFlat } from '../oracle/flat-commit.js';
import { EMPTY_STATE, type FlatState, textOf } from '../oracle/flat-state.js';
import { createRecordMaker, type RecordMaker, SELECTORS } from '../records.js';
import type { FaultyStorage, Operation } from './faulty-storage.js';

const LANES = [
  { sourceChainSelector: SELECTORS.low, destChainSelector: SELECTORS.high },
  { sourceChainSelector: SELECTORS.high, destChainSelector: SELECTORS.low },
  { sourceChainSelector: SELECTORS.max, destChainSelector: SELECTORS.mid },
];
const READS: readonly Operation[] = ['getCCVData', 'getMessage', 'list', 'count'];

/** What a simulation acts on. `warm` leads; faults of the others must never change an answer. */
export interface SimulatedSink {
  readonly sink: Sink;
  readonly warm: FaultyStorage;
  readonly followers: readonly FaultyStorage[];
  /** Lets time pass between the steps. */
  pass(durationMs: number): Promise<void>;
}

/** How many answers were compared, and how many were refused while the leader could not be read. */
export interface SimulationTally {
  compared: number;
  refused: number;
}

/**
 * Random commits, duplicates, orphanings, returns and failures, and after each of them random questions, every answer
 * compared with a flat list. On a manual clock the same seed is the same run.
 */
export class SinkSimulation {
  readonly tally: SimulationTally = { compared: 0, refused: 0 };
  readonly #subject: SimulatedSink;
  readonly #random: Random;
  readonly #make: RecordMaker;
  readonly #live: NewMessage[] = [];
  readonly #orphans: NewMessage[] = [];
  readonly #results: VerifierResult[] = [];
  #state: FlatState = EMPTY_STATE;
  #warmFails = false;

  constructor(seed: number, subject: SimulatedSink) {
    this.#subject = subject;
    this.#random = seededRandom(seed);
    this.#make = createRecordMaker(seed);
  }

  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) {
      await this.#act();
      await this.#subject.pass(this.#pick(6));
      for (let asked = 0; asked < 3; asked += 1) await this.#ask();
    }
    this.#subject.warm.heal();
    this.#warmFails = false;
    for (const follower of this.#subject.followers) follower.heal();
  }

  /** Everything, by pages of a random size, once by offset and once by cursor. */
  async compareAll(storage: Storage = this.#subject.sink): Promise<void> {
    for (const kind of ['messages', 'results'] as const) {
      const limit = 1 + this.#pick(17);
      const whole = flatList(this.#state, kind, {}).map(textOf);
      expect(await this.#byOffset(storage, kind, limit)).toEqual(whole);
      expect(await this.#byCursor(storage, kind, {}, limit)).toEqual(whole);
    }
  }

  async #act(): Promise<void> {
    if (this.#warmFails && this.#random() < 0.3) this.#heal(this.#subject.warm);
    const dice = this.#random();
    if (dice < 0.55) await this.#write(this.#commit());
    else if (dice < 0.62) await this.#write({ verifierResults: this.#results.slice(-3) });
    else if (dice < 0.72) await this.#write(this.#orphan());
    else if (dice < 0.8) await this.#write(this.#return());
    else if (dice < 0.83) await this.#write(this.#settle());
    else if (dice < 0.87) this.#one(this.#subject.followers)?.fail(this.#random() < 0.5 ? ['apply'] : undefined);
    else if (dice < 0.94) this.#one(this.#subject.followers)?.heal();
    else this.#fail(this.#subject.warm);
  }

  #fail(warm: FaultyStorage): void {
    warm.fail(READS);
    this.#warmFails = true;
  }

  #heal(warm: FaultyStorage): void {
    warm.heal();
    this.#warmFails = false;
  }

  #commit(): WriteBatch {
    const messages = Array.from({ length: 1 + this.#pick(4) }, () =>
      this.#make.message({ ...this.#one(LANES)!, ccvs: [this.#make.hex(20), this.#make.hex(20)] }),
    );
    const verifierResults = messages.flatMap((message) =>
      [0, 1].filter(() => this.#random() < 0.6).map((ccv) => this.#make.result(message, ccv)),
    );
    const late = this.#one(this.#live);
    if (late && this.#random() < 0.5) verifierResults.push(this.#make.result(late, this.#pick(2)));
    this.#live.push(...messages);
    this.#results.push(...verifierResults);
    return { messages, verifierResults };
  }

  #orphan(): WriteBatch {
    const [message] = this.#live.splice(this.#pick(this.#live.length), 1);
    if (!message) return {};
    this.#orphans.push(message);
    return { orphanings: [{ messageId: message.messageId, blockHash: message.origin!.blockHash }] };
  }

  #return(): WriteBatch {
    const [orphan] = this.#orphans.splice(this.#pick(this.#orphans.length), 1);
    if (!orphan) return {};
    const message = { ...orphan, origin: this.#make.origin(BigInt(this.#pick(1000))) };
    this.#live.push(message);
    return { messages: [message] };
  }

  #settle(): WriteBatch {
    const { messageId } = this.#one([...this.#live, ...this.#orphans]) ?? this.#make.message();
    return { statuses: [{ messageId, status: this.#one(['timeout', 'success'] as const)! }] };
  }

  async #write(batch: WriteBatch): Promise<void> {
    const outcome = await this.#subject.sink.insertBatch(batch);
    const ingestionMs = outcome.committed?.ingestionMs ?? this.#state.headMs + 1;
    const predicted = commitFlat(this.#state, batch, ingestionMs);
    expect(textOf({ ...outcome })).toBe(textOf({ ...predicted.outcome }));
    this.#state = predicted.state;
  }

  async #ask(): Promise<void> {
    const dice = this.#random();
    try {
      if (dice < 0.2) await this.#askId();
      else if (dice < 0.4) await this.#askCount();
      else await this.#askPage();
      this.tally.compared += 1;
    } catch (error) {
      if (!this.#warmFails || (error as Error).name !== 'CoverageGapError') throw error;
      this.tally.refused += 1;
    }
  }

  async #askId(): Promise<void> {
    const { messageId } = this.#one([...this.#live, ...this.#orphans]) ?? this.#make.message();
    const found = await this.#subject.sink.getCCVData(messageId).catch((error: Error) => {
      if (error.name !== 'CCVDataNotFoundError') throw error;
      return [];
    });
    expect(textOf(found)).toBe(textOf(flatResults(this.#state, messageId) ?? []));
  }

  async #askCount(): Promise<void> {
    const query = this.#query();
    const { sink } = this.#subject;
    const [kind, asked] =
      this.#random() < 0.5
        ? (['messages', sink.countMessages(query)] as const)
        : (['results', sink.countCCVData(query)] as const);
    expect((await asked).count).toBe(flatList(this.#state, kind, query).length);
  }

  async #askPage(): Promise<void> {
    const kind = this.#random() < 0.5 ? 'messages' : 'results';
    const query = this.#query();
    const whole = flatList(this.#state, kind, query);
    const limit = 1 + this.#pick(12);
    const { sink } = this.#subject;
    if (this.#random() < 0.2) {
      expect(await this.#byCursor(sink, kind, query, limit)).toEqual(whole.map(textOf));
      return;
    }
    const offset = this.#random() < 0.4 ? 0 : this.#pick(whole.length + 3);
    const { items, nextCursor } = await pageOf(sink, kind, { ...query, limit, offset });
    expect(textOf({ items, nextCursor })).toBe(textOf(flatPage(this.#state, kind, { ...query, limit, offset })));
  }

  async #byOffset(storage: Storage, kind: ListName, limit: number): Promise<string[]> {
    const texts: string[] = [];
    for (;;) {
      const { items } = await pageOf(storage, kind, { limit, offset: texts.length });
      texts.push(...items.map(textOf));
      if (items.length < limit) return texts;
    }
  }

  async #byCursor(storage: Storage, kind: ListName, query: ListQuery, limit: number): Promise<string[]> {
    const texts: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Page<object> = await pageOf(storage, kind, {
        ...query,
        limit,
        ...(cursor === null ? {} : { cursor }),
      });
      texts.push(...page.items.map(textOf));
      cursor = page.nextCursor;
    } while (cursor !== null);
    return texts;
  }

  /** A range with ends on, beside and between commits; sometimes open, sometimes empty; with and without filters. */
  #query(): ListQuery {
    const times = [...this.#state.messages.values()].map(({ ingestionMs }) => ingestionMs);
    const time = () => (this.#one(times) ?? 0) + this.#pick(3) - 1;
    return {
      ...(this.#random() < 0.6 ? { startMs: time() } : {}),
      ...(this.#random() < 0.5 ? { endMs: time() } : {}),
      ...(this.#random() < 0.3 ? { sourceChainSelectors: [this.#one(LANES)!.sourceChainSelector] } : {}),
      ...(this.#random() < 0.2 ? { destChainSelectors: [SELECTORS.high, SELECTORS.mid] } : {}),
    };
  }

  #pick(below: number): number {
    return Math.floor(this.#random() * below);
  }

  #one<T>(from: readonly T[]): T | undefined {
    return from[this.#pick(from.length)];
  }
}

async function pageOf(storage: Storage, kind: ListName, query: ListQuery): Promise<Page<object>> {
  return await (kind === 'messages' ? storage.queryMessages(query) : storage.queryCCVData(query));
}

/** All changes that a storage can tell: what a follower and its leader must agree on. */
export async function changesOf(storage: Storage): Promise<unknown[]> {
  const changes: unknown[] = [];
  for (let after = storage.coverage().afterPosition; ; ) {
    const set = await storage.changesAfter(after, 500);
    changes.push(...set.changes);
    if (set.throughPosition >= set.headPosition) return changes;
    after = set.throughPosition;
  }
}
