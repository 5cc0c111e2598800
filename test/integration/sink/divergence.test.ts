import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import type { SinkBackend } from '../../../src/sink/sink-options.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { everything } from '../../contract/subject.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

/** Two databases of which one leads: what happens when the other was written to as well. */
describe('a follower that holds another history than its leader', () => {
  const make = createRecordMaker(4242);
  let [a, b]: TestDatabase[] = [];
  let opened: { close(): Promise<void> }[] = [];
  beforeEach(async () => {
    [a, b] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  });
  afterEach(async () => {
    for (const each of opened) await each.close();
    opened = [];
    for (const each of [a, b]) await each?.drop();
  });

  function open(name: string, database: TestDatabase): PostgresStorage {
    const storage = createPostgresStorage({ name, connection: database.connection });
    opened.push(storage);
    return storage;
  }
  function sinkOf(backends: readonly SinkBackend[]): Sink {
    const sink = createSink({ backends, retry: { baseMs: 2, maxMs: 20 } });
    opened.push(sink);
    return sink;
  }
  const pair = (first: TestDatabase, second: TestDatabase): Sink =>
    sinkOf([{ storage: open('leader', first) }, { storage: open('follower', second) }]);
  const idsOf = async (database: TestDatabase): Promise<string[]> =>
    (await database.sql("SELECT '0x' || encode(message_id, 'hex') AS id FROM ccv.messages")).rows.map((row) => row.id);
  const stateOf = async (sink: Sink) => (await sink.status())[1]?.lastError?.code ?? null;
  const diverged = {
    name: 'SinkWriteError',
    committed: true,
    retryable: false,
    failed: [{ error: { code: 'DIVERGED', retryable: false } }],
  };

  test('while two Sinks lead the one each, nothing is acknowledged that both do not hold', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [c, d] = await Promise.all([createTestDatabase(), createTestDatabase()]);
      const [old, swapped] = [pair(c, d), pair(d, c)];
      await Promise.all([old.started(), swapped.started()]);
      const given = [make.message(), make.message()] as const;
      const done = await Promise.allSettled([
        old.insertBatch({ messages: [given[0]] }),
        swapped.insertBatch({ messages: [given[1]] }),
      ]);
      const held = await Promise.all([idsOf(c), idsOf(d)]);
      const acknowledged = given.filter((_, i) => done[i]?.status === 'fulfilled');
      for (const ids of held) for (const { messageId } of acknowledged) expect(ids).toContain(messageId);
      expect(acknowledged.length).toBeLessThan(2);
      await Promise.all([old.close(), swapped.close()]);
      await Promise.all([c.drop(), d.drop()]);
    }
  });

  test('promise 7: refuses the commit that has another in its place, and everything after it', async () => {
    const sink = pair(a!, b!);
    await sink.insertBatch({ messages: [make.message()] });
    await open('other', b!).insertBatch({ messages: [make.message()] });
    const batch = { messages: [make.message()] };
    await expect(sink.insertBatch(batch)).rejects.toMatchObject(diverged);
    await expect(sink.insertBatch(batch)).rejects.toMatchObject({ code: 'DIVERGED' });
    await expect(sink.insertBatch({ messages: [make.message()] })).rejects.toMatchObject({ code: 'DIVERGED' });
    expect(await sink.status()).toMatchObject([{}, { state: 'failing', lastError: { code: 'DIVERGED' } }]);
    // the leader answers as before, the other is not asked
    expect(sink.explain({}).slices.map(({ backend }) => backend)).toEqual(['leader']);
    expect((await sink.queryMessages({})).items).toHaveLength(2);
  });

  test('refuses a commit of which another has a part of the place, and takes nothing of it over', async () => {
    const sink = pair(a!, b!);
    await sink.insertBatch({ messages: [make.message()] });
    await open('other', b!).insertBatch({ messages: [make.message()] });
    await expect(sink.insertBatch({ messages: [make.message(), make.message()] })).rejects.toMatchObject(diverged);
    expect(await idsOf(b!)).toHaveLength(2);
  });

  test('refuses a commit where the other has come further', async () => {
    const sink = pair(a!, b!);
    await sink.insertBatch({ messages: [make.message()] });
    await open('other', b!).insertBatch({ messages: [make.message(), make.message()] });
    await expect(sink.insertBatch({ messages: [make.message()] })).rejects.toMatchObject({ name: 'SinkWriteError' });
    await expect(sink.insertBatch({ messages: [make.message()] })).rejects.toMatchObject({ retryable: false });
  });

  test.each([0, 1])('is found when a Sink starts, also with a leader that is %i commits further', async (more) => {
    const [one, other] = [open('one', a!), open('other', b!)];
    await one.insertBatch({ messages: [make.message()] });
    await other.insertBatch({ messages: [make.message()] });
    for (let i = 0; i < more; i += 1) await one.insertBatch({ messages: [make.message()] });
    const sink = pair(a!, b!);
    await expect(sink.insertBatch({ messages: [make.message()] })).rejects.toMatchObject({ code: 'DIVERGED' });
    expect(await idsOf(a!)).toHaveLength(1 + more);
    expect(await idsOf(b!)).toHaveLength(1);
  });

  test('is found when a Sink starts, also when both committed in the same millisecond', async () => {
    for (const database of [a!, b!]) {
      await open(database.name, database).insertBatch({ messages: [make.message()] });
      await database.sql('UPDATE ccv.ingest_clock SET last_ms = 5');
      await database.sql('UPDATE ccv.commits SET ingestion_ms = 5');
    }
    const sink = pair(a!, b!);
    await expect(sink.insertBatch({ messages: [make.message()] })).rejects.toMatchObject({ code: 'DIVERGED' });
  });

  test('is found without any news, by the time of its last commit or by being ahead', async () => {
    const sink = pair(a!, b!);
    await sink.insertBatch({ messages: [make.message()] });
    await eventually('it follows', async () => (await sink.status())[1]?.state === 'current');
    await b!.sql('UPDATE ccv.ingest_clock SET last_ms = last_ms - 1');
    await eventually('it is found', async () => (await stateOf(sink)) === 'DIVERGED');
    await sink.close();
    await b!.sql('UPDATE ccv.ingest_clock SET last_ms = last_ms + 1');
    const again = pair(a!, b!);
    await again.started();
    expect(await stateOf(again)).toBeNull();
    await open('other', b!).insertBatch({ messages: [make.message()] });
    await eventually('it is ahead', async () => (await stateOf(again)) === 'FOLLOWER_AHEAD');
  });

  test('memory starts anew instead', async () => {
    const hot = createMemoryStorage({ name: 'hot' });
    const sink = sinkOf([{ storage: hot }, { storage: open('leader', a!) }]);
    await sink.insertBatch({ messages: [make.message()] });
    const other = make.message();
    const elsewhere = open('elsewhere', b!);
    await elsewhere.insertBatch({ messages: [other] });
    // restored from another backup, in one transaction: memory reads anew as soon as it sees any of it
    await a!.sql(`UPDATE ccv.ingest_clock SET last_ms = last_ms + 1; UPDATE ccv.commits SET ingestion_ms = ingestion_ms + 1;
      UPDATE ccv.messages SET ingestion_ms = ingestion_ms + 1`);
    const restored = await open('restored', a!).queryMessages({});
    await eventually('memory has read it', async () => {
      const page = await hot.queryMessages({}).catch(() => null);
      return page?.items[0]?.ingestionMs === restored.items[0]!.ingestionMs;
    });
    await eventually('memory is current', async () => (await sink.status())[0]?.lastError === null);
  });

  test('is not mistaken for several workers of one configuration, nor for a swap with nobody at work', async () => {
    const workers = [pair(a!, b!), pair(a!, b!), pair(a!, b!)];
    await Promise.all(
      workers.map(async (sink, worker) => {
        const own = createRecordMaker(worker);
        for (let i = 0; i < 20; i += 1)
          await sink.insertBatch({ messages: [make.message()], verifierResults: own.results(2) });
      }),
    );
    for (const sink of workers) await sink.close();
    const swapped = pair(b!, a!);
    for (let i = 0; i < 3; i += 1) await swapped.insertBatch({ messages: [make.message()] });
    await swapped.close();
    const back = pair(a!, b!);
    await back.insertBatch({ messages: [make.message()] });
    expect(await everything(open('left', a!))).toEqual(await everything(open('right', b!)));
  });
});
