import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import { insertCCVData } from '../../../src/storage/insert-ccv-data.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import type { AdvanceEvent } from '../../../src/storage/storage.js';
import { plain } from '../../contract/subject.js';
import { eventually } from '../../support/eventually.js';
import {
  createDatabaseOn,
  createTestDatabase,
  type PrivatePostgres,
  startPrivatePostgres,
  type TestDatabase,
} from '../../support/postgres/postgres.js';
import { type PostgresProxy, startPostgresProxy } from '../../support/postgres/proxy.js';
import { createRecordMaker } from '../../support/records.js';

const isUnavailable = (error: unknown) => error instanceof StorageUnavailableError;

describe('a connection lost', () => {
  let database: TestDatabase;
  let proxy: PostgresProxy;
  let storage: PostgresStorage;

  beforeEach(async () => {
    database = await createTestDatabase();
    proxy = await startPostgresProxy(database.tcp);
    storage = createPostgresStorage({ connection: proxy.tcp });
  });
  afterEach(async () => {
    await storage.close();
    await proxy.close();
    await database.drop();
  });

  test.each([
    ['before the server got COMMIT', ['before']],
    ['after the server did it', ['after']],
    ['again and again', ['before', 'after', 'before', 'before']],
  ] as const)('%s: the batch is stored once, its writer and subscribers hear so once', async (_, cuts) => {
    const make = createRecordMaker(50);
    const events: AdvanceEvent[] = [];
    storage.subscribe((event) => events.push(event));
    await storage.insertBatch({ verifierResults: make.results(1) });
    proxy.cutCommits(...cuts);
    const move = { sourceId: 'chain:1', hash: null, height: 7n, expectedHeight: null };
    const outcome = await storage.insertBatch({ verifierResults: make.results(2), cursors: [move] });
    await storage.insertBatch({ verifierResults: make.results(1) });
    expect(proxy.cuts()).toBeGreaterThan(0);
    expect(outcome).toMatchObject({ verifierResults: ['inserted', 'inserted'], committed: { throughPosition: 4n } });
    const { changes, headPosition } = await storage.changesAfter(0n);
    expect(headPosition).toBe(5n);
    const told = events.flatMap((event) => (event.kind === 'committed' ? event.changes.changes : []));
    expect(plain(told)).toEqual(plain(changes));
  });

  test('during a commit, with another instance committing meanwhile, is not mistaken for the other’s', async () => {
    const make = createRecordMaker(51);
    const other = createPostgresStorage({ name: 'other', connection: database.connection });
    proxy.cutCommits('shut');
    const writing = storage.insertBatch({ verifierResults: make.results(1) });
    await eventually('its commit is cut', () => proxy.cuts() === 1);
    // takes the position that the lost commit would have had
    const foreign = await other.insertBatch({ verifierResults: make.results(1) });
    await proxy.open();
    const outcome = await writing;
    expect(foreign.committed?.throughPosition).toBe(1n);
    expect(outcome.committed?.throughPosition).toBe(2n);
    expect((await other.countCCVData({})).count).toBe(2);
    await other.close();
  });

  test('while reading or idle is not seen by callers', async () => {
    const make = createRecordMaker(52);
    const [result] = make.results(1);
    await insertCCVData(storage, result!);
    for (let i = 0; i < 5; i += 1) {
      const reads = Array.from({ length: 4 }, () => storage.getCCVData(result!.messageId));
      if (i % 2 === 0) proxy.cutAll();
      for (const read of await Promise.all(reads)) expect(read).toHaveLength(1);
      if (i % 2 === 1) proxy.cutAll();
    }
  });

  test('for longer makes reads and writes unavailable and health false, and everything comes back by itself', async () => {
    const make = createRecordMaker(53);
    const [first, second] = make.results(2);
    const events: AdvanceEvent[] = [];
    storage.subscribe((event) => events.push(event));
    await insertCCVData(storage, first!);
    await proxy.shut();
    await expect(storage.getCCVData(first!.messageId)).rejects.toSatisfy(isUnavailable);
    await expect(storage.queryCCVData({})).rejects.toSatisfy(isUnavailable);
    await expect(insertCCVData(storage, second!)).rejects.toSatisfy(isUnavailable);
    expect(await storage.health()).toMatchObject({ healthy: false });
    const other = createPostgresStorage({ name: 'other', connection: database.connection });
    const { committed } = await other.insertBatch({ verifierResults: make.results(1) });
    await proxy.open();
    expect(await storage.getCCVData(first!.messageId)).toHaveLength(1);
    expect(await storage.health()).toEqual({ healthy: true, reason: null });
    await insertCCVData(storage, second!);
    const position = committed!.throughPosition;
    await eventually('what others committed meanwhile is told', () =>
      events.some(
        (event) =>
          (event.kind === 'advanced' && event.throughPosition >= position) ||
          (event.kind === 'committed' && event.changes.afterPosition >= position),
      ),
    );
    await other.close();
  });

  test('a listener that was away tells on its return that others went on', async () => {
    const make = createRecordMaker(54);
    const other = createPostgresStorage({ name: 'other', connection: database.connection });
    const events: AdvanceEvent[] = [];
    storage.subscribe((event) => events.push(event));
    const heard = (position: bigint) =>
      events.some((event) => event.kind === 'advanced' && event.throughPosition >= position);
    await eventually('it listens', async () =>
      heard((await other.insertBatch({ verifierResults: make.results(1) })).committed!.throughPosition),
    );
    await proxy.shut();
    const { committed } = await other.insertBatch({ verifierResults: make.results(1) });
    await proxy.open();
    await eventually('it tells', () => heard(committed!.throughPosition));
    await other.close();
  });
});

describe('a lock that somebody keeps', () => {
  test('makes a write unavailable after the lock timeout, and nothing of it is stored', async () => {
    const database = await createTestDatabase();
    const storage = createPostgresStorage({ connection: database.connection, pool: { lockTimeoutMs: 100 } });
    const holder = new pg.Client(database.connection);
    await holder.connect();
    await holder.query('BEGIN; SELECT FROM ccv.ingest_clock FOR UPDATE');
    const [result] = createRecordMaker(55).results(1);
    await expect(insertCCVData(storage, result!)).rejects.toMatchObject({
      name: 'StorageUnavailableError',
      retryable: true,
      details: { code: '55P03' },
    });
    expect((await storage.countCCVData({})).count).toBe(0);
    await holder.query('COMMIT');
    await insertCCVData(storage, result!);
    expect((await storage.countCCVData({})).count).toBe(1);
    await holder.end();
    await storage.close();
    await database.drop();
  });

  test('is taken from a writer that stopped in the middle of its transaction', async () => {
    const database = await createTestDatabase();
    const storage = createPostgresStorage({ connection: database.connection });
    const stuck = new pg.Client({ ...database.connection, idle_in_transaction_session_timeout: 100 });
    const codes: unknown[] = [];
    stuck.on('error', (error: Error & { code?: string }) => codes.push(error.code));
    await stuck.connect();
    await stuck.query('BEGIN; SELECT FROM ccv.ingest_clock FOR UPDATE');
    await storage.insertBatch({ verifierResults: createRecordMaker(56).results(1) });
    expect(codes).toContain('25P03');
    await stuck.end();
    await storage.close();
    await database.drop();
  });

  test('a statement that takes too long is given up', async () => {
    const database = await createTestDatabase();
    const storage = createPostgresStorage({
      connection: database.connection,
      pool: { lockTimeoutMs: 0, statementTimeoutMs: 100 },
    });
    const holder = new pg.Client(database.connection);
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE ccv.verifier_results IN ACCESS EXCLUSIVE MODE');
    await expect(storage.queryCCVData({})).rejects.toMatchObject({
      name: 'StorageUnavailableError',
      details: { code: '57014' },
    });
    await holder.query('ROLLBACK');
    expect((await storage.queryCCVData({})).items).toEqual([]);
    await holder.end();
    await storage.close();
    await database.drop();
  });
});

describe('a server that crashes', () => {
  let server: PrivatePostgres;
  beforeAll(async () => {
    server = await startPrivatePostgres();
  });
  afterAll(async () => {
    await server.remove();
  });

  test('promise 1: under writes loses nothing acknowledged and stores nothing twice, three times over', async () => {
    const database = await createDatabaseOn(server);
    const storage = createPostgresStorage({ connection: database.tcp, pool: { connectTimeoutMs: 500 } });
    const acknowledged = new Set<string>();
    const offered = new Set<string>();
    let writing = true;
    let height = 0n;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      const make = createRecordMaker(60 + writer);
      while (writing) {
        const verifierResults = make.results(3);
        for (const { messageId } of verifierResults) offered.add(messageId);
        for (let stored = false; !stored; )
          try {
            await storage.insertBatch({ verifierResults });
            stored = true;
          } catch (error) {
            expect(error).toSatisfy(isUnavailable);
            await eventually('the server is back', async () => (await storage.health()).healthy);
          }
        for (const { messageId } of verifierResults) acknowledged.add(messageId);
      }
    });
    const mover = (async () => {
      while (writing) {
        const move = { sourceId: 'chain:1', hash: null, expectedHeight: height === 0n ? null : height };
        try {
          await storage.insertBatch({ cursors: [{ ...move, height: height + 1n }] });
          height += 1n;
        } catch (error) {
          expect(error).toSatisfy(isUnavailable);
          await eventually('the server is back', async () => (await storage.health()).healthy);
          height = (await storage.getCursor('chain:1'))?.height ?? 0n;
        }
      }
    })();
    for (let crash = 0; crash < 3; crash += 1) {
      const goal = acknowledged.size + 30;
      await eventually('records are acknowledged', () => acknowledged.size >= goal);
      await server.kill();
      await server.start();
    }
    await eventually('records are acknowledged again', () => acknowledged.size > 120);
    writing = false;
    await Promise.all([...writers, mover]);

    const { changes, headPosition } = await storage.changesAfter(0n, 1_000_000);
    const results = changes.flatMap((change) => (change.kind === 'verifierResult' ? [change.record] : []));
    const stored = results.map((result) => result.messageId);
    expect(new Set(stored).size).toBe(stored.length);
    expect(new Set(stored)).toEqual(acknowledged);
    expect(acknowledged).toEqual(offered);
    expect((await storage.getCursor('chain:1'))?.height).toBe(height);
    // each result has its position, each cursor move had one
    expect(headPosition).toBe(BigInt(stored.length) + height);
    await storage.close();
  });

  test('and is shut down and started again by an operator is used again by itself', async () => {
    const database = await createDatabaseOn(server);
    const storage = createPostgresStorage({ connection: database.tcp });
    const [first, second] = createRecordMaker(70).results(2);
    await insertCCVData(storage, first!);
    await server.stop();
    await expect(insertCCVData(storage, second!)).rejects.toSatisfy(isUnavailable);
    await expect(storage.countCCVData({})).rejects.toSatisfy(isUnavailable);
    await server.start();
    await insertCCVData(storage, second!);
    expect((await storage.countCCVData({})).count).toBe(2);
    await storage.close();
  });
});
