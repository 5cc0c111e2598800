import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { nextTurn } from '../../../src/core/event-loop.js';
import { createShadowReads } from '../../../src/migration/shadow/shadow-reads.js';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { liveEventfully } from '../../support/sink/eventful-life.js';

describe('shadow reads of a database that follows', () => {
  const make = createRecordMaker(31);
  const common = createCommon();
  let databases: TestDatabase[] = [];
  let sink: Sink;
  let shadow: PostgresStorage;
  let writers: Promise<void>[] = [];
  const stop = new AbortController();
  const opened: { close(): Promise<void> }[] = [];
  beforeAll(async () => {
    databases = [await createTestDatabase(), await createTestDatabase()];
    const [old, next] = databases.map(({ connection }) => connection);
    sink = createSink({
      backends: [
        { storage: createMemoryStorage({ name: 'hot' }) },
        { storage: createPostgresStorage({ name: 'old', connection: old! }) },
        { storage: createPostgresStorage({ name: 'new', connection: next! }), required: false },
      ],
    });
    shadow = createPostgresStorage({ name: 'shadow', connection: next! });
    opened.unshift(sink, shadow);
    await sink.started();
  });
  afterAll(async () => {
    stop.abort();
    await Promise.all(writers);
    for (const each of opened) await each.close();
    for (const database of databases) await database.drop();
  });

  test('promise 7: answer as the live ones do while records are written, and otherwise once a record is damaged', async () => {
    const reads = createShadowReads({ live: sink, shadow, share: () => 1, common, mostUnderWay: 20 });
    opened.unshift(reads);
    const stored = await liveEventfully(sink, make, 2);
    writers = [1, 2].map(async (seed) => {
      for (let life = 0; !stop.signal.aborted; life += 1)
        await liveEventfully(sink, createRecordMaker(1_000_000 * seed + life), 1);
    });
    const same = () => reads.figures().outcomes.same;
    for (let asked = 0; same() < 150; asked += 1) {
      const { messageId } = stored[asked % stored.length]!;
      // memory answers without a turn of the event loop
      await nextTurn();
      await Promise.allSettled([
        reads.storage.queryMessages({ limit: 20, offset: asked }),
        reads.storage.queryCCVData({ limit: 1_000 }),
        reads.storage.countMessages({}),
        reads.storage.getMessage(messageId),
        reads.storage.getCCVData(messageId),
      ]);
    }
    const { outcomes, differences, lastError } = reads.figures();
    expect(differences).toEqual([]);
    expect(outcomes).toMatchObject({ different: 0, failed: 0 });
    expect(lastError).toBeNull();
    const hurt = stored[0]!.messageId;
    const text =
      'UPDATE ccv.verifier_results SET ccv_data = set_byte(ccv_data, 9, 255 - get_byte(ccv_data, 9)) WHERE message_id = $1';
    await databases[1]!.sql(text, [Buffer.from(hurt.slice(2), 'hex')]);
    const found = () => reads.figures().differences.find(({ operation }) => operation === 'getCCVData');
    await eventually('the damage is seen', async () => {
      await reads.storage.getCCVData(hurt);
      return found() !== undefined;
    });
    expect(found()).toMatchObject({
      query: JSON.stringify([hurt]),
      first: { index: 0, live: { messageId: hurt }, shadow: { messageId: hurt } },
    });
  });
});
