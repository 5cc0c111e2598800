import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { seededRandom } from '../../../src/core/random.js';
import type { WriteBatch } from '../../../src/model/batch.js';
import type { Recall } from '../../../src/model/recall.js';
import type { NewMessage, VerifierResult } from '../../../src/model/records.js';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import { type BackendStorage, standsAt } from '../../../src/storage/backend-storage.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { everything, plain } from '../../contract/subject.js';
import { createManualClock, type ManualClock } from '../../support/manual-clock.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker, type RecordMaker, SELECTORS } from '../../support/records.js';
import { createLaggingStorage, type LaggingStorage } from '../../support/sink/lagging-storage.js';

/** Copies everything that `leader` committed. */
async function follow(leader: Storage, follower: BackendStorage): Promise<void> {
  for (;;) {
    const set = await leader.changesAfter(standsAt(follower), 500);
    await follower.apply(set);
    if (set.throughPosition >= set.headPosition) return;
  }
}

/** A database with a cold tier that follows it, and another that is never pruned and is given the same batches. */
class Twins {
  readonly make: RecordMaker;
  recallFails = false;
  readonly #clock: ManualClock;

  private constructor(
    readonly pruned: PostgresStorage,
    readonly whole: PostgresStorage,
    readonly cold: LaggingStorage,
    readonly databases: readonly TestDatabase[],
    clock: ManualClock,
    seed: number,
  ) {
    this.#clock = clock;
    this.make = createRecordMaker(seed);
  }

  static async open(seed = 1): Promise<Twins> {
    const clock = createManualClock();
    const common = createCommon({ clock, random: seededRandom(seed) });
    const databases = [await createTestDatabase(), await createTestDatabase()];
    const cold = createLaggingStorage('cold');
    const recall: Recall = async (id) => {
      if (twins.recallFails) throw new StorageUnavailableError('cold', 'answer (injected)');
      const [message, results] = [await cold.storage.heldMessage(id), await cold.storage.heldCCVData(id)];
      return { message, results };
    };
    const [pruned, whole] = databases.map((database, index) =>
      createPostgresStorage({ name: `twin-${index}`, connection: database.connection, common, recall }),
    );
    const twins = new Twins(pruned!, whole!, cold, databases, clock, seed);
    return twins;
  }

  /** Writes to both at the same time of day: the outcomes must not differ. */
  async write(batch: WriteBatch) {
    await this.#clock.advance(1_000);
    const outcome = await this.pruned.insertBatch(batch);
    expect(outcome).toEqual(await this.whole.insertBatch(batch));
    return outcome;
  }

  /** Prunes all that there is. */
  async prune(options = {}) {
    await follow(this.pruned, this.cold.storage);
    await this.cold.flush();
    const { throughMs, throughPosition } = this.cold.storage.coverage();
    return await this.pruned.prune({ ingestionMs: throughMs, position: throughPosition }, { dutyCycle: 1, ...options });
  }

  /** What the cold tier ends up with is the whole truth, times and positions included. */
  async expectEqual(): Promise<void> {
    await follow(this.pruned, this.cold.storage);
    await this.cold.flush();
    const truth = createMemoryStorage({ name: 'truth', maxStalenessMs: 1e15 });
    await follow(this.whole, truth);
    const copy = createMemoryStorage({ name: 'copy', maxStalenessMs: 1e15 });
    await follow(this.cold.storage, copy);
    expect(await everything(copy)).toEqual(await everything(truth));
    const all = async (storage: Storage) => plain((await storage.changesAfter(0n, 10_000)).changes);
    expect(await all(copy)).toEqual(await all(truth));
  }

  async rows(table: string): Promise<number> {
    const { rows } = await this.databases[0]!.sql(`SELECT count(*)::int AS n FROM ccv.${table}`);
    return rows[0].n;
  }

  async close(): Promise<void> {
    await Promise.all([this.pruned.close(), this.whole.close()]);
    await Promise.all(this.databases.map((database) => database.drop()));
  }
}

describe('a pruned Postgres', () => {
  let twins: Twins;
  let message: NewMessage;
  let result: VerifierResult;
  beforeEach(async () => {
    twins = await Twins.open();
    message = twins.make.message({ ccvs: [twins.make.hex(20), twins.make.hex(20)] });
    result = twins.make.result(message);
    await twins.write({ messages: [message], verifierResults: [result] });
    await twins.write({ statuses: [{ messageId: message.messageId, status: 'success' }] });
  });
  afterEach(async () => await twins.close());

  test('keeps a trace of every record and nothing else, and says so', async () => {
    const { messages, verifierResults, floor } = await twins.prune();
    expect({ messages, verifierResults }).toEqual({ messages: 1, verifierResults: 1 });
    for (const table of ['messages', 'verifier_results', 'message_bodies']) expect(await twins.rows(table)).toBe(0);
    for (const table of ['pruned_ids', 'pruned_results', 'commits']) expect(await twins.rows(table)).toBe(1);
    expect(twins.pruned.coverage()).toMatchObject({ afterMs: floor.ingestionMs, afterPosition: floor.position });
    const gap = { name: 'CoverageGapError' };
    await expect(twins.pruned.getMessage(message.messageId)).rejects.toMatchObject(gap);
    await expect(twins.pruned.getCCVData(message.messageId)).rejects.toMatchObject(gap);
    await expect(twins.pruned.queryMessages({})).rejects.toMatchObject(gap);
    await expect(twins.pruned.countCCVData({ endMs: floor.ingestionMs })).rejects.toMatchObject(gap);
    await expect(twins.pruned.changesAfter(floor.position - 1n)).rejects.toMatchObject(gap);
    expect((await twins.pruned.queryMessages({ startMs: floor.ingestionMs + 1 })).items).toEqual([]);
    expect((await twins.pruned.changesAfter(floor.position)).changes).toEqual([]);
    await expect(twins.pruned.getMessage(twins.make.message().messageId)).rejects.toMatchObject({
      name: 'MessageNotFoundError',
    });
  });

  test('promise 2: knows a duplicate and writes nothing, without asking the cold tier', async () => {
    await twins.prune();
    twins.recallFails = true;
    const outcome = await twins.write({ messages: [message], verifierResults: [result] });
    expect(outcome).toMatchObject({ messages: ['duplicate'], verifierResults: ['duplicate'], committed: null });
    const statuses = [{ messageId: message.messageId, status: 'timeout' as const }];
    expect((await twins.write({ statuses })).committed).toBeNull();
  });

  test('promise 2: knows a conflict and describes it with both hashes', async () => {
    await twins.prune();
    const other = { ...result, ccvData: twins.make.bytes(80) };
    const outcome = await twins.write({
      messages: [{ ...message, messageExecutorAddress: twins.make.hex(20) }],
      verifierResults: [other],
    });
    expect(outcome).toMatchObject({ messages: ['conflict'], verifierResults: ['conflict'] });
    await twins.expectEqual();
  });

  test('takes a late verification, without asking the cold tier', async () => {
    await twins.prune();
    twins.recallFails = true;
    const outcome = await twins.write({ verifierResults: [twins.make.result(message, 1)] });
    expect(outcome.verifierResults).toEqual(['inserted']);
    await twins.expectEqual();
  });

  test('takes an orphaning, a status in between, a verification and a return', async () => {
    const { messageId, origin } = message;
    await twins.prune();
    await twins.write({ orphanings: [{ messageId, blockHash: twins.make.hex(32) }] });
    expect((await twins.write({ orphanings: [{ messageId, blockHash: origin!.blockHash }] })).committed).not.toBeNull();
    await twins.expectEqual();
    await twins.prune();
    await twins.write({ verifierResults: [twins.make.result(message, 1)] });
    await twins.prune();
    const returned = { ...message, origin: twins.make.origin(77n) };
    expect((await twins.write({ messages: [returned] })).messages).toEqual(['returned']);
    await twins.expectEqual();
    await twins.prune();
    expect((await twins.write({ messages: [returned], verifierResults: [result] })).committed).toBeNull();
  });

  test('takes another origin, and an orphaning and return in one batch', async () => {
    await twins.prune();
    const moved = { ...message, origin: twins.make.origin(78n) };
    expect((await twins.write({ messages: [moved] })).messages).toEqual(['updated']);
    await twins.prune();
    const { messageId } = message;
    const returned = { ...message, origin: twins.make.origin(79n) };
    await twins.write({
      orphanings: [{ messageId, blockHash: moved.origin.blockHash }],
      messages: [returned],
      verifierResults: [result, twins.make.result(message, 1)],
    });
    await twins.expectEqual();
  });

  test('takes a message of which only verifications were pruned', async () => {
    const late = twins.make.message();
    await twins.write({ verifierResults: [twins.make.result(late)] });
    await twins.prune();
    expect((await twins.write({ messages: [late] })).messages).toEqual(['inserted']);
    await twins.prune();
    await twins.write({ statuses: [{ messageId: late.messageId, status: 'success' }] });
    await twins.prune();
    expect(await twins.rows('messages')).toBe(0);
    await twins.expectEqual();
  });

  test('keeps what is still to be worked on', async () => {
    const { make } = twins;
    const cursor = (of: string, height: bigint) => ({ sourceId: of, height, hash: null, expectedHeight: null });
    const chain = `chain:${SELECTORS.max}`;
    const [waiting, gaveUp, notFinal, final] = [7n, 8n, 12n, 9n].map((block) =>
      make.message({ sourceChainSelector: SELECTORS.max, origin: make.origin(block) }),
    );
    const all = [waiting!, gaveUp!, notFinal!, final!];
    await twins.write({
      messages: all,
      verifierResults: all.map((each) => make.result(each)),
      statuses: [
        { messageId: gaveUp!.messageId, status: 'timeout' },
        { messageId: notFinal!.messageId, status: 'success' },
        { messageId: final!.messageId, status: 'success' },
      ],
      // one OnRamp after another; neither another chain nor one whose selector begins alike is final for this one
      cursors: [cursor(`${chain}:0x01`, 4n), cursor(`${chain}:0x02`, 9n), cursor(`${chain}0:0x01`, 90n)],
    });
    await twins.prune();
    const ids = (messages: readonly NewMessage[]) => messages.map(({ messageId }) => messageId).sort();
    const kept = await twins.databases[0]!.sql(`SELECT '0x' || encode(message_id, 'hex') AS id FROM ccv.messages`);
    expect(kept.rows.map(({ id }) => id).sort()).toEqual(ids([waiting!, gaveUp!, notFinal!]));
    // whoever works on them must not depend on the cold tier: it looks their results up, and a reorg takes those along
    twins.recallFails = true;
    for (const { messageId } of [waiting!, gaveUp!, notFinal!])
      expect(await twins.pruned.getCCVData(messageId)).toEqual(await twins.whole.getCCVData(messageId));
    expect(await twins.rows('verifier_results')).toBe(3);
    const query = { limit: 10 };
    expect((await twins.pruned.queryUnfinishedMessages(query)).items).toEqual(
      (await twins.whole.queryUnfinishedMessages(query)).items,
    );
    expect(await twins.pruned.messagesAboveBlock(SELECTORS.max, 9n)).toEqual(
      await twins.whole.messagesAboveBlock(SELECTORS.max, 9n),
    );
    await twins.write({
      orphanings: [{ messageId: notFinal!.messageId, blockHash: notFinal!.origin!.blockHash }],
      statuses: [{ messageId: waiting!.messageId, status: 'success' }],
    });
    await twins.prune();
    expect(await twins.rows('messages')).toBe(1);
    expect(await twins.rows('verifier_results')).toBe(1);
    await twins.expectEqual();
  });

  test('fails only the batch that needs the cold tier while that is away, and can be asked again', async () => {
    await twins.prune();
    twins.recallFails = true;
    const orphanings = [{ messageId: message.messageId, blockHash: message.origin!.blockHash }];
    const other = twins.make.results(1);
    const [needing, free] = await Promise.allSettled([
      twins.pruned.insertBatch({ orphanings }),
      twins.pruned.insertBatch({ verifierResults: other }),
    ]);
    expect(needing).toMatchObject({ status: 'rejected', reason: { retryable: true, code: 'STORAGE_UNAVAILABLE' } });
    expect(free).toMatchObject({ status: 'fulfilled' });
    await twins.whole.insertBatch({ verifierResults: other });
    twins.recallFails = false;
    await twins.write({ orphanings });
    await twins.expectEqual();
  });

  test('stopped after any of its steps, it answers as before and the next run ends alike', async () => {
    const results = twins.make.results(7);
    for (const each of results) await twins.write({ verifierResults: [each] });
    for (let steps = 1; steps <= 9; steps += 1) {
      const { make } = twins;
      const extra = make.message();
      await twins.write({
        messages: [extra],
        statuses: [{ messageId: extra.messageId, status: 'success' }],
        verifierResults: [make.result(extra), ...make.results(2)],
      });
      let left = steps;
      const signal = {
        get aborted() {
          left -= 1;
          return left < 0;
        },
      } as AbortSignal;
      await twins.prune({ stepIds: 1, signal }).catch((error: Error) => expect(error.name).toBe('AbortedError'));
      const floorMs = twins.pruned.coverage().afterMs;
      await expect(twins.pruned.countCCVData({ startMs: floorMs })).rejects.toMatchObject({ name: 'CoverageGapError' });
      expect((await twins.write({ verifierResults: [...results, make.result(extra)] })).verifierResults).toEqual([
        ...results.map(() => 'duplicate'),
        'inserted',
      ]);
      await twins.expectEqual();
    }
    await twins.prune();
    expect(await twins.rows('verifier_results')).toBe(0);
    expect(await twins.rows('message_bodies')).toBe(0);
    await twins.expectEqual();
  });

  test('while others write, nothing of theirs is lost', async () => {
    const { make } = twins;
    const old = make.results(60);
    await twins.write({ verifierResults: old });
    await follow(twins.pruned, twins.cold.storage);
    await twins.cold.flush();
    const { throughMs, throughPosition } = twins.cold.storage.coverage();
    const late = old.map((each) => ({ ...each, verifierSourceAddress: make.hex(20) }));
    const pruning = twins.pruned.prune(
      { ingestionMs: throughMs, position: throughPosition },
      { dutyCycle: 1, stepIds: 1 },
    );
    const outcomes = await Promise.all(
      late.map(async (each, index) => await twins.pruned.insertBatch({ verifierResults: [each, old[index]!] })),
    );
    for (const { verifierResults } of outcomes) expect(verifierResults).toEqual(['inserted', 'duplicate']);
    await pruning;
    await follow(twins.pruned, twins.cold.storage);
    await twins.cold.flush();
    for (const { messageId } of old) expect((await twins.cold.storage.heldCCVData(messageId)).value).toHaveLength(2);
  });

  test('without somewhere to recall from it is not pruned', async () => {
    const storage = createPostgresStorage({ connection: twins.databases[1]!.connection });
    await expect(storage.prune({ ingestionMs: 1, position: 1n })).rejects.toMatchObject({
      name: 'InvalidArgumentError',
    });
    await storage.close();
  });
});
