import { expect } from 'vitest';
import { expectExactCounts } from '../postgres/list-counts.js';
import type { TestDatabase } from '../postgres/postgres.js';

/**
 * What two histories of the same facts may differ in: when a row was ingested or migrated, and which position it has.
 * `checkOrder` says what holds of these instead.
 */
const HISTORY = [
  ...['ingestion_ms', 'first_ms', 'position', 'last_ms', 'last_position', 'head_position', 'counted_position'],
  'executed_at',
];

/**
 * One row a commit: as many as there happened to be. Of the workers and replays: who they were. Of lanes: how long a gap
 * has lasted. Counters of lists are compared with the records.
 */
const OF_THE_RUN = ['commits', 'members', 'leases', 'replay_jobs', 'lane_asks', 'lane_boards', 'list_counts'];

/** Every row of every table of a namespace as JSON without its history, sorted; by table. */
export async function tableRows(database: TestDatabase, namespace: string): Promise<Map<string, readonly string[]>> {
  const { rows: tables } = await database.sql(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = $1 AND table_name <> ALL ($2) ORDER BY 1`,
    [namespace, OF_THE_RUN],
  );
  const found = new Map<string, readonly string[]>();
  await expectExactCounts((text) => database.sql(text), namespace);
  for (const { name } of tables as { name: string }[]) {
    const { rows } = await database.sql(
      `SELECT (to_jsonb(t) - $1::text[])::text AS row FROM ${namespace}.${name} t ORDER BY 1`,
      [HISTORY],
    );
    found.set(
      name,
      (rows as { row: string }[]).map(({ row }) => row),
    );
  }
  expect(found.size).toBeGreaterThan(8);
  return found;
}

/** Every row that has a position, with the time of its commit. */
const POSITIONED = (namespace: string) =>
  ['messages', 'verifier_results', 'quarantine', 'conflicts']
    .map((table) => `SELECT '${table}' AS kind, position, ingestion_ms FROM ${namespace}.${table}`)
    .join(' UNION ALL ');

/** What the history of a namespace must look like, whichever it was. */
export async function checkOrder(database: TestDatabase, namespace: string): Promise<void> {
  const one = async (what: string, text: string) => {
    const { rows } = await database.sql(text);
    expect(rows, `${namespace}: ${what}`).toEqual([{ wrong: 0 }]);
  };
  await one(
    'commits rise in time and position',
    `SELECT count(*)::int AS wrong FROM (SELECT ingestion_ms <= lag(ingestion_ms) OVER (ORDER BY through_position) AS bad
       FROM ${namespace}.commits) c WHERE bad`,
  );
  await one(
    'the clock stands at the last commit',
    `SELECT count(*)::int AS wrong FROM ${namespace}.ingest_clock,
       (SELECT max(through_position) AS position, max(ingestion_ms) AS ms FROM ${namespace}.commits) c
     WHERE last_position <> c.position OR last_ms <> c.ms OR head_position <> c.position OR last_move_position <> 0`,
  );
  await one(
    'no position twice, none that no commit gave',
    `SELECT (count(*) - count(DISTINCT position)
         + count(*) FILTER (WHERE position NOT BETWEEN 1 AND (SELECT last_position FROM ${namespace}.ingest_clock)))::int AS wrong
     FROM (SELECT position FROM (${POSITIONED(namespace)}) p UNION ALL SELECT position FROM ${namespace}.source_cursors) p`,
  );
  await one(
    'a row that never changes has a position of the commit of its time, a message that or a later one',
    `SELECT count(*)::int AS wrong FROM (${POSITIONED(namespace)}) r
       LEFT JOIN (SELECT ingestion_ms, through_position,
           lag(through_position, 1, 0::bigint) OVER (ORDER BY through_position) AS after_position FROM ${namespace}.commits) c
       USING (ingestion_ms)
     WHERE through_position IS NULL OR position <= after_position OR (position > through_position AND kind <> 'messages')`,
  );
  await one(
    'messages of a chain were stored in its order',
    `SELECT count(*)::int AS wrong FROM (SELECT ingestion_ms < lag(ingestion_ms) OVER
         (PARTITION BY source_chain ORDER BY block_number, log_index) AS bad FROM ${namespace}.messages
         WHERE block_number IS NOT NULL) m WHERE bad`,
  );
  await one(
    'no verification before its message',
    `SELECT count(*)::int AS wrong FROM ${namespace}.verifier_results r
       LEFT JOIN ${namespace}.messages m USING (message_id) WHERE m.ingestion_ms IS NULL OR r.ingestion_ms < m.ingestion_ms`,
  );
}
