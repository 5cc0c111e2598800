import pg from 'pg';
import { afterAll } from 'vitest';
import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { expectExactCounts } from './list-counts.js';
import { createTestDatabase } from './postgres.js';

/** A real database that serves one run after the other: emptying it takes half a millisecond, a new one takes twenty. */
export interface EmptiedDatabase {
  readonly connection: PostgresConnection;
  /** Fails unless the counters of its lists are exact; `empty` and `drop` do so as well. */
  check(): Promise<void>;
  /** As it was when it was migrated. Connections that are still open are ended first. */
  empty(): Promise<void>;
  drop(): Promise<void>;
}

export async function createEmptiedDatabase(): Promise<EmptiedDatabase> {
  const database = await createTestDatabase();
  const client = new pg.Client({ ...database.connection });
  await client.connect();
  const { rows } = await client.query<{ name: string }>(
    "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'ccv' AND tablename NOT IN ('migrations', 'ingest_clock')",
  );
  const empty = [
    'BEGIN',
    ...rows.map(({ name }) => `DELETE FROM ccv.${name}`),
    'DELETE FROM ccv.ingest_clock',
    'INSERT INTO ccv.ingest_clock DEFAULT VALUES',
    'COMMIT',
  ].join('; ');
  const check = async () => await expectExactCounts((text) => client.query(text));
  return {
    connection: database.connection,
    check,
    async empty() {
      await client.query(
        `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      await check();
      await client.query(empty);
    },
    async drop() {
      const checked = check();
      await checked.catch(() => 'see below');
      await client.end();
      await database.drop();
      await checked;
    },
  };
}

/** Empty databases for the tests of a file, each for one test at a time; the last test's end drops them. */
export interface DatabasesInTurn {
  take(): Promise<{ readonly connection: PostgresConnection; giveBack(): void }>;
}

/** Call it where tests are collected. */
export function databasesInTurn(): DatabasesInTurn {
  const all: EmptiedDatabase[] = [];
  const free: EmptiedDatabase[] = [];
  afterAll(async () => {
    for (const database of all) await database.drop();
  });
  return {
    async take() {
      let database = free.pop();
      if (!database) {
        database = await createEmptiedDatabase();
        all.push(database);
      }
      const { connection, empty } = database;
      await empty();
      return { connection, giveBack: () => free.push(database) };
    },
  };
}
