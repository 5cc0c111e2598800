import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { silentLogger } from '../../../src/core/logger.js';
import { type Random, seededRandom } from '../../../src/core/random.js';
import type { ListedKind } from '../../../src/model/list-kinds.js';
import { resolveListQuery, resolveRange } from '../../../src/model/list-query.js';
import type { NewMessage } from '../../../src/model/records.js';
import type { ResolvedLists } from '../../../src/storage/list-face.js';
import { createAdvanceHub } from '../../../src/storage/postgres/clock/advance-hub.js';
import { parseNamespace } from '../../../src/storage/postgres/connection/namespace.js';
import { createPool } from '../../../src/storage/postgres/connection/pool.js';
import { DEFAULT_POOL_SETTINGS } from '../../../src/storage/postgres/connection/pool-settings.js';
import { createSockets } from '../../../src/storage/postgres/connection/sockets.js';
import { createTransactionRunner } from '../../../src/storage/postgres/connection/transaction-runner.js';
import { migrate } from '../../../src/storage/postgres/migrate/migrations.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { createListReads } from '../../../src/storage/postgres/read/list-reads.js';
import { createManualClock } from '../../support/manual-clock.js';
import { expectExactCounts } from '../../support/postgres/list-counts.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { createLaggingStorage } from '../../support/sink/lagging-storage.js';

const KINDS: readonly ListedKind[] = ['message', 'verifierResult'];

/** Within a block of each level and over several, so that ranges begin and end anywhere. */
const STEPS_MS = [1, 90, 400, 70_000, 20_000_000, 5_000_000_000];

let database: TestDatabase;
const ends: (() => Promise<void>)[] = [];
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await expectExactCounts(database.sql);
  await database.drop();
});

/** The lists of a database, of which every offset is found by counters. */
function countedLists({ connection }: TestDatabase): ResolvedLists {
  const common = createCommon();
  const sockets = createSockets(common.clock);
  const settings = { ...DEFAULT_POOL_SETTINGS, maxOpenConnections: 2 };
  const pool = createPool({ address: connection, settings, common, name: 'counted', mark: '', sockets });
  const runner = createTransactionRunner({ pool, sockets, common, name: 'counted', repeatForMs: 0 });
  ends.push(() => runner.close());
  const { read, readSent } = runner;
  const hub = createAdvanceHub(silentLogger, 'warm');
  const context = { name: 'counted', clock: common.clock, read, readSent, hub };
  return createListReads(parseNamespace('ccv'), context, 1);
}

function open(of: TestDatabase, options: Partial<Parameters<typeof createPostgresStorage>[0]> = {}): PostgresStorage {
  const storage = createPostgresStorage({ connection: of.connection, ...options });
  ends.push(() => storage.close());
  return storage;
}

/** Compares counts and pages of random ranges above the floor with the whole list, which is read without counters. */
async function expectExactAnswers(storage: PostgresStorage, counted: ResolvedLists, random: Random): Promise<void> {
  const floorMs = storage.coverage().afterMs;
  for (const kind of KINDS) {
    const { items: all } = await storage.list(kind, { ...resolveListQuery({ limit: 1000 }), startMs: floorMs + 1 });
    const within = (most: number) => Math.floor(random() * most);
    const someMs = () => Math.max(floorMs + 1, (all[within(all.length)]?.ingestionMs ?? 0) + within(3) - 1);
    for (let asked = 0; asked < 40; asked += 1) {
      const startMs = asked % 3 === 0 ? floorMs + 1 : someMs();
      const endMs = asked % 4 === 0 ? Number.POSITIVE_INFINITY : someMs();
      const listed = all.filter(({ ingestionMs }) => ingestionMs >= startMs && ingestionMs <= endMs);
      const range = { ...resolveRange({}), startMs, endMs };
      expect((await counted.count(kind, range)).count).toBe(listed.length);
      const offset = 1 + within(listed.length + 3);
      const page = await counted.list(kind, { ...resolveListQuery({ limit: 7 }), startMs, endMs, offset });
      expect(page.items).toEqual(listed.slice(offset, offset + 7));
      expect(page.next === null).toBe(offset + 7 >= listed.length);
    }
  }
}

describe('counters of the lists', () => {
  test.each([1, 2, 3])(
    'promise 4: tell counts and places as the records do, whatever happened (history %i)',
    async (seed) => {
      const clock = createManualClock();
      const common = createCommon({ clock, random: seededRandom(seed) });
      const random = seededRandom(seed + 100);
      const make = createRecordMaker(seed);
      const cold = createLaggingStorage('cold');
      const storage = open(database, {
        common,
        recall: async (id) => ({
          message: await cold.storage.heldMessage(id),
          results: await cold.storage.heldCCVData(id),
        }),
      });
      const copyDatabase = await createTestDatabase();
      ends.unshift(() => copyDatabase.drop());
      const copy = open(copyDatabase, { common, leads: false });
      const counted = countedLists(database);
      const given: NewMessage[] = [];
      const some = () => given[Math.floor(random() * given.length)] ?? make.message();

      async function write(): Promise<void> {
        const fresh = Array.from({ length: Math.floor(random() * 6) }, (_, log) =>
          make.message({ origin: make.origin(BigInt(given.length), log) }),
        );
        given.push(...fresh);
        const gone = [some(), some()].flatMap(({ messageId, origin }) =>
          random() < 0.4 && origin ? [{ messageId, blockHash: origin.blockHash }] : [],
        );
        await storage.insertBatch({
          orphanings: gone,
          messages: random() < 0.5 ? [...fresh, some()] : fresh,
          verifierResults: [...fresh.filter(() => random() < 0.7), some()].map((message) => make.result(message)),
          statuses: [{ messageId: some().messageId, status: 'success' }],
        });
      }

      async function follow(follower: Pick<PostgresStorage, 'apply'>, from: bigint, limit: number): Promise<void> {
        for (let after = from; ; ) {
          const set = await storage.changesAfter(after, limit);
          await follower.apply(set);
          after = set.throughPosition;
          if (after >= set.headPosition) return;
        }
      }

      for (let round = 0; round < 4; round += 1) {
        for (let commit = 0; commit < 15; commit += 1) {
          await clock.advance(STEPS_MS[Math.floor(random() * STEPS_MS.length)] ?? 1);
          await write();
        }
        await expectExactAnswers(storage, counted, random);
        await follow(copy, copy.coverage().throughPosition, 7);
        await expectExactCounts(copyDatabase.sql);
        await follow(cold.storage, cold.storage.appliedPosition(), 100);
        await cold.flush();
        const { throughMs, throughPosition } = cold.storage.coverage();
        if (round % 2 === 1)
          await storage.prune({ ingestionMs: throughMs - 1, position: throughPosition }, { dutyCycle: 1 });
        await expectExactAnswers(storage, counted, random);
        await expectExactCounts(database.sql);
      }
      const [change] = (await copy.changesAfter(0n, 1)).changes;
      await copy.mend(async () => ({ what: 'remove', ref: change! }));
      await expectExactCounts(copyDatabase.sql);
      await copy.mend(async () => ({ what: 'put', change: change! }));
      await expectExactCounts(copyDatabase.sql);
      const left = await database.sql(
        'SELECT FROM ccv.list_counts, ccv.ingest_clock WHERE (block + 1) << (8 * (level + 1)) <= floor_ms + 1',
      );
      expect(left.rows).toEqual([]);
    },
  );

  test('promises 3 and 4: are of one state with the records while four writers write', async () => {
    const make = createRecordMaker(9);
    const writers = Array.from({ length: 4 }, () => open(database));
    const counted = countedLists(database);
    const batches = 15;
    const perBatch = 8;
    let written = 0;
    const writing = writers.map(async (writer) => {
      for (let batch = 0; batch < batches; batch += 1) {
        await writer.insertBatch({ verifierResults: make.results(perBatch) });
        written += 1;
      }
    });
    let looks = 0;
    // every change is a new result, so the place in the list is the position
    while (written < writers.length * batches) {
      const { count, asOf } = await counted.count('verifierResult', resolveRange({}));
      expect(BigInt(count)).toBe(asOf.position);
      const offset = Math.floor(count / 2) + 1;
      const page = await counted.list('verifierResult', { ...resolveListQuery({ limit: 20 }), offset });
      const positions = page.items.map((_, index) => BigInt(offset + index + 1));
      expect(page.items.map(({ position }) => position)).toEqual(positions);
      expect(page.items).toHaveLength(Math.min(20, Math.max(0, Number(page.asOf.position) - offset)));
      looks += 1;
    }
    await Promise.all(writing);
    expect(looks).toBeGreaterThan(3);
    expect((await counted.count('verifierResult', resolveRange({}))).count).toBe(written * perBatch);
  });

  test('are made by the migration for the records of before', async () => {
    const make = createRecordMaker(10);
    const storage = open(database);
    const messages = Array.from({ length: 5 }, (_, log) => make.message({ origin: make.origin(3n, log) }));
    await storage.insertBatch({ messages, verifierResults: messages.map((message) => make.result(message)) });
    const { messageId, origin } = messages[0]!;
    await storage.insertBatch({ orphanings: [{ messageId, blockHash: origin!.blockHash }] });
    await storage.close();
    const counters = async () =>
      (await database.sql('SELECT * FROM ccv.list_counts WHERE listed > 0 ORDER BY 1, 2, 3')).rows;
    const before = await counters();
    expect(before).toHaveLength(8);
    await database.sql('ALTER TABLE ccv.ingest_clock DROP COLUMN counted_position; DROP TABLE ccv.list_counts');
    await database.sql("DELETE FROM ccv.migrations WHERE name = 'list_counts'");
    expect(await migrate({ connection: database.connection })).toMatchObject([{ name: 'list_counts' }]);
    expect(await counters()).toEqual(before);
    await open(database).insertBatch({ verifierResults: make.results(1) });
  });

  test('promise 3: are not passed by: the commit of a version without them fails', async () => {
    const older = 'UPDATE ccv.ingest_clock SET last_ms = 5, last_position = 1, head_position = 1';
    await expect(database.sql(older)).rejects.toMatchObject({ code: '23514', constraint: 'written_with_migration_11' });
  });
});
