import pg from 'pg';
import { expect, test } from 'vitest';
import type { IndexerError } from '../../../src/core/errors.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { eventually } from '../../support/eventually.js';
import { createDatabaseOn, startPrivatePostgres } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

test('a full NOTIFY queue is a passing fault: nothing of the write is stored, and it works again by itself (promise 1)', async () => {
  // the smallest queue there is: half a megabyte
  const server = await startPrivatePostgres({ max_notify_queue_pages: '64' });
  const database = await createDatabaseOn(server);
  const storage = createPostgresStorage({ connection: database.connection });
  const sleeper = new pg.Client({ ...database.connection });
  try {
    const results = createRecordMaker(140).results(2);
    await storage.insertBatch({ verifierResults: results.slice(0, 1) });
    await sleeper.connect();
    await sleeper.query('LISTEN other');
    // whoever listens and stays in a transaction keeps the queue from being emptied
    await sleeper.query('BEGIN; SELECT 1');
    const fill = `SELECT pg_notify('other', repeat('x', 7900) || n) FROM generate_series(1, 10) n`;
    const full = async (): Promise<unknown> => {
      for (;;) await database.sql(fill);
    };
    await expect(full()).rejects.toMatchObject({ code: '54000' });

    const write = () => storage.insertBatch({ verifierResults: results });
    await expect(write()).rejects.toMatchObject({
      ...{ name: 'StorageUnavailableError', retryable: true },
      details: { code: '54000', nextStep: expect.stringContaining('pg_notification_queue_usage') },
    });
    expect((await storage.health()).healthy).toBe(false);
    expect((await storage.changesAfter(0n)).headPosition).toBe(1n);
    await sleeper.query('ROLLBACK');
    await eventually('the queue was emptied', async () => {
      const outcome = await write().catch(({ details }: IndexerError) => details);
      if ('code' in outcome) return outcome['code'];
      expect(outcome).toMatchObject({ verifierResults: ['duplicate', 'inserted'] });
      return true;
    });
    expect(await storage.health()).toEqual({ healthy: true, reason: null });
  } finally {
    await sleeper.end();
    await storage.close();
    await server.remove();
  }
});
