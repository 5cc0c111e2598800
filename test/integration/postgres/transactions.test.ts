import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { classifyFailure, toStorageError } from '../../../src/storage/postgres/connection/sql-errors.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import type { AdvanceEvent } from '../../../src/storage/storage.js';
import { eventually } from '../../support/eventually.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

let database: TestDatabase;
let storage: PostgresStorage;
const common = createCommon();

beforeEach(async () => {
  database = await createTestDatabase();
  storage = createPostgresStorage({ connection: database.connection, common });
});
afterEach(async () => {
  await storage.close();
  await database.drop();
});

/** Makes the first `times` commits fail in the server; a sequence is not rolled back. */
async function failCommits(sqlState: string, times: number): Promise<void> {
  await database.sql(`
    CREATE SEQUENCE tries;
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('public.tries') <= ${times} THEN RAISE EXCEPTION 'made up' USING ERRCODE = '${sqlState}'; END IF;
      RETURN new;
    END $$;
    CREATE TRIGGER fail BEFORE INSERT ON ccv.commits FOR EACH ROW EXECUTE FUNCTION fail();
  `);
}

describe('a transaction', () => {
  test.each(['40001', '40P01'])('that loses a race (%s) is run again, and its batch stored once', async (sqlState) => {
    await failCommits(sqlState, 2);
    const events: AdvanceEvent[] = [];
    storage.subscribe((event) => events.push(event));
    const outcome = await storage.insertBatch({ verifierResults: createRecordMaker(90).results(2) });
    expect(outcome).toMatchObject({ verifierResults: ['inserted', 'inserted'], committed: { throughPosition: 2n } });
    expect(events).toHaveLength(1);
    expect((await storage.countCCVData({})).count).toBe(2);
    expect(await common.metrics.metrics()).toMatch(
      /indexer_postgres_retries_total\{storage="postgres",label="insert batch",reason="serialization"\} [1-9]/,
    );
  });

  test('that loses every race is given up as unavailable, with nothing stored', async () => {
    await failCommits('40001', 1_000);
    const refused = storage.insertBatch({ verifierResults: createRecordMaker(91).results(2) });
    await expect(refused).rejects.toMatchObject({ name: 'StorageUnavailableError', details: { code: '40001' } });
    expect((await storage.changesAfter(0n)).headPosition).toBe(0n);
  });

  test('that the server refuses for good is a failure at once, with nothing stored', async () => {
    await failCommits('0A000', 1);
    const refused = storage.insertBatch({ verifierResults: createRecordMaker(92).results(2) });
    await expect(refused).rejects.toMatchObject({ name: 'StorageFailureError', retryable: false });
    expect((await storage.changesAfter(0n)).headPosition).toBe(0n);
    expect((await storage.insertBatch({ verifierResults: createRecordMaker(92).results(1) })).verifierResults).toEqual([
      'inserted',
    ]);
  });

  test('leaves no connection in use', async () => {
    const make = createRecordMaker(93);
    await Promise.all(Array.from({ length: 30 }, () => storage.insertBatch({ verifierResults: make.results(1) })));
    await Promise.all(Array.from({ length: 30 }, () => storage.queryCCVData({})));
    const { rows } = await database.sql(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`,
    );
    expect(rows).toEqual([{ n: 0 }]);
  });
});

describe('the pool', () => {
  const OPEN = `SELECT count(*)::int AS n, max(pid) AS last FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'ccv-indexer'`;

  test('keeps good connections, also beyond the idle limit, and closes those once they were idle for a while', async () => {
    const clock = createManualClock();
    const limited = createPostgresStorage({
      ...{ connection: database.connection, common: createCommon({ clock }) },
      pool: { maxOpenConnections: 4, maxIdleConnections: 1 },
    });
    const load = async () => await Promise.all(Array.from({ length: 40 }, () => limited.countCCVData({})));
    await load();
    const [before] = (await database.sql(OPEN)).rows;
    expect(before.n).toBe(4);
    // one that is needed now and then is no surplus
    await clock.advance(6_000);
    await load();
    await clock.advance(6_000);
    await load();
    expect((await database.sql(OPEN)).rows).toEqual([before]);
    await clock.advance(20_000);
    await eventually('the surplus is closed', async () => (await database.sql(OPEN)).rows[0].n === 1);
    await limited.close();
    expect(clock.pending).toBe(0);
  });

  test('keeps a connection when a batch is refused for what it says', async () => {
    const single = createPostgresStorage({ connection: database.connection, pool: { maxOpenConnections: 2 } });
    const pid = async () => (await database.sql(OPEN)).rows;
    const make = createRecordMaker(96);
    const cursors = [{ sourceId: 'c', expectedHeight: 5n, height: 6n, hash: null }];
    await single.insertBatch({ verifierResults: make.results(1) });
    const before = await pid();
    await expect(single.insertBatch({ verifierResults: make.results(1), cursors })).rejects.toThrow();
    await single.insertBatch({ verifierResults: make.results(1) });
    expect(await pid()).toEqual(before);
    await single.close();
  });

  test('gives its connections the configured limits', async () => {
    const limited = createPostgresStorage({
      connection: database.connection,
      pool: { lockTimeoutMs: 1_234, statementTimeoutMs: 2_345, idleInTxSessionTimeoutMs: 3_456 },
    });
    await limited.countCCVData({});
    await database.sql(
      `CREATE FUNCTION ccv_settings() RETURNS text LANGUAGE sql AS
         $$ SELECT concat_ws(' ', current_setting('lock_timeout'), current_setting('statement_timeout'),
              current_setting('idle_in_transaction_session_timeout')) $$;
       CREATE TABLE settings (text text);
       CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO public.settings SELECT public.ccv_settings(); RETURN new; END $$;
       CREATE TRIGGER note BEFORE INSERT ON ccv.commits FOR EACH ROW EXECUTE FUNCTION note();`,
    );
    await limited.insertBatch({ verifierResults: createRecordMaker(94).results(1) });
    expect((await database.sql('SELECT text FROM settings')).rows).toEqual([{ text: '1234ms 2345ms 3456ms' }]);
    await limited.close();
  });
});

describe('errors of the database', () => {
  const raised = async (sqlState: string): Promise<unknown> =>
    await database
      .sql(`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '${sqlState}'; END $$`)
      .catch((error: unknown) => error);

  test.each([
    ['40001', 'serialization', 'StorageUnavailableError'],
    ['40P01', 'serialization', 'StorageUnavailableError'],
    ['08006', 'connection', 'StorageUnavailableError'],
    ['57P01', 'connection', 'StorageUnavailableError'],
    ['55P03', 'unavailable', 'StorageUnavailableError'],
    ['57014', 'unavailable', 'StorageUnavailableError'],
    ['53100', 'unavailable', 'StorageUnavailableError'],
    ['25006', 'session', 'StorageUnavailableError'],
    ['25P02', 'session', 'StorageUnavailableError'],
    ['25001', 'session', 'StorageUnavailableError'],
    ['26000', 'session', 'StorageUnavailableError'],
    ['42P05', 'session', 'StorageUnavailableError'],
    ['25P03', 'connection', 'StorageUnavailableError'],
    ['57P02', 'connection', 'StorageUnavailableError'],
    ['57P03', 'connection', 'StorageUnavailableError'],
    ['57P05', 'connection', 'StorageUnavailableError'],
    ['53300', 'connection', 'StorageUnavailableError'],
    ['08007', 'connection', 'StorageUnavailableError'],
    ['40003', 'connection', 'StorageUnavailableError'],
    ['55000', 'unavailable', 'StorageUnavailableError'],
    ['58030', 'unavailable', 'StorageUnavailableError'],
    ['0A000', 'failure', 'StorageFailureError'],
    ['22021', 'content', 'StorageFailureError'],
    ['23505', 'content', 'StorageFailureError'],
    ['54000', 'content', 'StorageFailureError'],
    ['42P01', 'failure', 'StorageFailureError'],
    ['XX001', 'failure', 'StorageFailureError'],
  ])('%s is %s, for callers a %s', async (sqlState, kind, name) => {
    const error = await raised(sqlState);
    expect(error).toBeInstanceOf(pg.DatabaseError);
    expect(classifyFailure(error)).toBe(kind);
    expect(toStorageError(error, 'warm', 'read')).toMatchObject({ name, details: { code: sqlState, kind } });
  });

  test('what did not come from the server is the connection’s, unless it is a mistake of ours', () => {
    expect(classifyFailure(new Error('Connection terminated unexpectedly'))).toBe('connection');
    expect(classifyFailure(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))).toBe('connection');
    expect(classifyFailure(new TypeError('x is undefined'))).toBe('failure');
  });

  test('never tell the password', async () => {
    const wrong = createPostgresStorage({
      connection: { connectionString: database.uri.replace(/:[^:@/]+@/, ':s3cret-wrong@') },
    });
    const error = await wrong.countCCVData({}).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'StorageFailureError', details: { code: '28P01' } });
    expect(JSON.stringify([error, String(error), (await wrong.health()).reason])).not.toContain('s3cret');
    await wrong.close();
  });
});
