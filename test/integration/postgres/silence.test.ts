import { getActiveResourcesInfo } from 'node:process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrate, migrationStatus } from '../../../src/storage/postgres/migrate/migrations.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { type SilentProxy, startSilentProxy } from '../../support/postgres/silent-proxy.js';
import { createRecordMaker } from '../../support/records.js';

/** A network that has gone silent: no answer, no refusal, no end of connections. */
describe('a database that has gone silent', () => {
  const make = createRecordMaker(31);
  let database: TestDatabase;
  let proxy: SilentProxy;
  beforeEach(async () => {
    database = await createTestDatabase();
    proxy = await startSilentProxy(database.tcp);
  });
  afterEach(async () => {
    await proxy.close();
    await database.drop();
  });

  test('does not keep a storage from closing, with every connection', async () => {
    const storage = createPostgresStorage({ connection: proxy.tcp });
    const told: unknown[] = [];
    storage.subscribe((event) => told.push(event));
    await storage.insertBatch({ messages: [make.message()] });
    const other = createPostgresStorage({ connection: database.connection });
    await other.insertBatch({ messages: [make.message()] });
    await other.close();
    await eventually('it listens', () => told.length === 2);
    expect(proxy.open()).toBeGreaterThan(1);
    proxy.silence();
    await storage.close();
    await eventually('its connections are closed', () => proxy.open() === 0);
  });

  test('does not keep a storage that is connecting to it from closing', async () => {
    proxy.silence();
    const storage = createPostgresStorage({ connection: proxy.tcp, pool: { connectTimeoutMs: 600_000 } });
    storage.subscribe(() => undefined);
    await eventually('it connects', () => proxy.open() > 0);
    await storage.close();
    await eventually('its connections are closed', () => proxy.open() === 0);
    expect(getActiveResourcesInfo()).not.toContain('TCPConnectWrap');
  });

  test('fails a migration and a look at its status', async () => {
    proxy.silence();
    const options = { connection: proxy.tcp, connectTimeoutMs: 300 };
    await expect(migrate(options)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    await expect(migrationStatus(options)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    await eventually('its connections are closed', () => proxy.open() === 0);
  });

  test('fails a migration that waits for another', async () => {
    const lock = 7_262_031_884_107n;
    await database.sql('SELECT 1');
    const { Client } = (await import('pg')).default;
    const holder = new Client({ ...database.connection });
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock($1::bigint)', [String(lock)]);
    const waiting = migrate({ connection: proxy.tcp, connectTimeoutMs: 300 });
    waiting.catch(() => 'expected below');
    await eventually('it waits', () => proxy.open() === 1);
    proxy.silence();
    await expect(waiting).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    await holder.end();
  });

  test('is not mistaken for one whose migration another process has in hand', async () => {
    const { Client } = (await import('pg')).default;
    const holder = new Client({ ...database.connection });
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock($1::bigint)', ['7262031884107']);
    const waiting = migrate({ connection: proxy.tcp, connectTimeoutMs: 300 });
    await eventually('it waits', () => proxy.open() === 1);
    await holder.end();
    expect(await waiting).toEqual([]);
  });
});
