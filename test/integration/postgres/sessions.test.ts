import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { silentLogger } from '../../../src/core/logger.js';
import { createPool } from '../../../src/storage/postgres/connection/pool.js';
import { DEFAULT_POOL_SETTINGS } from '../../../src/storage/postgres/connection/pool-settings.js';
import { createSockets } from '../../../src/storage/postgres/connection/sockets.js';
import { migrate } from '../../../src/storage/postgres/migrate/migrations.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { eventually } from '../../support/eventually.js';
import { createManualClock, type ManualClock } from '../../support/manual-clock.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { type PostgresProxy, startPostgresProxy } from '../../support/postgres/proxy.js';
import { createRecordMaker } from '../../support/records.js';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await database.drop();
});

describe('a session that is no good any more', () => {
  const make = createRecordMaker(120);
  let proxy: PostgresProxy;
  let clock: ManualClock;
  let storage: PostgresStorage;
  beforeEach(async () => {
    proxy = await startPostgresProxy(database.tcp);
    clock = createManualClock();
    storage = createPostgresStorage({ connection: proxy.tcp, common: createCommon({ clock }) });
  });
  afterEach(async () => {
    await storage.close();
    await proxy.close();
  });

  /** Uses every statement once on each of six connections. */
  async function warmUp(): Promise<void> {
    await storage.insertBatch({ verifierResults: make.results(1) });
    await eventually('six are made', async () => {
      await Promise.all(Array.from({ length: 6 }, () => storage.countCCVData({})));
      return proxy.accepted() === 6;
    });
    for (let round = 0; round < 4; round += 1)
      await Promise.all(Array.from({ length: 6 }, () => storage.countCCVData({})));
    await storage.insertBatch({ verifierResults: make.results(1) });
    // rows of these are binary
    for (let round = 0; round < 4; round += 1)
      await Promise.all(Array.from({ length: 6 }, () => storage.changesAfter(0n)));
    expect(proxy.accepted()).toBe(6);
  }

  test.each([
    ['whose prepared statements are gone', 'DISCARD ALL'],
    ['whose prepared statements were dropped', 'DEALLOCATE ALL'],
    ['that was left read-only by a switch-over', 'SET default_transaction_read_only = on'],
    ['that was left in a failed transaction', 'BEGIN; SELECT 1 / 0'],
    ['whose plans no longer fit the table', 'ALTER TABLE ccv.ingest_clock ALTER last_position TYPE integer'],
  ])('%s is replaced: reads and writes go on, however many there are (promise 1)', async (_name, sql) => {
    await warmUp();
    // one after another, so that one of them alters the table
    if (sql.startsWith('ALTER')) await database.sql(sql);
    else await proxy.inject(sql);
    const writes = make.results(2);
    const [outcome, ...counts] = await Promise.all([
      storage.insertBatch({ verifierResults: writes }),
      ...Array.from({ length: 6 }, () => storage.countCCVData({})),
    ]);
    expect(outcome.verifierResults).toEqual(['inserted', 'inserted']);
    for (const { count } of counts) expect([2, 4]).toContain(count);
    expect((await storage.countCCVData({})).count).toBe(4);
    expect((await storage.changesAfter(0n)).headPosition).toBe(4n);
    expect(await storage.health()).toEqual({ healthy: true, reason: null });
  });

  test('is replaced, its good fellows are not', async () => {
    await warmUp();
    await database.sql(`SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'ccv-indexer' LIMIT 1) one`);
    // the pool may answer a round from the five that are left, while the sixth is still being ended
    await eventually('a seventh is made', async () => {
      await Promise.all(Array.from({ length: 6 }, () => storage.countCCVData({})));
      return proxy.accepted() > 6;
    });
    for (let round = 0; round < 4; round += 1)
      await Promise.all(Array.from({ length: 6 }, () => storage.countCCVData({})));
    expect(proxy.accepted()).toBe(7);
  });

  test('is told from a database that takes no writes: that is unavailable at once, and costs reads no connection', async () => {
    await database.sql(
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$`,
    );
    await Promise.all(Array.from({ length: 6 }, () => storage.countCCVData({})));
    const refused = () => storage.insertBatch({ verifierResults: make.results(1) });
    const unavailable = {
      name: 'StorageUnavailableError',
      retryable: true,
      details: { code: '25006', nextStep: expect.stringContaining('takes writes') },
    };
    await expect(refused()).rejects.toMatchObject(unavailable);
    const made = proxy.accepted();
    for (let write = 0; write < 5; write += 1) await expect(refused()).rejects.toMatchObject(unavailable);
    expect(proxy.accepted()).toBe(made);
    expect(await storage.health()).toMatchObject({ healthy: false, reason: expect.stringContaining('takes writes') });
    const reader = createPostgresStorage({ connection: database.connection, use: 'read' });
    expect(await reader.health()).toEqual({ healthy: true, reason: null });
    await reader.close();

    await database.sql(
      `SET TRANSACTION READ WRITE; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database()); END $$`,
    );
    await clock.advance(5_000);
    await storage.insertBatch({ verifierResults: make.results(1) });
    expect(await storage.health()).toEqual({ healthy: true, reason: null });
  });
});

test('a server that gives no more connections answers over those it gave', async () => {
  const role = `few_${database.name}`;
  await database.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'x' CONNECTION LIMIT 3;
    GRANT USAGE ON SCHEMA ccv TO ${role}; GRANT ALL ON ALL TABLES IN SCHEMA ccv TO ${role}`);
  const storage = createPostgresStorage({ connection: { ...database.connection, user: role, password: 'x' } });
  const counts = await Promise.all(Array.from({ length: 30 }, () => storage.countCCVData({})));
  expect(new Set(counts.map(({ count }) => count))).toEqual(new Set([0]));
  await storage.close();
  await database.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
});

test('whoever waits in vain for a connection while all are in use is told once, and none is taken to be refused', async () => {
  const warned: unknown[] = [];
  const log = { ...silentLogger, warn: (...given: unknown[]) => warned.push(given) } as typeof silentLogger;
  const common = createCommon({ log });
  const settings = { ...DEFAULT_POOL_SETTINGS, maxOpenConnections: 1, connectTimeoutMs: 200 };
  const sockets = createSockets(common.clock);
  const pool = createPool({ address: database.connection, settings, common, name: 'warm', mark: '', sockets });
  const session = await pool.acquire();
  await expect(pool.acquire()).rejects.toThrow();
  expect(warned).toEqual([]);
  pool.release(session, true);
  pool.release(await pool.acquire(), true);
  await sockets.close(() => pool.end());
});

describe('a writer is not healthy', () => {
  test('while its writes fail for want of room or of a privilege, and is as soon as one is done', async () => {
    const clock = createManualClock();
    const storage = createPostgresStorage({ connection: database.connection, common: createCommon({ clock }) });
    const make = createRecordMaker(121);
    await database.sql(`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$;
      CREATE TRIGGER full_disk BEFORE INSERT ON ccv.commits FOR EACH ROW EXECUTE FUNCTION full_disk()`);
    await expect(storage.insertBatch({ verifierResults: make.results(1) })).rejects.toMatchObject({ retryable: true });
    expect((await storage.health()).healthy).toBe(false);
    await database.sql('DROP TRIGGER full_disk ON ccv.commits');
    await storage.insertBatch({ verifierResults: make.results(1) });
    expect(await storage.health()).toEqual({ healthy: true, reason: null });
    await storage.close();
  });
});

describe('what an operator set for the database or the account', () => {
  test('changes neither answers nor what is stored (promises 1, 3 and 4)', async () => {
    const hostile = await createTestDatabase({ migrated: false });
    const settings = [
      `default_transaction_isolation = 'serializable'`,
      'default_transaction_deferrable = on',
      'search_path = evil, pg_catalog',
      'bytea_output = escape',
      'standard_conforming_strings = off',
      'client_encoding = LATIN1',
      `DateStyle = 'SQL, DMY'`,
      `TimeZone = 'Pacific/Kiritimati'`,
      `IntervalStyle = 'sql_standard'`,
      'statement_timeout = 300',
      'lock_timeout = 1',
      'idle_in_transaction_session_timeout = 300',
      'idle_session_timeout = 300',
      'transaction_timeout = 300',
      'row_security = on',
      'synchronous_commit = off',
      'array_nulls = off',
      'enable_indexscan = off',
      'enable_nestloop = off',
      'default_transaction_read_only = off',
    ];
    await hostile.sql(`CREATE SCHEMA evil;
      CREATE FUNCTION evil.array_length(anyarray, integer) RETURNS integer LANGUAGE sql AS 'SELECT 0';
      CREATE FUNCTION evil.greatest_of(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT false';
      CREATE OPERATOR evil.> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.greatest_of)`);
    for (const setting of settings)
      await hostile.sql(
        `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ${setting.replaceAll("'", "''")}', current_database()); END $$`,
      );
    await migrate({ connection: hostile.connection });
    const [applied] = (
      await hostile.sql(
        `SELECT current_setting('TimeZone') AS zone, current_setting('transaction_isolation') AS isolation`,
      )
    ).rows;
    expect(applied).toEqual({ zone: 'Pacific/Kiritimati', isolation: 'serializable' });
    await hostile.sql(`CREATE TABLE public.noted (text text);
      CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_sleep(0.4);
        INSERT INTO public.noted SELECT concat_ws(' ', current_setting('transaction_isolation'), current_setting('search_path'),
          current_setting('client_encoding'), current_setting('synchronous_commit'), current_setting('row_security'));
        RETURN new; END $$;
      CREATE TRIGGER note BEFORE INSERT ON ccv.commits FOR EACH ROW EXECUTE FUNCTION public.note()`);
    const make = createRecordMaker(122);
    const batch = { messages: [make.message(), make.message()], verifierResults: make.results(3) };
    const storages = [hostile, database].map(({ connection }) =>
      createPostgresStorage({ connection, common: createCommon({ clock: createManualClock() }) }),
    );
    const answers = [];
    for (const storage of storages) {
      await storage.insertBatch(batch);
      answers.push([
        await storage.queryCCVData({}),
        await storage.queryMessages({}),
        await storage.changesAfter(0n),
        await storage.getCCVData(batch.verifierResults[0]!.messageId),
      ]);
      await storage.close();
    }
    expect(answers[0]).toEqual(answers[1]);
    expect((await hostile.sql('SELECT text FROM public.noted')).rows).toEqual([
      { text: 'read committed pg_catalog UTF8 on off' },
    ]);
    await hostile.drop();
  });

  test('a policy that hides rows is an error, not a shorter answer (promise 3)', async () => {
    const storage = createPostgresStorage({ connection: database.connection });
    const make = createRecordMaker(123);
    await storage.insertBatch({ verifierResults: make.results(2) });
    await storage.close();
    await database.sql(`CREATE ROLE reader_${database.name} LOGIN PASSWORD 'x';
      GRANT USAGE ON SCHEMA ccv TO reader_${database.name};
      GRANT SELECT ON ALL TABLES IN SCHEMA ccv TO reader_${database.name};
      ALTER TABLE ccv.verifier_results ENABLE ROW LEVEL SECURITY`);
    const reader = createPostgresStorage({
      connection: { ...database.connection, user: `reader_${database.name}`, password: 'x' },
      use: 'read',
    });
    await expect(reader.countCCVData({})).rejects.toMatchObject({ details: { code: '42501' } });
    await reader.close();
    await database.sql(`DROP OWNED BY reader_${database.name}; DROP ROLE reader_${database.name}`);
  });
});
