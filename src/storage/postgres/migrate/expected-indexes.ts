import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MIGRATIONS_DIRECTORY } from './migrations.js';

/** The names of the indexes that the migrations of this version make, beside those of primary keys. */
export async function expectedIndexes(): Promise<readonly string[]> {
  const files = (await readdir(MIGRATIONS_DIRECTORY)).filter((name) => name.endsWith('.sql')).sort();
  const names = new Set<string>();
  for (const file of files) {
    const sql = await readFile(join(MIGRATIONS_DIRECTORY, file), 'utf8');
    for (const [, made, dropped] of sql.matchAll(/CREATE (?:UNIQUE )?INDEX (\w+)|DROP INDEX (?:IF EXISTS )?(\w+)/g)) {
      if (made) names.add(made);
      if (dropped) names.delete(dropped);
    }
  }
  return [...names];
}
