import pg from 'pg';
import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { createTestDatabase } from '../../support/postgres/postgres.js';

/** A real database that serves one run after the other: emptying it takes half a millisecond, a new one takes twenty. */
export interface SimulationDatabase {
  readonly connection: PostgresConnection;
  /** As it was when it was migrated. Nobody may be connected. */
  empty(): Promise<void>;
  drop(): Promise<void>;
}

export async function createSimulationDatabase(): Promise<SimulationDatabase> {
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
  return {
    connection: database.connection,
    async empty() {
      await client.query(empty);
    },
    async drop() {
      await client.end();
      await database.drop();
    },
  };
}
