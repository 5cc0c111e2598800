import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectionUri } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { createCommon } from '../../../src/core/common.js';
import { inspectPostgres } from '../../../src/storage/postgres/inspection.js';
import { migrate, migrationStatus } from '../../../src/storage/postgres/migrate/migrations.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { eventually } from '../../support/eventually.js';
import { type PgBouncer, startPgBouncer } from '../../support/postgres/pgbouncer.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

let database: TestDatabase;
let pooler: PgBouncer | null = null;
const storages: PostgresStorage[] = [];
beforeEach(async () => {
  database = await createTestDatabase({ migrated: false });
});
afterEach(async () => {
  await Promise.all(storages.splice(0).map((storage) => storage.close()));
  await pooler?.stop();
  pooler = null;
  await database.drop();
});

function open(options: Partial<Parameters<typeof createPostgresStorage>[0]> = {}): PostgresStorage {
  const storage = createPostgresStorage({
    connection: pooler!.through(database.tcp),
    common: createCommon(),
    ...options,
  });
  storages.push(storage);
  return storage;
}

describe.each(['session', 'transaction'] as const)('behind PgBouncer with pool_mode = %s', (mode) => {
  test('migrations, writes, reads, conflicts and news of others work, and nothing is left in its sessions', async () => {
    pooler = await startPgBouncer(database.tcp, mode, { default_pool_size: 80 });
    const connection = pooler.through(database.tcp);
    const migrated = (await Promise.all([migrate({ connection }), migrate({ connection })])).flat();
    const { applied, pending } = await migrationStatus({ connection });
    expect([migrated.length, pending]).toEqual([applied.length, []]);
    const make = createRecordMaker(130);
    const [one, two, reader] = [open(), open(), open({ use: 'read' })];
    const told: bigint[] = [];
    reader.subscribe((event) => {
      if (event.kind === 'advanced') told.push(event.throughPosition);
    });
    const batches = Array.from({ length: 40 }, () => make.results(3));
    await Promise.all(
      batches.map((verifierResults, index) => (index % 2 === 0 ? one : two).insertBatch({ verifierResults })),
    );
    await eventually('the reader hears of all', () => told.at(-1) === 120n);
    const { messageId } = batches[0]![0]!;
    const answers = await Promise.all(Array.from({ length: 60 }, () => reader.countCCVData({})));
    expect(new Set(answers.map(({ count }) => count))).toEqual(new Set([120]));
    expect(await one.getCCVData(messageId)).toEqual(await two.getCCVData(messageId));
    expect(await one.insertBatch({ verifierResults: batches[0]! })).toMatchObject({
      verifierResults: ['duplicate', 'duplicate', 'duplicate'],
    });
    for (const storage of [one, two, reader]) expect(await storage.health()).toEqual({ healthy: true, reason: null });
    const inspection = await inspectPostgres({ name: 'warm', connection });
    expect(await inspection.describe()).toMatchObject({ position: 120n });
    expect(await inspection.otherConnections()).toBeGreaterThan(0);
    await inspection.close();
    // a neighbour who is given one of our sessions finds it as it was
    const { rows } = await database.sql(`SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`);
    expect(rows).toEqual([{ n: 0 }]);
    const neighbour = open({ connection });
    expect((await neighbour.countCCVData({})).count).toBe(120);
  });

  test('a session that is taken away in between is not noticed', async () => {
    pooler = await startPgBouncer(database.tcp, mode, { server_lifetime: 0, server_idle_timeout: 1 });
    await migrate({ connection: pooler.through(database.tcp) });
    const storage = open();
    const make = createRecordMaker(131);
    for (let round = 1; round <= 5; round += 1) {
      await storage.insertBatch({ verifierResults: make.results(1) });
      await database.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'ccv-indexer%'`);
      expect((await storage.countCCVData({})).count).toBe(round);
    }
  });

  test('that has fewer sessions than are asked for, everything is answered all the same', async () => {
    pooler = await startPgBouncer(database.tcp, mode, { default_pool_size: 3 });
    await migrate({ connection: pooler.through(database.tcp) });
    const storage = open();
    const results = createRecordMaker(133).results(3);
    const [outcome, ...counts] = await Promise.all([
      storage.insertBatch({ verifierResults: results }),
      ...Array.from({ length: 40 }, () => storage.countCCVData({})),
    ]);
    expect(outcome.verifierResults).toEqual(['inserted', 'inserted', 'inserted']);
    for (const { count } of counts) expect([0, 3]).toContain(count);
  });

  test('a URI with a startup parameter that it refuses is refused with what to change', async () => {
    pooler = await startPgBouncer(database.tcp, mode);
    const uri = `${connectionUri(pooler.through(database.tcp))}?options=-c%20work_mem%3D4MB`;
    await expect(migrationStatus({ connection: { connectionString: uri } })).rejects.toMatchObject({
      code: 'DATABASE_UNSUITABLE',
      retryable: false,
      details: { nextStep: expect.stringContaining('ignore_startup_parameters') },
    });
  });
});

test('PgBouncer with pool_mode = transaction: no setting of ours is left for its other clients', async () => {
  pooler = await startPgBouncer(database.tcp, 'transaction', { default_pool_size: 2 });
  const connection = pooler.through(database.tcp);
  await migrate({ connection });
  const storage = open();
  storage.subscribe(() => undefined);
  await storage.insertBatch({ verifierResults: createRecordMaker(132).results(1) });
  await Promise.all(Array.from({ length: 8 }, () => storage.countCCVData({})));
  const { default: pg } = await import('pg');
  const other = new pg.Client({ ...connection });
  await other.connect();
  const { rows } = await other.query(`SELECT current_setting('enable_seqscan') AS seqscan,
    current_setting('search_path') AS path, current_setting('default_transaction_read_only') AS readonly,
    (SELECT count(*)::int FROM pg_prepared_statements) AS prepared,
    (SELECT count(*)::int FROM pg_listening_channels()) AS listening`);
  await other.end();
  expect(rows).toEqual([{ seqscan: 'on', path: '"$user", public', readonly: 'off', prepared: 0, listening: 0 }]);
});

test('PgBouncer with pool_mode = statement is refused with what to change', async () => {
  pooler = await startPgBouncer(database.tcp, 'statement');
  await expect(migrationStatus({ connection: pooler.through(database.tcp) })).rejects.toMatchObject({
    code: 'DATABASE_UNSUITABLE',
    retryable: false,
    details: { nextStep: expect.stringContaining('pool_mode') },
  });
});

test('a pooler whose database is away is away, whatever parameters the URI has', async () => {
  pooler = await startPgBouncer({ ...database.tcp, port: 1 }, 'session');
  const uri = `${connectionUri(pooler.through(database.tcp))}?options=-c%20work_mem%3D4MB`;
  const connection = { connectionString: uri };
  await expect(migrationStatus({ connection, connectTimeoutMs: 500 })).rejects.toMatchObject({ retryable: true });
});
