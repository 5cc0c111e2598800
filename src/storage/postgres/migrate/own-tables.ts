import { loadMigrationFiles } from 'postgres-migrations';
import { MIGRATIONS_DIRECTORY } from './migrations.js';

/** The tables that the migrations of this version make, and the one that lists them. */
export async function ownTables(): Promise<ReadonlySet<string>> {
  const files = await loadMigrationFiles(MIGRATIONS_DIRECTORY);
  const made = files.flatMap(({ sql }) => [...sql.matchAll(/^CREATE TABLE (\w+)/gm)].map(([, table]) => table ?? ''));
  return new Set(['migrations', ...made]);
}
