import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TomlTable } from 'smol-toml';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type AggregatorServer, startAggregatorServer } from '../../scripts/devnet/aggregator/aggregator-server.js';
import { connectionUri } from '../../scripts/devnet/postgres/embedded-postgres.js';
import type { NewMessage } from '../../src/model/records.js';
import { type AnvilChain, startAnvilChain } from '../support/chain/anvil-chain.js';
import { message as chainMessage } from '../support/chain/chain-fixture.js';
import { ON_RAMP, SOURCE } from '../support/chain/watch.js';
import { endAllCli, runCli, startCli } from '../support/e2e/cli.js';
import { body, listMessages } from '../support/e2e/http.js';
import { checkOrder, tableRows } from '../support/e2e/namespace.js';
import { e2eDirectory, hotAndWarm, startServiceProcess, writeConfig } from '../support/e2e/service.js';
import { eventually } from '../support/eventually.js';
import { type PgBouncer, startPgBouncer } from '../support/postgres/pgbouncer.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';
import { createRecordMaker } from '../support/records.js';
import { API_KEY, SECRET } from '../support/verifiers/aggregator.js';

const ENTRIES = 1_500;
const BAD_EVERY = 70;
/** Pages that a runner gets before the aggregator keeps it waiting. */
const PAGES = 4;

const make = createRecordMaker(41);
const ccv = make.hex(20);
const directory = e2eDirectory();
let database: TestDatabase;
let pooler: PgBouncer;
let aggregator: AggregatorServer;
let chain: AnvilChain;
const published: NewMessage[] = [];

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  pooler = await startPgBouncer(database.tcp, 'transaction');
  aggregator = await startAggregatorServer({ clients: new Map([[API_KEY, SECRET]]), nowMs: () => Date.now() });
  for (let index = 1; index <= ENTRIES; index += 1) {
    if (index % 3 === 0) aggregator.skip(1n);
    if (index % BAD_EVERY === 0) {
      aggregator.publishBytes(make.bytes(40));
      continue;
    }
    const message = make.message({ ccvs: [ccv] });
    aggregator.publish(make.result(message, 0));
    published.push(message);
  }
  chain = await startAnvilChain({ onRamp: ON_RAMP, slots: 3 });
});
afterEach(endAllCli);
afterAll(async () => {
  await chain.stop();
  await aggregator.close();
  await pooler.stop();
  await database.drop();
  directory.remove();
});

const peer = () => ({ Address: aggregator.address, InsecureConnection: true, APIKey: API_KEY, Secret: SECRET });

/** Migrated, through the pooler. */
async function configFor(namespace: string, chains: readonly TomlTable[] = []): Promise<string> {
  const config = hotAndWarm({
    namespace,
    uri: connectionUri(pooler.through(database.tcp)),
    chains,
    verifiers: [{ Type: 'aggregator', Name: 'committee', IssuerAddresses: [ccv], ...peer() }],
  });
  const discoveries = { Discoveries: [{ Name: 'agg', PollInterval: 100, Timeout: 300_000, ...peer() }] };
  const file = writeConfig(directory.path, `${namespace}.toml`, {
    ...config,
    ...(chains.length > 0 ? {} : discoveries),
  });
  expect((await runCli(['migrate', 'up', '-c', file])).code).toBe(0);
  return file;
}

interface Event {
  readonly event: string;
  readonly id?: string;
  readonly read?: number;
  readonly state?: string;
  readonly cursor?: string | null;
  readonly duplicates?: number;
  readonly messages?: number;
  readonly replaced?: number;
  readonly conflicts?: number;
}
const events = (stdout: string): Event[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);

/** From now on the aggregator gives so many pages, and then none until the returned function is called. */
function holdAfter(pages: number): () => void {
  let asked = 0;
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  aggregator.answer(async () => {
    asked += 1;
    if (asked > pages) await released;
    return null;
  });
  return () => {
    aggregator.answer(null);
    release();
  };
}

it('promise 1: a replay that was killed goes on by an equal request; nothing is missed, nothing twice', async () => {
  const whole = await configFor('whole');
  const replay = (file: string, ...more: readonly string[]) =>
    ['replay', 'discovery', '--since', '0', '-c', file, '--json', ...more] as const;
  const undisturbed = await runCli(replay(whole, '--rate', '1000'));
  expect(undisturbed.code, undisturbed.stderr).toBe(0);

  const file = await configFor('killed');
  let release = holdAfter(PAGES);
  const first = startCli(replay(file));
  await first.printed(new RegExp(`"read":${PAGES}00,`));
  const second = await runCli(replay(file));
  expect(second.code, second.stderr).toBe(2);
  expect(events(second.stdout)).toMatchObject([{ event: 'runs elsewhere', state: 'running' }]);
  first.kill('SIGKILL');
  await first.exited;
  release();
  const listed = JSON.parse((await runCli(['replay', 'list', '-c', file, '--json'])).stdout) as { id: string }[];
  expect(listed).toHaveLength(1);

  release = holdAfter(PAGES);
  const stopped = startCli(replay(file));
  await stopped.printed(new RegExp(`"read":${2 * PAGES}00,`));
  stopped.interrupt();
  expect(await stopped.exited, stopped.stderr()).toEqual({ code: 130, signal: null });
  release();
  const told = events(stopped.stdout());
  expect(told[0]).toMatchObject({ event: 'resumed', cursor: expect.stringMatching(/^0:\d+$/) });
  expect(told.at(-1)).toMatchObject({ event: 'stopped', id: listed[0]?.id });

  const last = await runCli(['replay', 'resume', '--id', listed[0]!.id, '-c', file, '--json']);
  expect(last.code, last.stderr).toBe(0);
  const end = events(last.stdout).at(-1);
  expect(end).toMatchObject({ event: 'done' });
  expect(end).toMatchObject({ messages: published.length, duplicates: 0 });

  const [expected, found] = [await tableRows(database, 'whole'), await tableRows(database, 'killed')];
  for (const [table, rows] of expected) expect(found.get(table), table).toEqual(rows);
  expect(expected.get('messages')).toHaveLength(published.length);
  expect(expected.get('verifier_results')).toHaveLength(published.length);
  expect(expected.get('source_cursors')).toEqual([]);
  for (const namespace of ['whole', 'killed']) await checkOrder(database, namespace);

  const done = await runCli(replay(file));
  expect(done).toMatchObject({ code: 0 });
  expect(events(done.stdout)).toMatchObject([{ event: 'done before', state: 'done' }]);
  const again = await runCli(replay(file, '--again', '--rate', '1000'));
  expect(events(again.stdout).at(-1)).toMatchObject({ event: 'done', messages: 0, duplicates: 2 * published.length });
});

it('messages are asked for again by id, and those that no source knows are named', async () => {
  const file = await configFor('by_id');
  const [stored, other] = published as [NewMessage, NewMessage];
  const unknown = make.hex(32);
  const ids = join(directory.path, 'ids.txt');
  writeFileSync(ids, `${stored.messageId}\n${other.messageId}, ${unknown}\n`);
  const run = await runCli(['replay', 'messages', '--ids-file', ids, '-c', file]);
  expect(run.code, run.stderr).toBe(3);
  expect(run.stdout).toContain('3 of 3 messages read, 2 messages and 2 verifications new');
  expect(run.stdout).toContain(`no source knows these 1 messages:\n  ${unknown}`);
  const { rows } = await database.sql('SELECT status, count(*)::int AS count FROM by_id.messages GROUP BY 1');
  expect(rows).toEqual([{ status: 1, count: 2 }]);
  const wrong = await runCli(['replay', 'messages', '--ids', '0x12', '-c', file]);
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('0x12 is no message id') });
});

it('promise 5: a forced replay is seen by a client that polls messages by time', async () => {
  const message = make.message({ ccvs: [ccv] });
  const old = make.result(message, 0);
  const news = { ...old, ccvData: make.bytes(64) };
  const since = aggregator.publish(old);
  const file = await configFor('forced');
  const replay = (...more: readonly string[]) =>
    runCli(['replay', 'discovery', '--since', String(since), '-c', file, '--json', ...more]);
  expect((await replay()).code).toBe(0);
  const { apiUrl } = await startServiceProcess('api', file);
  const stored = async () =>
    (await database.sql('SELECT ingestion_ms AS ms, ccv_data FROM forced.verifier_results')).rows;
  const [before] = (await stored()) as { ms: string; ccv_data: Buffer }[];
  const polled = `start=${Number(before!.ms) + 1}`;
  await eventually('the API has the first', async () => (await listMessages(apiUrl)).has(message.messageId));

  aggregator.publish(news);
  const plain = await replay('--again');
  expect(events(plain.stdout).at(-1)).toMatchObject({ event: 'done', conflicts: 1, replaced: 0 });
  expect((await stored())[0]).toEqual(before);
  expect(await listMessages(apiUrl, polled)).toEqual(new Map());

  const forced = await replay('--force');
  expect(events(forced.stdout).at(-1)).toMatchObject({ event: 'done', conflicts: 0, replaced: 1 });
  await eventually('the poll gives it again', async () => (await listMessages(apiUrl, polled)).has(message.messageId));
  const text = await body(`${apiUrl}/v1/verifierresults?${polled}`);
  expect(text).toContain(Buffer.from(news.ccvData).toString('hex'));
  const { rows } = await database.sql(
    `SELECT r.ccv_data, r.replay::text AS replay, r.stored_hash <> r.received_hash AS other, r.replaced_ms = v.ingestion_ms AS at
     FROM forced.replacements r JOIN forced.verifier_results v USING (message_id)`,
  );
  const { id } = events(forced.stdout).at(-1)!;
  expect(rows).toEqual([{ ccv_data: Buffer.from(old.ccvData), replay: id, other: true, at: true }]);
  // nothing is left to replace
  const again = await replay('--force', '--again');
  expect(events(again.stdout).at(-1)).toMatchObject({ replaced: 0, duplicates: 2 });
});

it('a range of blocks is read again beside the worker, whose cursor stays', async () => {
  for (let number = 1; number <= 12; number++) await chain.block(chainMessage(number));
  const file = await configFor('blocks', [
    {
      ...{ Name: 'local', Selector: String(SOURCE.sourceSelector), RpcUrls: [chain.anvil.url], OnRamp: ON_RAMP },
      ...{ StartBlock: 5, Confirmations: 'latest', PollInterval: 50, RequestsPerSecond: 1_000 },
    },
  ]);
  const service = await startServiceProcess('start', file);
  const cursor = async () =>
    (await database.sql("SELECT height::int AS height FROM blocks.source_cursors WHERE source_id LIKE 'chain:%'")).rows;
  await eventually('the worker stands at the finalized block', async () => (await cursor())[0]?.height === 6);
  const listed = async () => (await listMessages(service.apiUrl)).size;
  await eventually('the worker has read the rest', async () => (await listed()) === 8);

  const above = await runCli(['replay', 'chain', '--chain', 'local', '--from', '1', '--to', '9', '-c', file]);
  expect(above).toMatchObject({ code: 1, stderr: expect.stringContaining('write --to 6 or less') });
  const run = await runCli(['replay', 'chain', '--chain', 'local', '--from', '1', '--to', '6', '-c', file]);
  expect(run.code, run.stderr).toBe(0);
  expect(run.stdout).toContain('6 of 6 blocks read, 4 messages and 0 verifications new, 2 records stored before');
  await eventually('the API lists all of them', async () => (await listed()) === 12);
  expect(await cursor()).toEqual([{ height: 6 }]);
});
