import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { createCommon } from '../../src/core/common.js';
import type { Hex } from '../../src/core/hex.js';
import { silentLogger } from '../../src/core/logger.js';
import { createGoIndexerImport, type GoIndexerImport } from '../../src/migration/go-indexer/go-indexer-import.js';
import { LOOK, RECORD_TABLES, ROWS_AT, versionsIn } from '../../src/migration/go-indexer/go-rows.js';
import { createThrottle } from '../../src/migration/throttle.js';
import type { NewMessage } from '../../src/model/records.js';
import { migrate } from '../../src/storage/postgres/migrate/migrations.js';
import { createPostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { startApi } from '../../test/support/api/api.js';
import { e2eDirectory } from '../../test/support/e2e/service.js';
import { compareLists } from '../../test/support/go-indexer/go-answers.js';
import { GO_TABLES } from '../../test/support/go-indexer/go-tables.js';
import { type GoResult, type GoWriter, openGoWriter } from '../../test/support/go-indexer/go-writer.js';
import { createRecordMaker, SELECTORS } from '../../test/support/records.js';
import { startEmbeddedPostgres } from '../devnet/postgres/embedded-postgres.js';

/*
 * `npm run chaos:go-indexer`: 1 000 000 rows of a Go indexer, two results a message, are moved while rows are still
 * written: pages of an aggregator, results of tasks, statuses, replays that overwrite, vacuums. The import dies once on
 * the way. At the end every entry of `/v1` is compared with the Go indexer's own lists. ROWS says another number.
 */
const ROWS = Number(process.env['ROWS'] ?? 1_000_000);
const ZONE = 'Europe/Berlin';
/** Messages of a page of the aggregator. */
const PAGE = 100;
const PAGES = Math.ceil(ROWS / 3 / PAGE);
/** A year before it, with both changes of clocks. */
const END_MS = Date.parse('2026-10-26T00:00:00Z');
const STEP_MS = Math.floor((365 * 86_400_000) / PAGES);
const DEST: Hex = `0x${'b9'.repeat(20)}`;

const make = createRecordMaker(20261129);
const ccvs: Hex[] = [make.hex(20), make.hex(20)];
const lanes = [SELECTORS.low, SELECTORS.mid, SELECTORS.high];
const stepsMs: { phase: string; ms: number }[] = [];
const say = (text: string) => process.stdout.write(`${text}\n`);

function makePage(atMs: number): { messages: { message: NewMessage; atMs: number }[]; results: GoResult[] } {
  const messages = Array.from({ length: PAGE }, () => {
    const sourceChainSelector = lanes[Math.floor(make.random() * 2)] ?? SELECTORS.low;
    const dataBytes = Math.floor(make.random() * 200);
    return make.message({ ccvs, sourceChainSelector, dataBytes, destChainSelector: SELECTORS.high });
  });
  const results = messages.flatMap((message) =>
    ccvs.map((_, index) => ({ result: make.result(message, index, { dest: DEST }), atMs, microseconds: index })),
  );
  return { messages: messages.map((message) => ({ message, atMs })), results };
}

/** Writes pages as they came over a year; most messages are verified. */
async function writeHistory(writer: GoWriter): Promise<number> {
  for (let page = 0; page < PAGES; page += 1) {
    await writer.discover(makePage(END_MS - (PAGES - page) * STEP_MS));
    if (page % 500 === 499) say(`  ${(page + 1) * PAGE * 3} rows written`);
  }
  await writer.client.query(
    `UPDATE indexer.messages SET status = 'SUCCESS' WHERE get_byte(decode(substr(message_id, 3, 2), 'hex'), 0) > 7`,
  );
  await writer.client.query('VACUUM ANALYZE');
  return PAGES * PAGE * 3;
}

/** Goes on as the Go indexer would, until it is stopped. */
async function writeOn(writer: GoWriter, signal: AbortSignal): Promise<number> {
  const recent: NewMessage[] = [];
  let written = 0;
  for (let turn = 0; !signal.aborted; turn += 1) {
    const page = makePage(Date.now());
    const some = page.messages.slice(0, 5);
    const results = page.results.slice(0, 10);
    await writer.discover({ messages: some, results: results.filter(({ microseconds }) => microseconds === 0) });
    // the second verifier answers later, with a time from before its statement
    await delay(50);
    await writer.results(results.filter(({ microseconds }) => microseconds === 1));
    recent.push(...some.map(({ message }) => message));
    for (const { messageId } of recent.splice(0, Math.max(0, recent.length - 50)))
      await writer.status(messageId, 'SUCCESS');
    const old = recent[Math.floor(make.random() * recent.length)];
    if (turn % 20 === 0 && old) {
      await writer.results([{ result: make.result(old, 0, { dest: DEST }), atMs: Date.now() }], true);
      await writer.replayMessage(old, Date.now());
    }
    if (turn % 200 === 100) await writer.client.query('VACUUM indexer.messages');
    written += 3 * some.length;
  }
  return written;
}

async function explain(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ horizon: string; messages: string; verifier_results: string }>(LOOK);
  for (const table of RECORD_TABLES) {
    const end = Number(rows[0]?.[table]);
    const age = String(BigInt.asUintN(32, BigInt(rows[0]?.horizon ?? 0)));
    for (const [what, from, to] of [
      ['look', end - 2, end + 1],
      ['part of a sweep', 0, 2_048],
      ['whole sweep', 0, end],
    ] as const) {
      const values = [`(${from},0)`, `(${to},0)`, age, false];
      const plan = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${versionsIn(table)}`, values);
      const [{ Plan: node, 'Execution Time': ms }] = plan.rows[0]['QUERY PLAN'];
      const buffers = node['Shared Hit Blocks'] + node['Shared Read Blocks'];
      say(`  ${table}, ${what}: ${node['Node Type']}, ${ms.toFixed(1)} ms, ${buffers} buffers`);
    }
    const places = await client.query<{ ctid: string }>(`SELECT ctid::text FROM indexer.${table} LIMIT 1000`);
    const at = [`{${places.rows.map(({ ctid }) => `"${ctid}"`)}}`];
    const [{ 'Execution Time': rowsMs, Plan: rowsNode }] = (
      await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${ROWS_AT[table]}`, at)
    ).rows[0]['QUERY PLAN'];
    const rowBuffers = rowsNode['Shared Hit Blocks'] + rowsNode['Shared Read Blocks'];
    say(`  ${table}, 1 000 rows by their places: ${rowsMs.toFixed(1)} ms, ${rowBuffers} buffers`);
    const scan = `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT ctid FROM indexer.${table}
      WHERE ingestion_timestamp > now() - interval '1 minute'`;
    const [{ Plan: node, 'Execution Time': ms }] = (await client.query(scan)).rows[0]['QUERY PLAN'];
    const buffers = node['Shared Hit Blocks'] + node['Shared Read Blocks'];
    say(
      `  ${table}, rows of the last minute by their time: ${node['Node Type']}, ${ms.toFixed(1)} ms, ${buffers} buffers`,
    );
  }
}

async function step(opened: GoIndexerImport) {
  const startMs = performance.now();
  const progress = await opened.step();
  stepsMs.push({ phase: progress.phase, ms: performance.now() - startMs });
  return progress;
}

function quantile(phase: string, share: number): string {
  const all = stepsMs.filter((each) => each.phase === phase).map(({ ms }) => ms);
  all.sort((a, b) => a - b);
  return (all[Math.floor(all.length * share)] ?? 0).toFixed(1);
}

const directory = e2eDirectory();
const postgres = await startEmbeddedPostgres({
  ...{ dataDir: `${directory.path}/data`, log: silentLogger, settings: { max_wal_size: '8GB' } },
});
const go = { ...postgres.connection, database: 'go' };
const home = { ...postgres.connection, database: 'home' };
const admin = new pg.Client(postgres.connection);
await admin.connect();
await admin.query('CREATE DATABASE go');
await admin.query('CREATE DATABASE home');
await migrate({ connection: home, namespace: 'ccv' });
const common = createCommon();
const target = createPostgresStorage({ connection: home, common });
const api = await startApi(target);
let failed = true;
try {
  const writer = await openGoWriter(go, ZONE);
  await writer.client.query(GO_TABLES);
  let startMs = performance.now();
  const rows = await writeHistory(writer);
  say(`${rows} rows of a Go indexer, written in ${((performance.now() - startMs) / 1_000).toFixed(0)} s`);
  say('what a look costs:');
  await explain(writer.client);

  const throttle = createThrottle({
    limits: { rowsPerSecond: null, latencyMs: null, lagMs: null },
    clock: common.clock,
  });
  const discoveries = [{ name: 'primary', address: 'aggregator:443', since: 0n }];
  const open = () => createGoIndexerImport({ source: go, zone: ZONE, target, discoveries, throttle, common });
  await writer.client.query(`INSERT INTO indexer.discovery_state VALUES ('aggregator:443', 12345)`);
  const wrong = createGoIndexerImport({ source: go, zone: 'UTC', target, discoveries, throttle, common });
  say(`zone UTC: ${(await wrong.check()).problems.map(({ message, nextStep }) => `${message}; ${nextStep}`).join()}`);
  await wrong.close();

  const stop = new AbortController();
  const writing = writeOn(writer, stop.signal);
  startMs = performance.now();
  let opened = open();
  say(`check: ${JSON.stringify((await opened.check()).problems)}`);
  let progress = await step(opened);
  while (progress.rowsTaken < rows / 3) progress = await step(opened);
  await opened.close();
  say(
    `the import dies with ${progress.rowsTaken} rows taken, after ${((performance.now() - startMs) / 1_000).toFixed(0)} s`,
  );
  const first = progress.rowsTaken;
  opened = open();
  const resumeMs = performance.now();
  progress = await step(opened);
  say(`goes on: its first step took ${((performance.now() - resumeMs) / 1_000).toFixed(1)} s`);
  while (progress.phase === 'filling') progress = await step(opened);
  const seconds = (performance.now() - startMs) / 1_000;
  const taken = first + progress.rowsTaken;
  say(
    `filled: ${taken} rows in ${seconds.toFixed(0)} s, ${(taken / seconds).toFixed(0)} rows/s, while rows are written`,
  );
  const followMs = performance.now();
  while (performance.now() - followMs < 30_000) {
    progress = await step(opened);
    if (progress.isIdle) await delay(1_000);
    else await delay(200);
  }
  say(
    `followed for 30 s: a step takes ${quantile('following', 0.5)} ms (p50), ${quantile('following', 0.99)} ms (p99)`,
  );
  stop.abort();
  say(`the Go indexer is stopped; it wrote ${await writing} rows meanwhile`);
  startMs = performance.now();
  const report = await opened.finish();
  say(
    `finished in ${((performance.now() - startMs) / 1_000).toFixed(1)} s: ${JSON.stringify(report, (_, value) => (typeof value === 'bigint' ? String(value) : value))}`,
  );
  await opened.close();

  failed = false;
  for (const kind of ['messages', 'verifierResults'] as const) {
    startMs = performance.now();
    const { compared, differing } = await compareLists(writer.client, ZONE, (path) => api.get(path), kind);
    failed ||= differing.length > 0;
    say(
      `/v1, ${kind}: ${compared} entries compared, ${differing.length} differ, in ${((performance.now() - startMs) / 1_000).toFixed(0)} s`,
    );
    for (const each of differing.slice(0, 3)) say(JSON.stringify(each).slice(0, 1_000));
  }
  await writer.close();
} finally {
  await api.close();
  await target.close();
  await admin.end();
  await postgres.stop();
  directory.remove();
}
process.exitCode = failed ? 1 : 0;
