import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { createTestDatabase, type TestDatabase } from '../postgres/postgres.js';
import { GO_TABLES } from './go-tables.js';

/** A database with the Go indexer's tables, empty. */
export async function createGoDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase({ migrated: false });
  await database.sql(GO_TABLES);
  return database;
}

/** Copies in the rows that a Go indexer wrote itself. */
export async function loadGoRows({ sql }: TestDatabase): Promise<void> {
  for (const table of ['messages', 'verifier_results']) {
    const [columns = [], ...rows] = readCsv(await readFixture(`${table}.csv.gz`));
    const list = rows.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index]])));
    // as text: the server casts each value to its column's type
    const texts = columns.map((column) => `"${column}" text`).join(', ');
    const casts = columns.map((column) => `"${column}"::${TYPES[column] ?? 'text'}`).join(', ');
    await sql(
      `INSERT INTO indexer.${table} (${columns.join(', ')}) SELECT ${casts} FROM json_to_recordset($1) AS t (${texts})`,
      [JSON.stringify(list)],
    );
  }
}

const TYPES: Readonly<Record<string, string>> = {
  ...{ message: 'jsonb', ccv_data: 'bytea', message_ccv_addresses: 'text[]', ingestion_timestamp: 'timestamptz' },
  ...{ attestation_timestamp: 'timestamptz', source_chain_selector: 'numeric', dest_chain_selector: 'numeric' },
};

/** Its own answers for those rows, as JSON text. */
export async function readGoAnswers(): Promise<readonly string[]> {
  return (await readFixture('records.jsonl.gz')).split('\n').filter((line) => line !== '');
}

async function readFixture(name: string): Promise<string> {
  return gunzipSync(await readFile(new URL(`../../fixtures/go-indexer/${name}`, import.meta.url))).toString('utf8');
}

/** Fields by comma, quoted where they need to be, with a quote written twice. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain = '', end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end !== ',') rows.push([]);
  }
  return rows.filter((row) => row.length > 1);
}
