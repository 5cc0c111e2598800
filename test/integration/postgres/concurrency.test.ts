import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { ChangeSet } from '../../../src/model/batch.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import type { AdvanceEvent } from '../../../src/storage/storage.js';
import { eventually } from '../../support/eventually.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

let database: TestDatabase;
let storages: PostgresStorage[];

beforeEach(async () => {
  database = await createTestDatabase();
  storages = Array.from({ length: 3 }, (_, i) =>
    createPostgresStorage({ name: `instance-${i}`, connection: database.connection }),
  );
});
afterEach(async () => {
  await Promise.all(storages.map((storage) => storage.close()));
  await database.drop();
});

async function allChanges(storage: PostgresStorage): Promise<ChangeSet['changes']> {
  return (await storage.changesAfter(0n, 100_000)).changes;
}

describe('several instances on one database', () => {
  test('promise 6: give positions without gaps, in the order of strictly rising times, and store each record once', async () => {
    const make = createRecordMaker(40);
    const shared = make.results(60);
    const outcomes = await Promise.all(
      storages.flatMap((storage, instance) =>
        Array.from({ length: 12 }, async (_, i) => {
          const own = make.results(3);
          const common = shared.slice((i * 5) % 60, ((i * 5) % 60) + 5);
          return {
            instance,
            outcome: await storage.insertBatch({ verifierResults: [...own, ...common] }),
          };
        }),
      ),
    );
    const inserted = outcomes.flatMap(({ outcome }) => outcome.verifierResults.filter((each) => each === 'inserted'));
    expect(inserted).toHaveLength(3 * 12 * 3 + 60);
    const changes = await allChanges(storages[0]!);
    expect(changes.map((change) => change.position)).toEqual(inserted.map((_, i) => BigInt(i + 1)));
    const times = changes.flatMap(({ record }) => ('ingestionMs' in record ? [record.ingestionMs] : []));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const { rows } = await database.sql(
      'SELECT through_position, ingestion_ms, lag(ingestion_ms) OVER (ORDER BY through_position) AS before FROM ccv.commits ORDER BY 1',
    );
    for (const { ingestion_ms, before } of rows.slice(1)) expect(Number(ingestion_ms)).toBeGreaterThan(Number(before));
    expect(BigInt(rows.at(-1).through_position)).toBe(changes.at(-1)!.position);
  });

  test('move a cursor from hand to hand without losing a move', async () => {
    const make = createRecordMaker(41);
    const moves = await Promise.all(
      storages.map(async (storage) => {
        let done = 0;
        while (done < 8) {
          const cursor = await storage.getCursor('chain:1');
          const move = {
            sourceId: 'chain:1',
            hash: null,
            expectedHeight: cursor?.height ?? null,
            height: (cursor?.height ?? 0n) + 1n,
          };
          try {
            await storage.insertBatch({ messages: [make.message()], cursors: [move] });
            done += 1;
          } catch (error) {
            expect(error).toMatchObject({ name: 'CursorConflictError' });
          }
        }
        return done;
      }),
    );
    const total = moves.reduce((sum, each) => sum + each, 0);
    expect(await storages[0]!.getCursor('chain:1')).toMatchObject({ height: BigInt(total) });
    expect((await storages[1]!.countMessages({})).count).toBe(total);
  });

  test('promise 5: nothing appears at or below a time that a read has returned', async () => {
    const make = createRecordMaker(42);
    let writing = true;
    const writers = Promise.all(
      storages.slice(0, 2).map(async (storage) => {
        for (let i = 0; i < 40; i += 1) await storage.insertBatch({ verifierResults: make.results(2) });
      }),
    ).finally(() => {
      writing = false;
    });
    const seen: bigint[] = [];
    let lastMs = -1;
    for (let last = false; !last; ) {
      last = !writing;
      const { items } = await storages[2]!.queryCCVData({ startMs: lastMs + 1, limit: 1_000 });
      seen.push(...items.map((item) => item.position));
      lastMs = items.at(-1)?.ingestionMs ?? lastMs;
    }
    await writers;
    expect(seen).toEqual(Array.from({ length: 160 }, (_, i) => BigInt(i + 1)));
  });

  test('promise 5: a clock that is set back does not turn ingestion times back', async () => {
    const clock = createManualClock(2_000_000_000_000);
    const ahead = createPostgresStorage({ connection: database.connection, common: createCommon({ clock }) });
    const make = createRecordMaker(43);
    const first = await ahead.insertBatch({ verifierResults: make.results(1) });
    const second = await storages[0]!.insertBatch({ verifierResults: make.results(1) });
    expect(first.committed?.ingestionMs).toBe(2_000_000_000_000);
    expect(second.committed?.ingestionMs).toBe(2_000_000_000_001);
    await ahead.close();
  });

  test('an instance hears of the commits of others, and not of its own as others’', async () => {
    const [one, two] = storages as [PostgresStorage, PostgresStorage];
    const heard: AdvanceEvent[] = [];
    const own: AdvanceEvent[] = [];
    const make = createRecordMaker(44);
    const first: AdvanceEvent[] = [];
    // a listener that begins reads the clock, which a commit of its own may have moved
    const unsubscribe = one.subscribe((event) => first.push(event));
    await eventually('the first listens', async () => {
      await two.insertBatch({ verifierResults: make.results(1) });
      return first.length > 0;
    });
    unsubscribe();
    two.subscribe((event) => heard.push(event));
    one.subscribe((event) => own.push(event));
    const written = new Set<bigint | undefined>();
    await eventually('the second listens', async () => {
      const { committed } = await one.insertBatch({ verifierResults: make.results(1) });
      written.add(committed?.throughPosition);
      return heard.some((event) => event.kind === 'advanced' && event.throughPosition === committed?.throughPosition);
    });
    expect(heard.some((event) => event.kind === 'committed')).toBe(false);
    expect(own.some((event) => event.kind === 'advanced' && written.has(event.throughPosition))).toBe(false);
    expect(own.filter((event) => event.kind === 'committed')).toHaveLength(written.size);
    const { throughPosition } = two.coverage();
    expect(throughPosition).toBeGreaterThanOrEqual(0n);
  });

  test('a batch that cannot be applied fails alone in its group', async () => {
    const make = createRecordMaker(45);
    const [storage] = storages as [PostgresStorage];
    const move = { sourceId: 'chain:9', hash: null, height: 5n, expectedHeight: 4n };
    const [good, stale, alsoGood] = await Promise.allSettled([
      storage.insertBatch({ verifierResults: make.results(2) }),
      storage.insertBatch({ verifierResults: make.results(2), cursors: [move] }),
      storage.insertBatch({ verifierResults: make.results(2) }),
    ]);
    expect([good!.status, stale!.status, alsoGood!.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await storage.countCCVData({})).count).toBe(4);
    const { rows } = await database.sql('SELECT count(*)::int AS commits FROM ccv.commits');
    expect(rows).toEqual([{ commits: 1 }]);
  });

  test('values that only the database refuses fail their batch alone too', async () => {
    const make = createRecordMaker(46);
    const [storage] = storages as [PostgresStorage];
    await database.sql(`ALTER TABLE ccv.verifier_results ADD CONSTRAINT no_poison CHECK (verifier_name <> 'poison')`);
    const outcomes = await Promise.allSettled([
      storage.insertBatch({ verifierResults: make.results(2) }),
      storage.insertBatch({ verifierResults: make.results(1, { verifierName: 'poison' }) }),
      storage.insertBatch({ verifierResults: make.results(2) }),
    ]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { name: 'StorageFailureError', details: { code: '23514' } } });
    expect((await storage.changesAfter(0n)).headPosition).toBe(4n);
  });

  test('a batch that changes nothing does not touch the clock', async () => {
    const make = createRecordMaker(47);
    const [one, two] = storages as [PostgresStorage, PostgresStorage];
    const verifierResults = make.results(3);
    await one.insertBatch({ verifierResults });
    const before = await database.sql('SELECT * FROM ccv.ingest_clock');
    expect((await two.insertBatch({ verifierResults })).committed).toBeNull();
    expect((await database.sql('SELECT * FROM ccv.ingest_clock')).rows).toEqual(before.rows);
  });
});

describe('a follower', () => {
  test('that has only part of a snapshot answers nothing, takes no writes, and is whole again at its head', async () => {
    const make = createRecordMaker(48);
    const leader = storages[0]!;
    await leader.insertBatch({ verifierResults: make.results(6) });
    const other = await createTestDatabase();
    const follower = createPostgresStorage({ connection: other.connection });
    const part = await leader.changesAfter(0n, 4);
    await follower.apply(part);
    expect(follower.coverage()).toMatchObject({ throughMs: -1, throughPosition: 4n });
    const gap = { name: 'CoverageGapError' };
    await expect(follower.queryCCVData({})).rejects.toMatchObject(gap);
    await expect(follower.changesAfter(0n)).rejects.toMatchObject(gap);
    await expect(follower.getCCVData(make.hex(32))).rejects.toMatchObject(gap);
    await expect(follower.insertBatch({ verifierResults: make.results(1) })).rejects.toMatchObject(gap);
    await follower.close();

    const reopened = createPostgresStorage({ connection: other.connection });
    await expect(reopened.countCCVData({})).rejects.toMatchObject(gap);
    await reopened.apply(await leader.changesAfter(4n));
    expect((await reopened.queryCCVData({})).items).toEqual((await leader.queryCCVData({})).items);
    expect(reopened.coverage()).toMatchObject({ throughMs: Number.POSITIVE_INFINITY, throughPosition: 6n });
    await reopened.close();
    await other.drop();
  });

  test('becomes the leader: its clock goes on where the other ended', async () => {
    const make = createRecordMaker(49);
    const leader = storages[0]!;
    const last = await leader.insertBatch({ verifierResults: make.results(2) });
    const other = await createTestDatabase();
    const follower = createPostgresStorage({ connection: other.connection });
    await follower.apply(await leader.changesAfter(0n));
    const next = await follower.insertBatch({ verifierResults: make.results(1) });
    expect(next.committed?.throughPosition).toBe(3n);
    expect(next.committed?.ingestionMs).toBeGreaterThan(last.committed!.ingestionMs);
    await follower.close();
    await other.drop();
  });
});
