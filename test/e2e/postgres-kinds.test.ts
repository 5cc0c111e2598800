import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectionUri } from '../../scripts/devnet/postgres/embedded-postgres.js';
import { endAllCli, runCli, startCli } from '../support/e2e/cli.js';
import { e2eDirectory, hotAndWarm, startServiceProcess, writeConfig } from '../support/e2e/service.js';
import { eventually } from '../support/eventually.js';
import { startPgBouncer } from '../support/postgres/pgbouncer.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';

const directory = e2eDirectory();
let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await endAllCli();
  await database.drop();
});

const configOf = (uri: string, namespace = 'ccv') =>
  writeConfig(directory.path, 'indexer.toml', hotAndWarm({ namespace, uri }));

async function ready(url: string): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(`${url}/ready`);
  return { status: answer.status, text: await answer.text() };
}

test('on a read-only database a worker is not ready, and says why; an api is; a worker is again when it takes writes', async () => {
  const alter = (what: string) =>
    database.sql(`SET TRANSACTION READ WRITE;
      DO $$ BEGIN EXECUTE format('ALTER DATABASE %I ${what}', current_database()); END $$`);
  await alter('SET default_transaction_read_only = on');
  const file = configOf(database.uri);
  const [worker, api] = await Promise.all([startServiceProcess('worker', file), startServiceProcess('api', file)]);
  expect(await ready(worker.adminUrl)).toMatchObject({ status: 503, text: expect.stringContaining('takes writes') });
  for (const url of [api.apiUrl, api.adminUrl]) expect((await ready(url)).status).toBe(200);
  await alter('RESET default_transaction_read_only');
  await eventually('the worker is ready', async () => (await ready(worker.adminUrl)).status === 200);
});

test('a database that is not UTF8 ends migrate up and a start with what to do', async () => {
  const name = `${database.name}_latin`;
  await database.sql(`CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`);
  const file = configOf(connectionUri({ ...database.tcp, database: name }));
  for (const command of [['migrate', 'up'], ['start'], ['start', '--migrate']]) {
    const { code, stderr } = await runCli([...command, '-c', file]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/LATIN1.*needs UTF8[\s\S]*what to do: .*ENCODING 'UTF8'[\s\S]*\(DATABASE_UNSUITABLE\)/);
  }
  await database.sql(`DROP DATABASE ${name}`);
});

test('migrate up that waits for another says for whom on stderr, and goes on', async () => {
  const holder = new pg.Client({ ...database.connection, application_name: 'deploy-7' });
  await holder.connect();
  await holder.query('BEGIN; SELECT pg_advisory_xact_lock(7262031884107)');
  const cli = startCli(['migrate', 'up', '-c', configOf(database.uri, 'other')]);
  await cli.printed(/^warm: waiting for another migration, held by pid \d+ \(deploy-7, /m);
  await holder.end();
  expect((await cli.exited).code).toBe(0);
  expect(cli.stdout()).toMatch(/^warm: applied 1 records/);
});

test('behind PgBouncer in transaction mode migrate up and start work, and the log says what that costs', async () => {
  const pooler = await startPgBouncer(database.tcp, 'transaction');
  try {
    const file = configOf(connectionUri(pooler.through(database.tcp)), 'pooled');
    expect(await runCli(['migrate', 'up', '-c', file])).toMatchObject({ code: 0 });
    const service = await startServiceProcess('start', file);
    expect((await ready(service.apiUrl)).status).toBe(200);
    expect((await ready(service.adminUrl)).status).toBe(200);
    expect(service.cli.stdout() + service.cli.stderr()).toMatch(/a pooler stands between/);
    expect((await service.cli.stop()).code).toBe(0);
  } finally {
    await endAllCli();
    await pooler.stop();
  }
});

test('a pooler that refuses a startup parameter, or transactions, ends a start with what to change', async () => {
  const uriOf = (pooler: Awaited<ReturnType<typeof startPgBouncer>>) => connectionUri(pooler.through(database.tcp));
  const [transactions, statements] = await Promise.all([
    startPgBouncer(database.tcp, 'transaction'),
    startPgBouncer(database.tcp, 'statement'),
  ]);
  try {
    for (const [uri, what] of [
      [`${uriOf(transactions)}?options=-c%20work_mem%3D4MB`, /what to do: .*ignore_startup_parameters/],
      [uriOf(statements), /what to do: .*pool_mode/],
    ] as const) {
      const { code, stderr } = await runCli(['start', '-c', configOf(uri)]);
      expect(code).toBe(1);
      expect(stderr).toMatch(what);
    }
  } finally {
    await Promise.all([transactions.stop(), statements.stop()]);
  }
});
