import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MIGRATIONS_DIRECTORY } from './migrations.js';

/** An index that the migrations of this version make, beside those of primary keys. */
export interface ExpectedIndex {
  readonly index: string;
  /** The statement that makes it in a namespace, while others read and write on. */
  create(namespace: string): string;
}

const STATEMENT = /CREATE (UNIQUE )?INDEX (\w+)\s+ON (\w+)([^;]*);|DROP INDEX (?:IF EXISTS )?(\w+)/g;

/** The indexes that there must be. */
export async function expectedIndexes(): Promise<readonly ExpectedIndex[]> {
  const files = (await readdir(MIGRATIONS_DIRECTORY)).filter((name) => name.endsWith('.sql')).sort();
  const found = new Map<string, ExpectedIndex>();
  for (const file of files) {
    const sql = await readFile(join(MIGRATIONS_DIRECTORY, file), 'utf8');
    for (const [, unique = '', index, table, rest = '', dropped] of sql.matchAll(STATEMENT)) {
      if (dropped) found.delete(dropped);
      if (!index) continue;
      const what = rest.replace(/\s+/g, ' ').trim();
      const create = (namespace: string) =>
        `CREATE ${unique}INDEX CONCURRENTLY "${index}" ON "${namespace}"."${table}" ${what}`;
      found.set(index, { index, create });
    }
  }
  return [...found.values()];
}
