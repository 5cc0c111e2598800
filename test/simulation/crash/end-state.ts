import pg from 'pg';
import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import type { Sink } from '../../../src/sink/sink.js';
import { createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { allOf } from '../../support/cold/storage-life.js';
import { textOf } from '../../support/oracle/flat-state.js';
import { expectExactCounts } from '../../support/postgres/list-counts.js';
import { NAMESPACE } from '../process/tiers-process.js';

/** Everything that is left in the end, as texts: what a Sink answers, every row of the database, the bucket's content. */
export interface EndState {
  readonly answers: string;
  readonly rows: string;
  readonly bucket: string;
  /** Data files of each table, so that nothing that a crash left is still there. */
  readonly files: string;
}

/** Tables with what two runs may differ in left out: who wrote, when a migration ran, and which times its records have. */
const ROWS = `SELECT format('SELECT %L || '' '' || to_jsonb(x)::text AS row FROM (SELECT * FROM ccv.%I) x ORDER BY 1', tablename, tablename) AS query
  FROM pg_tables WHERE schemaname = 'ccv' AND tablename NOT IN ('migrations', 'list_counts') ORDER BY tablename`;

export async function endStateOf(parts: {
  readonly sink: Sink;
  readonly connection: PostgresConnection;
  readonly store: ObjectStore;
}): Promise<EndState> {
  const cold = createColdStorage({ name: 'reader', store: parts.store, namespace: NAMESPACE, role: 'leader' });
  try {
    const state = {
      answers: await answersOf(parts.sink),
      rows: await rowsOf(parts.connection),
      bucket: textOf(await allOf(cold)),
    };
    const [answers, rows, bucket] = inOrderOfTime([state.answers, state.rows, state.bucket]);
    return { answers: answers ?? '', rows: rows ?? '', bucket: bucket ?? '', files: await filesIn(parts.store) };
  } finally {
    await cold.close();
  }
}

async function answersOf(sink: Sink): Promise<string> {
  const messages = (await sink.queryMessages({ limit: 10_000 })).items;
  const results = (await sink.queryCCVData({ limit: 10_000 })).items;
  const { changes } = await sink.changesAfter(0n, 10_000);
  const ids = changes.flatMap((change) => (change.kind === 'message' ? [change.record.messageId] : []));
  const byId = [];
  for (const id of ids)
    byId.push([await sink.getMessage(id), await sink.getCCVData(id).catch((error: Error) => error.name)]);
  const unfinished = (await sink.queryUnfinishedMessages({ limit: 10_000 })).items;
  return textOf({ messages, results, changes, byId, unfinished, cursors: await sink.listCursors() });
}

async function rowsOf(connection: PostgresConnection): Promise<string> {
  const client = new pg.Client({ ...connection });
  await client.connect();
  try {
    await expectExactCounts((text) => client.query(text));
    const rows: string[] = [];
    for (const { query } of (await client.query<{ query: string }>(ROWS)).rows)
      for (const { row } of (await client.query<{ row: string }>(query)).rows)
        rows.push(row.replace(/"writer": \d+/, ''));
    return rows.join('\n');
  } finally {
    await client.end();
  }
}

async function filesIn(store: ObjectStore): Promise<string> {
  const { objects } = await store.list(`${NAMESPACE}/`);
  const folders = objects.flatMap(({ key }) =>
    key.includes('_delta_log') ? [] : [key.split('/').slice(1, -1).join('/')],
  );
  return folders.sort().join('\n');
}

/** Ingestion times by their rank: two runs have as many commits in the same order, at other times of the day. */
function inOrderOfTime(texts: readonly string[]): string[] {
  const times = /\b1[6-9]\d{11}\b/g;
  const found = [...new Set(texts.flatMap((text) => text.match(times) ?? []))].sort();
  const ranks = new Map(found.map((time, rank) => [time, `t${rank}`]));
  return texts.map((text) => text.replace(times, (time) => ranks.get(time) ?? time));
}
