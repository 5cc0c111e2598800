import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OpenedStorage, openStorage } from '../../src/app/open-storage.js';
import { parseConfig } from '../../src/config/load.js';
import { systemClock } from '../../src/core/clock.js';
import { createCommon } from '../../src/core/common.js';
import { seededRandom } from '../../src/core/random.js';
import { expectWholeTruth } from '../support/e2e/answers.js';
import { endAllCli, runCli } from '../support/e2e/cli.js';
import { nowOn, type WallClock } from '../support/e2e/clock.js';
import { type EmittedChain, startEmittedChain } from '../support/e2e/emitted-chain.js';
import { countHistory, historyOf, keepHistory } from '../support/e2e/history.js';
import { resultId, startPollers } from '../support/e2e/pollers.js';
import { e2eDirectory, type RunningService, writeConfig } from '../support/e2e/service.js';
import { metricSum, warmState } from '../support/e2e/tier-state.js';
import { bucketTable, startOnClock, threeTiers } from '../support/e2e/tiers.js';
import { eventually } from '../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';
import { createTestS3Store } from '../support/s3/object-store.js';
import { newBucketName, type S3TestServer } from '../support/s3/server.js';
import { sharedS3Server } from '../support/s3/server-fixture.js';

const NAMESPACE = 'replica';
const BLOCKS = 40;
const MESSAGES_PER_BLOCK = 4;
/** Everything that the test is about happens more often than this. */
const LEAST = 10;
/** Records grow old eight times as fast: four seconds in Postgres, about one in memory. */
let clock: WallClock;

const directory = e2eDirectory();
let server: S3TestServer;
let database: TestDatabase;
let chain: EmittedChain;
let worker: RunningService;
let replica: RunningService;
/** The role `api` once more, in this process, for what HTTP does not offer. */
let library: OpenedStorage;

beforeAll(async () => {
  server = await sharedS3Server();
  const bucket = newBucketName();
  await (await createTestS3Store(server, { bucket })).close();
  database = await createTestDatabase({ migrated: false });
  chain = await startEmittedChain(41);
  const config = threeTiers({
    namespace: NAMESPACE,
    uri: database.uri,
    // a clock that comes to be ahead makes files look older than they are
    s3: bucketTable(server, bucket, { RequestTimeout: 30, Grace: 3_600, CompactInterval: 0.4 }),
    chains: [chain.chainSection({ PollInterval: 20 })],
    verifiers: [chain.verifierSection()],
  });
  const configFile = writeConfig(directory.path, 'replica.toml', config);
  const { code, stderr } = await runCli(['migrate', 'up', '--config', configFile]);
  expect(code, stderr).toBe(0);
  await keepHistory(database, NAMESPACE);
  clock = { sinceMs: Date.now(), behindMs: 850_000, speed: 8 };
  [worker, replica] = await Promise.all([
    startOnClock('worker', configFile, clock),
    startOnClock('api', configFile, clock),
  ]);
  const common = createCommon({ clock: { ...systemClock, nowMs: () => nowOn(clock) } });
  library = await openStorage(parseConfig(config, 'replica'), common, 'read');
  await library.sink.started();
});
afterAll(async () => {
  await library?.close();
  await endAllCli();
  await chain.close();
  await database.drop();
  directory.remove();
});

/** What moved, and what the tiers answered. */
async function work() {
  return {
    pruned: await metricSum(worker.adminUrl, 'indexer_sink_pruned_records_total'),
    flushes: await metricSum(worker.adminUrl, 'indexer_cold_flush_duration_seconds_count'),
    compactions: await metricSum(worker.adminUrl, 'indexer_cold_compactions_total'),
    listsOfCold: await metricSum(replica.adminUrl, 'indexer_sink_queries_total', 'shape="cold"'),
    listsOfSeveral: await metricSum(replica.adminUrl, 'indexer_sink_queries_total', 'shape="mixed"'),
    lookupsOfCold: await metricSum(replica.adminUrl, 'indexer_sink_lookups_total', 'shape="cold"'),
  };
}

async function areEnough(): Promise<boolean> {
  return Object.values(await work()).every((figure) => figure > LEAST);
}

it('a replica shows every record once, in order and by id, while the worker flushes, prunes and compacts', async () => {
  const pollers = startPollers(replica.apiUrl, library.sink, seededRandom(41));
  for (let block = 0; block < BLOCKS || !(await areEnough()); block += 1) {
    await chain.block(MESSAGES_PER_BLOCK);
    await eventually('the block to be stored', async () => {
      const { messages } = await countHistory(database, NAMESPACE);
      return messages === chain.messageIds.length || messages;
    });
  }
  await chain.mine(8);
  const count = chain.messageIds.length;
  await eventually('everything to be verified', async () => {
    const { verified } = await countHistory(database, NAMESPACE);
    return verified === count || verified;
  });
  await eventually('everything to be pruned', async () => {
    const { messages } = await warmState(database, NAMESPACE);
    return messages === 0 || messages;
  });
  await eventually('the pollers to have seen all of it', () => {
    const { messages, results } = pollers.seen;
    return (messages.length === count && results.length === count) || [messages.length, results.length];
  });
  const wrongs = await pollers.stop();
  const history = await historyOf(database, NAMESPACE);
  const truth = {
    messages: history.messages.map(({ messageId }) => messageId as string),
    results: history.results.map((result) => resultId(result.messageId, result.verifierSourceAddress)),
  };
  const figures = { walks: pollers.walks.length, lookups: pollers.lookups(), ...(await work()) };
  console.log(JSON.stringify(figures));
  expect(wrongs).toEqual([]);
  expect(pollers.seen).toEqual(truth);
  for (const { kind, ids, least } of pollers.walks) {
    const all = kind.startsWith('messages') ? truth.messages : truth.results;
    expect(ids, kind).toEqual(all.slice(0, ids.length));
    expect(ids.length, kind).toBeGreaterThanOrEqual(least);
  }
  await expectWholeTruth(replica.apiUrl, history);
  expect(pollers.refusals()).toEqual({});
  for (const [name, figure] of Object.entries(figures)) expect(figure, name).toBeGreaterThan(LEAST);
  expect(await replica.cli.stop()).toEqual({ code: 0, signal: null });
  expect(await worker.cli.stop()).toEqual({ code: 0, signal: null });
});
