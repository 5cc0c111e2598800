import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { isEqualBucket } from '../../../src/migration/parity/buckets.js';
import { compareRecords, type ParityReport } from '../../../src/migration/parity/compare.js';
import type { ParitySide } from '../../../src/migration/parity/side-reader.js';
import { changedRecord } from '../../../src/model/identity.js';
import { createSink } from '../../../src/sink/sink.js';
import type { BackendStorage } from '../../../src/storage/backend-storage.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../../src/storage/recall-from.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { liveEventfully } from '../../support/sink/eventful-life.js';
import { createLaggingStorage } from '../../support/sink/lagging-storage.js';

describe('a comparison of a database with another storage', () => {
  const make = createRecordMaker(1_111);
  const common = createCommon();
  const databases: TestDatabase[] = [];
  const opened: { close(): Promise<void> }[] = [];
  let [a, b]: PostgresStorage[] = [];
  beforeAll(async () => {
    databases.push(await createTestDatabase(), await createTestDatabase());
    const [one, other] = databases;
    a = createPostgresStorage({ name: 'a', connection: one!.connection });
    b = createPostgresStorage({ name: 'b', connection: other!.connection });
    await liveEventfully(a, make, 10);
    await follow(a, b);
  });
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
  });
  afterAll(async () => {
    await Promise.all([a?.close(), b?.close()]);
    for (const database of databases) await database.drop();
  });

  async function follow(leader: BackendStorage, follower: BackendStorage, from = follower.coverage().throughPosition) {
    for (let position = from; ; ) {
      const set = await leader.changesAfter(position);
      await follower.apply(set);
      if (set.throughPosition === set.headPosition) return;
      position = set.throughPosition;
    }
  }
  const compare = (leader: ParitySide, follower: ParitySide) =>
    compareRecords({ leader, follower, common, pageSize: 7, bucketMs: 1 });
  const found = ({ differences }: ParityReport) =>
    differences.map(({ what, ref }) => `${what} ${changedRecord(ref)}`).sort();
  const unequal = ({ buckets }: ParityReport) => buckets.filter((bucket) => !isEqualBucket(bucket));

  test('finds the same records in a follower, of every kind', async () => {
    const report = await compare({ storage: a! }, { storage: b! });
    expect(report).toMatchObject({ differences: [], changedSince: 0, afterPosition: 0n });
    expect(report.throughPosition).toBe(a!.coverage().throughPosition);
    expect(unequal(report)).toEqual([]);
    const all = report.buckets.reduce((sum, { leader }) => sum + leader.count, 0);
    expect(all).toBe(report.records);
    // the cursor has no time
    expect(report.buckets[0]).toMatchObject({ fromMs: null, leader: { count: 1 } });
  });

  test('finds a memory that follows a database equal to it', async () => {
    const memory = createMemoryStorage({ name: 'memory', maxStalenessMs: 60_000 });
    opened.push(memory);
    await follow(a!, memory, 0n);
    expect(await compare({ storage: a! }, { storage: memory })).toMatchObject({ differences: [], changedSince: 0 });
    expect(await compare({ storage: memory }, { storage: b! })).toMatchObject({ differences: [], changedSince: 0 });
  });

  test('reads the pruned part of a database from the cold tier, and says so', async () => {
    const database = await createTestDatabase();
    databases.push(database);
    const cold = createLaggingStorage('cold').storage;
    const pruned = createPostgresStorage({
      name: 'pruned',
      connection: database.connection,
      recall: recallFrom(cold),
    });
    opened.push(pruned, cold);
    await follow(a!, pruned, 0n);
    const boundary = await pruned.boundaryAt({ position: a!.coverage().throughPosition });
    await liveEventfully(a!, make, 3);
    await follow(a!, pruned);
    await follow(a!, b!);
    await cold.ready();
    await follow(a!, cold, 0n);
    await cold.flush();
    const { floor } = await pruned.prune(boundary);
    expect(floor).toEqual(boundary);
    const head = a!.coverage().throughPosition;
    const whole = await compare({ storage: pruned, past: cold }, { storage: b! });
    expect(whole).toMatchObject({ differences: [], afterPosition: 0n, throughPosition: head });
    expect(whole.parts.leader.map(({ backend }) => backend)).toEqual(['cold', 'pruned']);
    expect(whole.parts.leader[0]!.throughPosition).toBeGreaterThanOrEqual(floor.position);
    expect(whole.parts.follower).toEqual([{ backend: 'b', afterPosition: 0n, throughPosition: head }]);
    // without it: where both have something
    const upper = await compare({ storage: cold }, { storage: pruned });
    expect(upper).toMatchObject({ differences: [], afterPosition: floor.position, throughPosition: head });
  });

  test('finds no difference between databases of which one follows the other under load, but the one there is', async () => {
    const sink = createSink({ backends: [{ storage: open('leading', 0) }, { storage: open('following', 1) }] });
    opened.push(sink);
    await sink.started();
    const stop = new AbortController();
    const load = [1, 2, 3].map(async (seed) => {
      for (let life = 0; !stop.signal.aborted; life += 1)
        await liveEventfully(sink, createRecordMaker(10_000 * seed + life), 1);
    });
    const hurt = make.message();
    await sink.insertBatch({ messages: [hurt] });
    for (let round = 0; round < 4; round += 1) {
      const report = await compare({ storage: a! }, { storage: b! });
      expect(report.differences).toEqual([]);
      expect(unequal(report)).toEqual([]);
    }
    await eventually('it is there', async () => (await deleted(hurt.messageId)) === 1);
    const report = await compare({ storage: a! }, { storage: b! });
    expect(found(report)).toEqual([`missing message ${hurt.messageId}`]);
    expect(unequal(report)).toHaveLength(1);
    stop.abort();
    await Promise.all(load);
  });

  function open(name: string, database: number): PostgresStorage {
    return createPostgresStorage({ name, connection: databases[database]!.connection });
  }

  async function deleted(messageId: string): Promise<number | null> {
    const text = 'DELETE FROM ccv.messages WHERE message_id = $1';
    return (await databases[1]!.sql(text, [Buffer.from(messageId.slice(2), 'hex')])).rowCount;
  }
});
