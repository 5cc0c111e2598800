import pg from 'pg';
import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { migrate } from '../../../src/storage/postgres/migrate/migrations.js';

/** Every test database is a copy of this one. */
export const TEMPLATE_DATABASE = 'ccv_template';

/** Creates the template and migrates it, once a test run. */
export async function createTemplateDatabase(server: PostgresConnection): Promise<void> {
  const admin = new pg.Client({ ...server });
  await admin.connect();
  try {
    await admin.query(`CREATE DATABASE ${TEMPLATE_DATABASE}`);
  } finally {
    await admin.end();
  }
  await migrate({ connection: { ...server, database: TEMPLATE_DATABASE } });
}
