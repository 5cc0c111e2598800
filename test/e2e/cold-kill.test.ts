import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TomlTable } from 'smol-toml';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectionUri } from '../../scripts/devnet/postgres/embedded-postgres.js';
import { type Random, seededRandom } from '../../src/core/random.js';
import type { S3ObjectStore } from '../../src/storage/cold/object-store/s3/s3-store.js';
import { openDuckDB, type TestDuckDB } from '../support/cold/duckdb.js';
import { coldHistory, copyNamespace, shownOf } from '../support/cold/duckdb-cold.js';
import { expectWholeTruth } from '../support/e2e/answers.js';
import { endAllCli, runCli, startCli } from '../support/e2e/cli.js';
import { clockEnvironment, nowOn, type WallClock } from '../support/e2e/clock.js';
import { type EmittedChain, startEmittedChain } from '../support/e2e/emitted-chain.js';
import { countHistory, factsOf, historyOf, keepHistory } from '../support/e2e/history.js';
import { tableRows } from '../support/e2e/namespace.js';
import { e2eDirectory, type RunningService, writeConfig } from '../support/e2e/service.js';
import { startTap, type Tap } from '../support/e2e/tap.js';
import { untilColdHoldsAll, warmState } from '../support/e2e/tier-state.js';
import { bucketTable, startOnClock, threeTiers } from '../support/e2e/tiers.js';
import { eventually } from '../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';
import { createTestS3Store } from '../support/s3/object-store.js';
import { newBucketName, type S3TestServer } from '../support/s3/server.js';
import { sharedS3Server } from '../support/s3/server-fixture.js';

/** Where a life may end: during a flush or compaction, or while Postgres is pruned. */
const PLACES = ['flush', 'prune'] as const;
const KILLS = 5;
const BLOCK_EVERY_MS = 200;
/** A life sees at most so many writes to S3, or rounds of pruning, before the one that it ends in. */
const MOST_BEFORE = { flush: 20, prune: 4 };
/** And in that one at most so many pieces of data. */
const MOST_PIECES = 8;
/** What was stored five seconds ago is pruned. It stays behind the machine's. */
const clock: WallClock = { sinceMs: Date.now(), behindMs: 850_000, speed: 6 };

const directory = e2eDirectory();
let server: S3TestServer;
let bucket: string;
let store: S3ObjectStore;
let database: TestDatabase;
let chain: EmittedChain;
let duckdb: TestDuckDB;
let taps: { readonly postgres: Tap; readonly s3: Tap };

beforeAll(async () => {
  server = await sharedS3Server();
  bucket = newBucketName();
  store = await createTestS3Store(server, { bucket });
  database = await createTestDatabase({ migrated: false });
  chain = await startEmittedChain(51);
  duckdb = await openDuckDB();
  taps = { postgres: await startTap(database.tcp), s3: await startTap(server) };
});
afterAll(async () => {
  await endAllCli();
  duckdb.close();
  await taps.postgres.close();
  await taps.s3.close();
  await chain.close();
  await database.drop();
  await store.close();
  directory.remove();
});

async function prepare(namespace: string, uri: string, s3: TomlTable): Promise<string> {
  const config = threeTiers({
    namespace,
    uri,
    s3: bucketTable(server, bucket, s3),
    chains: [chain.chainSection({ PollInterval: 50 })],
    verifiers: [chain.verifierSection()],
  });
  const configFile = writeConfig(directory.path, `${namespace}.toml`, config);
  const { code, stderr } = await runCli(['migrate', 'up', '--config', configFile]);
  expect(code, stderr).toBe(0);
  await keepHistory(database, namespace);
  return configFile;
}

/** Where a life of the worker ends. */
interface Death {
  readonly place: (typeof PLACES)[number];
  /** So many writes or rounds are passed over first. */
  readonly before: number;
  /** So many pieces of data for Postgres and S3 later. */
  readonly pieces: number;
  /** Whether the last of them still gets there. */
  readonly last: 'pass' | 'drop';
}

function drawDeath(index: number, random: Random): Death {
  const place = PLACES[index % PLACES.length]!;
  return {
    place,
    before: Math.floor(random() * MOST_BEFORE[place]),
    pieces: Math.floor(random() * MOST_PIECES),
    last: random() < 0.5 ? 'pass' : 'drop',
  };
}

/** Whether a piece of data begins a write to S3, or a round of pruning. */
const BEGINS: Readonly<Record<Death['place'], (from: keyof typeof taps, chunk: Buffer) => boolean>> = {
  flush: (from, chunk) => from === 's3' && chunk.includes('PUT /'),
  prune: (from, chunk) => from === 'postgres' && chunk.includes('prune_victims'),
};

/** Lives until its death. */
async function live(configFile: string, death: Death): Promise<void> {
  const worker = startCli(['worker', '--config', configFile], clockEnvironment(clock));
  await worker.printed(/"msg":"started"/);
  let begun = 0;
  let pieces = -1;
  const onSent = (from: keyof typeof taps) => (chunk: Buffer) => {
    if (BEGINS[death.place](from, chunk)) begun += 1;
    if (begun <= death.before) return 'pass';
    pieces += 1;
    if (pieces < death.pieces) return 'pass';
    worker.kill('SIGKILL');
    return pieces === death.pieces ? death.last : 'drop';
  };
  taps.postgres.onSent = onSent('postgres');
  taps.s3.onSent = onSent('s3');
  expect(await worker.exited, worker.stderr()).toEqual({ code: null, signal: 'SIGKILL' });
  taps.postgres.onSent = null;
  taps.s3.onSent = null;
}

it('a worker that is killed again and again while it flushes and prunes ends with the records of one that never was', async () => {
  const seed = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));
  const random = seededRandom(seed);
  console.log(`TEST_SEED=${seed}`);
  const calmFile = await prepare('calm', database.uri, {});
  const killedFile = await prepare('killed', connectionUri({ ...database.tcp, port: taps.postgres.port }), {
    Endpoint: `http://127.0.0.1:${taps.s3.port}`,
  });
  const calm = await startOnClock('start', calmFile, clock);
  let stopping = false;
  const traffic = (async () => {
    for (let block = 0; !stopping; block += 1) {
      await chain.block(3, block % 20 === 0 ? 1 : 0);
      await delay(BLOCK_EVERY_MS);
    }
  })();
  try {
    for (let kill = 0; kill < KILLS; kill += 1) {
      const death = drawDeath(kill, random);
      await live(killedFile, death);
      const { position, floorPosition } = await warmState(database, 'killed');
      console.log(`kill ${kill + 1}: ${JSON.stringify(death)}, at position ${position}, pruned to ${floorPosition}`);
    }
  } finally {
    stopping = true;
    await traffic;
  }
  const last = await startOnClock('start', killedFile, clock);
  await chain.mine(8);
  await untilSettled('calm', calm);
  await untilSettled('killed', last);

  // a clock that is ahead would make files look older than they are
  expect(nowOn(clock)).toBeLessThan(Date.now());
  const history = await historyOf(database, 'killed');
  expect(factsOf(history)).toEqual(factsOf(await historyOf(database, 'calm')));
  expect(history.messages.map(({ messageId }) => messageId).sort()).toEqual([...chain.messageIds].sort());
  const [expected, found] = [await tableRows(database, 'calm'), await tableRows(database, 'killed')];
  expect([...found.keys()]).toEqual([...expected.keys()]);
  // how far each was pruned and counted, and when it asked for gaps, is its own affair
  const own = ['ingest_clock', 'lane_asks', 'lane_boards'];
  for (const [table, rows] of expected) if (!own.includes(table)) expect(found.get(table), table).toEqual(rows);
  expect(expected.get('quarantine')).toHaveLength(chain.badLogs);
  await expectWholeTruth(last.apiUrl, history);
  for (const namespace of ['calm', 'killed']) await coldIsWhole(namespace);
  for (const { cli } of [calm, last]) expect(await cli.stop()).toEqual({ code: 0, signal: null });
  const verified = await runCli(['storage', 'verify', '--config', killedFile]);
  expect(verified.code, verified.stdout + verified.stderr).toBe(0);
});

/** Until everything is verified, in the cold tier, and gone from Postgres. */
async function untilSettled(namespace: string, { adminUrl }: RunningService): Promise<void> {
  await eventually(`${namespace} to be complete`, async () => {
    const { verified } = await countHistory(database, namespace);
    if (verified < chain.messageIds.length) return `${verified} of ${chain.messageIds.length}`;
    const { rows } = await database.sql(`SELECT height::int AS height FROM ${namespace}.source_cursors`);
    return rows[0]?.height === (await chain.finalized()) || rows;
  });
  await eventually(`${namespace} to be pruned`, async () => {
    const { messages } = await warmState(database, namespace);
    return messages === 0 || messages;
  });
  await untilColdHoldsAll(adminUrl, database, namespace);
}

/** The cold tables hold the last state of every record that Postgres ever had, and no change twice. */
async function coldIsWhole(namespace: string): Promise<void> {
  const folder = await copyNamespace(store, namespace, join(directory.path, 'copy'));
  expect(await coldHistory(duckdb, folder), namespace).toEqual(shownOf(await historyOf(database, namespace)));
  const [positions] = await duckdb.rows(
    `SELECT count(*) AS rows, count(DISTINCT position) AS positions FROM (
       SELECT position FROM read_parquet(getvariable('message_files'))
       UNION ALL SELECT position FROM read_parquet(getvariable('result_files'))
       UNION ALL SELECT position FROM read_parquet(getvariable('ledger_files')) WHERE kind <> 'return')`,
  );
  expect(positions?.['rows'], namespace).toBe(positions?.['positions']);
}
