import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { insertCCVData } from '../../../src/storage/insert-ccv-data.js';
import { describeWait, type MigrationWait } from '../../../src/storage/postgres/migrate/migration-run.js';
import { migrate, migrationStatus } from '../../../src/storage/postgres/migrate/migrations.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker, type MessageWish } from '../../support/records.js';

const MIGRATIONS = join(import.meta.dirname, '../../../migrations');

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase({ migrated: false });
});
afterEach(async () => {
  await database.drop();
});

async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'ccv-migrations-'));
  for (const file of await readdir(MIGRATIONS)) await copyFile(join(MIGRATIONS, file), join(directory, file));
  await work(directory).finally(() => rm(directory, { recursive: true }));
}

describe('migrations', () => {
  test('are pending, then applied; a second run finds nothing to do', async () => {
    const { connection } = database;
    const before = await migrationStatus({ connection });
    expect(before).toMatchObject({ namespace: 'ccv', applied: [], unknown: [] });
    expect(before.pending[0]).toEqual({ id: 1, name: 'records' });
    expect(await migrate({ connection })).toEqual(before.pending);
    const after = await migrationStatus({ connection });
    expect(after.pending).toEqual([]);
    expect(after.applied.map(({ id, name }) => ({ id, name }))).toEqual(before.pending);
    expect(await migrate({ connection })).toEqual([]);
  });

  test('of concurrent runs are applied once each, whole, and a run that returns finds none pending', async () => {
    const { connection } = database;
    const { pending } = await migrationStatus({ connection });
    const runs = await Promise.all(
      Array.from({ length: 4 }, async () => ({
        applied: await migrate({ connection }),
        left: (await migrationStatus({ connection })).pending,
      })),
    );
    // the lock is given up between two migrations: which run applies which is open
    expect(runs.flatMap(({ applied }) => applied).sort((a, b) => a.id - b.id)).toEqual(pending);
    expect(runs.flatMap(({ left }) => left)).toEqual([]);
  });

  test('give rows of before the contents that the program gives new ones', async () => {
    const { connection } = database;
    await migrate({ connection });
    const storage = createPostgresStorage({ connection });
    const make = createRecordMaker(81);
    const wishes: MessageWish[] = [
      {},
      { ccvs: [], executor: '0x', sender: '0x', receiver: '0x', dataBytes: 0 },
      { ccvs: [make.hex(20), make.hex(255), '0x'], token: make.hex(32), sender: make.hex(255), receiver: make.hex(32) },
      { token: make.hex(20), messageNumber: 2n ** 64n - 1n, dataBytes: 5_000 },
      { messageNumber: 2n ** 63n, token: '0x' },
    ];
    const bytes = make.bytes(80);
    bytes.fill(255, 69);
    const broken = { ...make.message(), encodedMessage: bytes };
    await storage.insertBatch({ messages: [...wishes.map((wish) => make.message(wish)), broken] });
    await storage.close();
    const columns = ['sender', 'receiver', 'token', 'message_number'];
    const rows = async () => (await database.sql(`SELECT * FROM ccv.messages ORDER BY message_id`)).rows;
    const written = await rows();
    expect(written).toHaveLength(6);
    for (const column of columns) await database.sql(`ALTER TABLE ccv.messages DROP COLUMN ${column}`);
    for (const index of ['messages_by_transaction', 'executions_by_transaction'])
      await database.sql(`DROP INDEX ccv.${index}`);
    await database.sql(`DELETE FROM ccv.migrations WHERE name = 'message_contents'`);
    expect(await migrate({ connection })).toMatchObject([{ name: 'message_contents' }]);
    expect(await rows()).toEqual(written);
  });

  test('keep namespaces apart in one database', async () => {
    const { connection } = database;
    await Promise.all([migrate({ connection, namespace: 'one' }), migrate({ connection, namespace: 'two' })]);
    const [one, two] = ['one', 'two'].map((namespace) => createPostgresStorage({ connection, namespace }));
    const make = createRecordMaker(80);
    const [result] = make.results(1);
    await insertCCVData(one!, result!);
    await expect(two!.getCCVData(result!.messageId)).rejects.toMatchObject({ name: 'CCVDataNotFoundError' });
    await insertCCVData(two!, result!);
    expect((await two!.changesAfter(0n)).headPosition).toBe(1n);
    const heard: unknown[] = [];
    two!.subscribe((event) => heard.push(event));
    await one!.insertBatch({ verifierResults: make.results(3) });
    expect((await two!.countCCVData({})).count).toBe(1);
    expect(heard).toEqual([]);
    await Promise.all([one!.close(), two!.close()]);
  });

  test('refuse a database that a newer version migrated, and change nothing in it', async () => {
    const { connection } = database;
    await withDirectory(async (directory) => {
      const count = (await readdir(directory)).length;
      const next = String(count + 1).padStart(4, '0');
      await writeFile(join(directory, `${next}_from_the_future.sql`), 'CREATE TABLE future (n int);');
      await migrate({ connection, directory });
    });
    await expect(migrate({ connection })).rejects.toMatchObject({
      code: 'MIGRATION_DATABASE_NEWER',
      message: expect.stringContaining('from_the_future'),
    });
    expect((await migrationStatus({ connection })).unknown).toHaveLength(1);
  });

  test('that fail keep nothing of the failed step and say why', async () => {
    const { connection } = database;
    await withDirectory(async (directory) => {
      const next = String((await readdir(directory)).length + 1).padStart(4, '0');
      await writeFile(join(directory, `${next}_broken.sql`), 'CREATE TABLE half (n int); SELECT 1 / 0;');
      await expect(migrate({ connection, directory })).rejects.toMatchObject({
        code: 'MIGRATION_FAILED',
        message: expect.stringContaining('division by zero'),
      });
      expect((await migrationStatus({ connection, directory })).pending).toHaveLength(1);
    });
    const { rows } = await database.sql(`SELECT to_regclass('ccv.half') AS half`);
    expect(rows).toEqual([{ half: null }]);
  });

  test('that were changed after they were applied are refused', async () => {
    const { connection } = database;
    await migrate({ connection });
    await withDirectory(async (directory) => {
      await writeFile(join(directory, '0001_records.sql'), 'SELECT 1;');
      await expect(migrate({ connection, directory })).rejects.toMatchObject({ code: 'MIGRATION_FAILED' });
    });
  });

  test.each(['', 'Upper', '1st', 'semi;colon', 'quo"te', 'pg_mine', 'information_schema', 'x'.repeat(49)])(
    'refuse the namespace %j',
    async (namespace) => {
      await expect(migrate({ connection: database.connection, namespace })).rejects.toMatchObject({
        name: 'InvalidArgumentError',
      });
    },
  );

  test('a storage over a namespace that was not migrated says what to do', async () => {
    const storage = createPostgresStorage({ connection: database.connection });
    await expect(storage.countCCVData({})).rejects.toMatchObject({
      name: 'StorageFailureError',
      details: { nextStep: expect.stringContaining('migrate') },
    });
    expect((await storage.health()).healthy).toBe(false);
    await storage.close();
  });
});

describe('a migration that waits', () => {
  /** A session in a transaction that has what the migration needs. */
  async function hold(sql: string): Promise<pg.Client> {
    const holder = new pg.Client({ ...database.connection, application_name: 'somebody' });
    await holder.connect();
    await holder.query(`BEGIN; ${sql}`);
    return holder;
  }

  test.each([
    ['another migration', 'SELECT pg_advisory_xact_lock(7262031884107)'],
    ['a table of the namespace', 'LOCK TABLE ccv.messages IN ACCESS SHARE MODE'],
  ])('for %s says for whom, once, and goes on when it can', async (lock, sql) => {
    const { connection } = database;
    await migrate({ connection });
    await withDirectory(async (directory) => {
      const next = String((await readdir(directory)).length + 1).padStart(4, '0');
      await writeFile(join(directory, `${next}_more.sql`), 'ALTER TABLE messages ADD COLUMN more int;');
      const holder = await hold(sql);
      const { rows } = await holder.query('SELECT pg_backend_pid() AS pid');
      const waits: MigrationWait[] = [];
      const waiting = migrate({ connection, directory, onWait: (wait) => waits.push(wait) });
      await eventually('it waits', () => waits.length > 0);
      expect(waits).toMatchObject([{ lock, holders: [{ pid: rows[0].pid, application: 'somebody' }] }]);
      expect(describeWait(waits[0]!)).toMatch(
        new RegExp(
          `^waiting for ${lock}, held by pid ${rows[0].pid} \\(somebody, .*idle in transaction for \\d+ s\\)$`,
        ),
      );
      await holder.query('ROLLBACK');
      await holder.end();
      expect(await waiting).toMatchObject([{ name: 'more' }]);
      expect(waits).toHaveLength(1);
    });
  });

  test('leaves no lock behind, on a connection that stays open', async () => {
    await migrate({ connection: database.connection });
    const { rows } = await database.sql(`SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`);
    expect(rows).toEqual([{ n: 0 }]);
  });
});

describe('a database with another encoding', () => {
  test.each(['LATIN1', 'SQL_ASCII'])('%s is refused with what to do, and nothing is made in it', async (encoding) => {
    const name = `${database.name}_other`;
    await database.sql(`CREATE DATABASE ${name} ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`);
    const connection = { ...database.connection, database: name };
    const refusal = {
      ...{ code: 'DATABASE_UNSUITABLE', retryable: false },
      message: expect.stringContaining(encoding),
      details: { nextStep: expect.stringContaining(`ENCODING 'UTF8'`) },
    };
    await expect(migrate({ connection })).rejects.toMatchObject(refusal);
    await expect(migrationStatus({ connection })).rejects.toMatchObject(refusal);
    await database.sql(`DROP DATABASE ${name}`);
  });
});

test('the account that migrates needs no right to create schemas where the schema is there', async () => {
  const role = `plain_${database.name}`;
  await database.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'x'; CREATE SCHEMA ccv AUTHORIZATION ${role}`);
  const connection = { ...database.connection, user: role, password: 'x' };
  expect(await migrate({ connection })).not.toEqual([]);
  const [first] = (await migrationStatus({ connection })).applied;
  expect(Math.abs((first?.appliedAt.getTime() ?? 0) - Date.now())).toBeLessThan(600_000);
  await database.sql(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
});
