import { expect } from 'vitest';
import { expectExactCounts } from './list-counts.js';
import type { TestDatabase } from './postgres.js';

/**
 * What a history of its own leaves and one that was taken over does not: where commits ended, and what moved when. The
 * counters of lists are compared with the records instead.
 */
const OWN = ['commits', 'moves', 'migrations', 'list_counts'];

/** Every row of every table of a namespace with all its columns, as text, sorted; by table. */
export async function dumpDatabase(
  database: TestDatabase,
  namespace = 'ccv',
): Promise<Readonly<Record<string, readonly string[]>>> {
  const { rows: tables } = await database.sql(
    'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = $1 ORDER BY 1',
    [namespace],
  );
  await expectExactCounts((text) => database.sql(text), namespace);
  const dump: Record<string, string[]> = {};
  for (const { name } of tables as { name: string }[]) {
    if (OWN.includes(name)) continue;
    const { rows } = await database.sql(
      `SELECT (to_jsonb(t) - 'moves_position')::text AS row FROM ${namespace}.${name} t ORDER BY 1`,
    );
    dump[name] = (rows as { row: string }[]).map(({ row }) => row);
  }
  expect(Object.keys(dump).length).toBeGreaterThan(8);
  return dump;
}
