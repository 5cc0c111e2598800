import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import type { Hex } from '../../src/core/hex.js';
import { expectWholeTruth, lastMs } from '../support/e2e/answers.js';
import { endAllCli, runCli } from '../support/e2e/cli.js';
import { nowOn, type WallClock } from '../support/e2e/clock.js';
import { type EmittedChain, startEmittedChain } from '../support/e2e/emitted-chain.js';
import { countHistory, type History, historyOf, keepHistory } from '../support/e2e/history.js';
import { get, listMessages } from '../support/e2e/http.js';
import { NEEDS_COLD, questions, RECENT, wrongAnswers } from '../support/e2e/outage-answers.js';
import { type OutageClients, startOutageClients } from '../support/e2e/outage-clients.js';
import { e2eDirectory, type RunningService, writeConfig } from '../support/e2e/service.js';
import { metricSum, resultsThrough, tierStatus, untilColdHoldsAll, warmState } from '../support/e2e/tier-state.js';
import { bucketTable, RETENTION_SECONDS, startOnClock, threeTiers } from '../support/e2e/tiers.js';
import { eventually } from '../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';
import { createTestS3Store } from '../support/s3/object-store.js';
import { newBucketName, type S3TestServer, startS3Server } from '../support/s3/server.js';
import { type S3Proxy, startS3Proxy } from '../support/s3/server-proxy.js';

/** The sender's pace. */
const BLOCK_EVERY_MS = 125;
const MESSAGES_PER_BLOCK = 2;
/** Messages that come and are verified in the outage, before the process is restarted and after. */
const MESSAGES_EACH = 80;
/** Answers of each kind that are waited for in each stage. */
const ANSWERS = 5;
/** What one list has; the sender stops before it. */
const MOST_MESSAGES = 900;
/**
 * How far the clocks of the processes are behind, one after the other: all that the one before stored is too old for Postgres.
 * S3 takes a signature of a quarter of an hour ago.
 */
const [BEHIND_FIRST_MS, BEHIND_NEXT_MS, BEHIND_LAST_MS] = [840_000, 720_000, 600_000];

const directory = e2eDirectory();
const closing: (() => unknown)[] = [() => directory.remove()];
afterAll(async () => {
  await endAllCli();
  for (let close = closing.pop(); close; close = closing.pop()) await close();
});

/** How S3 goes away and comes back. */
interface Outage {
  begin(): Promise<void>;
  end(): Promise<void>;
}

/** Everything that one run is made of. */
interface Run {
  readonly namespace: string;
  readonly database: TestDatabase;
  readonly chain: EmittedChain;
  readonly configFile: string;
  readonly outage: Outage;
}

type Way = 'refuses' | 'hangs';

async function prepare(way: Way): Promise<Run> {
  const server = await startS3Server();
  closing.push(() => server.stop());
  const bucket = newBucketName();
  const store = await createTestS3Store(server, { bucket });
  await store.close();
  const proxy = await startS3Proxy(server);
  closing.push(() => proxy.stop());
  const database = await createTestDatabase({ migrated: false });
  closing.push(() => database.drop());
  const chain = await startEmittedChain(way === 'refuses' ? 61 : 62);
  closing.push(() => chain.close());
  const namespace = `s3_${way}`;
  // one of the two soon holds more than it may: what follows the database then waits, and nobody else does
  const settings =
    way === 'hangs' ? { Endpoint: proxy.endpoint, FlushBytes: 32 * 1024, RequestTimeout: 6 } : { RequestTimeout: 30 };
  const config = threeTiers({
    namespace,
    uri: database.uri,
    s3: bucketTable(server, bucket, settings),
    chains: [chain.chainSection()],
    verifiers: [chain.verifierSection()],
  });
  const configFile = writeConfig(directory.path, `${namespace}.toml`, config);
  const { code, stderr } = await runCli(['migrate', 'up', '--config', configFile]);
  expect(code, stderr).toBe(0);
  await keepHistory(database, namespace);
  return { namespace, database, chain, configFile, outage: outageOf(way, server, proxy) };
}

function outageOf(way: Way, server: S3TestServer, proxy: S3Proxy): Outage {
  if (way === 'refuses') return { begin: () => server.stopGateway(), end: () => server.startGateway() };
  return {
    begin: async () => proxy.always({ kind: 'hang' }),
    end: async () => proxy.always({ kind: 'pass' }),
  };
}

function clockBehind(behindMs: number): WallClock {
  return { sinceMs: Date.now(), behindMs, speed: 1 };
}

/** Records that are too old for Postgres, because the process that stored them had a clock that was behind. */
async function storeThePast({ namespace, database, chain, configFile }: Run): Promise<History> {
  const { cli, adminUrl } = await startOnClock('start', configFile, clockBehind(BEHIND_FIRST_MS));
  for (let block = 0; block < 10; block += 1) await chain.block(10);
  await chain.mine(8);
  await untilVerified({ namespace, database }, 100);
  await untilColdHoldsAll(adminUrl, database, namespace);
  expect(await cli.stop()).toEqual({ code: 0, signal: null });
  return await historyOf(database, namespace);
}

async function untilVerified({ database, namespace }: Pick<Run, 'database' | 'namespace'>, count: number) {
  await eventually(`${count} messages to be stored and verified`, async () => {
    const { messages, verified, results } = await countHistory(database, namespace);
    return (messages === count && verified === count && results === count) || { messages, verified, results };
  });
}

/** A sender that does not stop for any outage. */
function startTraffic(chain: EmittedChain): { stop(): Promise<void> } {
  let stopping = false;
  const sending = (async () => {
    while (!stopping) {
      await chain.block(chain.messageIds.length < MOST_MESSAGES ? MESSAGES_PER_BLOCK : 0);
      await delay(BLOCK_EVERY_MS);
    }
  })();
  sending.catch(() => undefined);
  return {
    stop: async () => {
      stopping = true;
      await sending;
    },
  };
}

it.concurrent.for(['refuses', 'hangs'] as const)(
  'promise 3: S3 that %s under traffic, for longer than Postgres keeps records, costs no record, and no answer is less than the truth',
  async (way, { onTestFailed }) => {
    const run = await prepare(way);
    const { namespace, database, chain, configFile, outage } = run;
    const past = await storeThePast(run);

    let service = await startOnClock('start', configFile, clockBehind(BEHIND_NEXT_MS));
    onTestFailed(() => console.log(`S3 ${way}, the last of its log:\n${service.cli.stderr().slice(-20_000)}`));
    const recent: { sinceMs: number | null; ids: readonly Hex[] } = { sinceMs: null, ids: [] };
    const clients = startOutageClients(questions(past, recent));
    const traffic = startTraffic(chain);
    await eventually('the past to be pruned', async () => {
      const left = await resultsThrough(database, namespace, lastMs(past));
      return left === 0 || left;
    });
    clients.stage('before');
    await clients.ask(service.apiUrl);
    const speedBefore = await speedOf(service, async () => await clients.untilAnswered(NEEDS_COLD, 200, ANSWERS));

    await clients.ask(null);
    await outage.begin();
    const beganMs = performance.now();
    const sentBefore = chain.messageIds.length;
    const outageBegan = { ...(await warmState(database, namespace)), ...(await coldState(service)) };
    recent.sinceMs = outageBegan.coldMs + 1;
    clients.stage('settling');
    await clients.ask(service.apiUrl);
    const untilMuchCame = async () => {
      const before = recent.ids.length;
      await eventually(`${MESSAGES_EACH} messages to come`, async () => {
        recent.ids = await idsAfter(run, outageBegan.coldMs);
        return recent.ids.length - before >= MESSAGES_EACH || recent.ids.length - before;
      });
      await clients.untilAnswered(NEEDS_COLD, 503, ANSWERS);
      await clients.untilAnswered(RECENT, 200, ANSWERS);
    };
    // what was asked just before the outage may still be answered just after it began
    await clients.untilAnswered(NEEDS_COLD, 503, 1);
    clients.stage('during');
    const speedDuring = await speedOf(service, async () => await untilMuchCame());

    await allListedAndVerified(service, chain.messageIds.slice(sentBefore), recent);
    await coldIsToldToBeAway(run, service);
    const clock = clockBehind(BEHIND_LAST_MS);
    const stopped = await restart(run, service, clients, clock);
    expect(stopped.exit).toEqual({ code: 0, signal: null });
    service = stopped.service;
    clients.stage('after restart');
    await clients.ask(service.apiUrl);
    await untilMuchCame();
    await allListedAndVerified(service, chain.messageIds.slice(sentBefore), recent);
    const outageEnded = await warmState(database, namespace);
    expect(outageEnded.floorMs).toBeLessThanOrEqual(outageBegan.coldMs);
    expect(outageEnded.floorPosition).toBeLessThanOrEqual(outageBegan.coldPosition);
    // a message that came before the restart and was verified after it is younger
    const tooOld = await tooOldInWarm(run, outageBegan.coldMs, clock);
    expect(tooOld).toBeGreaterThan(50);

    clients.stage('healing');
    await outage.end();
    const endedMs = performance.now();
    await eventually('the cold tier to catch up', async () => {
      const { coldPosition } = await coldState(service);
      return coldPosition > outageEnded.position || `${coldPosition} of ${outageEnded.position}`;
    });
    const healedMs = Math.round(performance.now() - endedMs);
    await eventually('pruning to go on', async () => {
      const { floorPosition } = await warmState(database, namespace);
      const left = await tooOldInWarm(run, outageBegan.coldMs, clock);
      const isRaised = floorPosition > outageBegan.coldPosition;
      return (isRaised && left < tooOld / 4) || { floorPosition: String(floorPosition), left, before: tooOld };
    });
    const prunedMs = Math.round(performance.now() - endedMs);
    clients.stage('after');
    await clients.untilAnswered([...NEEDS_COLD, ...RECENT], 200, ANSWERS);
    await clients.ask(null);
    await clients.stop();
    await traffic.stop();
    await chain.mine(8);
    await untilVerified(run, chain.messageIds.length);
    await untilColdHoldsAll(service.adminUrl, database, namespace);

    const history = await historyOf(database, namespace);
    expect(history.messages.map(({ messageId }) => messageId).sort()).toEqual([...chain.messageIds].sort());
    await expectWholeTruth(service.apiUrl, history);
    expect((await wrongAnswers(clients, history, outageBegan)).slice(0, 10)).toEqual([]);
    expect(await service.cli.stop()).toEqual({ code: 0, signal: null });
    console.log(
      [
        `S3 ${way} for ${Math.round(endedMs - beganMs)} ms: ${chain.messageIds.length} messages, of which ${tooOld} stayed in Postgres beyond their time`,
        `before: ${JSON.stringify(speedBefore)}; during: ${JSON.stringify(speedDuring)}`,
        `SIGTERM while it was away: ${JSON.stringify(stopped.exit)} after ${stopped.tookMs} ms; caught up ${healedMs} ms after its end, pruned ${prunedMs} ms after`,
        ...['before', 'during', 'after restart', 'healing', 'after'].map(
          (stage) =>
            `${stage}: ${JSON.stringify(clients.tally(stage))}; slowest, ms: ${JSON.stringify(clients.slowest(stage))}`,
        ),
      ].join('\n'),
    );
  },
);

/** Where the cold tier stands, as the process knows it. */
async function coldState({ adminUrl }: RunningService) {
  const { coverage } = await tierStatus(adminUrl, 'cold');
  return { coldMs: coverage.throughMs ?? 0, coldPosition: BigInt(coverage.throughPosition) };
}

/** How quickly the process takes records over, as it measures it itself, ms. */
async function speedOf({ adminUrl }: RunningService, work: () => Promise<void>) {
  const read = async () =>
    await Promise.all(
      [
        ['indexer_time_to_index_seconds', ''],
        ['indexer_storage_operation_duration_seconds', 'operation="insertBatch"'],
      ].map(
        async ([name, label]) =>
          await Promise.all(['sum', 'count'].map((part) => metricSum(adminUrl, `${name}_${part}`, label))),
      ),
    );
  const before = await read();
  await work();
  const after = await read();
  const [indexed, written] = after.map(([sum = 0, count = 0], index) => {
    const [sumBefore = 0, countBefore = 0] = before[index] ?? [];
    return {
      times: count - countBefore,
      meanMs: Number(((1_000 * (sum - sumBefore)) / (count - countBefore)).toFixed(1)),
    };
  });
  return { indexed, written };
}

/** Ingestion and the answers that do not need S3 keep up with the chain. */
async function allListedAndVerified(
  { apiUrl }: RunningService,
  sent: readonly Hex[],
  recent: { readonly sinceMs: number | null },
): Promise<void> {
  await eventually('everything sent until now to be listed as verified', async () => {
    const shown = await listMessages(apiUrl, `start=${recent.sinceMs}&limit=1000`);
    return sent.every((messageId) => shown.get(messageId)?.metadata.status === 1) || shown.size;
  });
}

async function coldIsToldToBeAway({ database, namespace }: Run, { apiUrl, adminUrl }: RunningService): Promise<void> {
  const { health, coverage } = await tierStatus(adminUrl, 'cold');
  expect(health.healthy).toBe(false);
  const { position } = await warmState(database, namespace);
  expect(BigInt(coverage.throughPosition)).toBeLessThan(position);
  expect(await metricSum(adminUrl, 'indexer_cold_flush_failures_total')).toBeGreaterThan(0);
  // the rest is answered
  expect((await get(`${apiUrl}/ready`)).status).toBe(200);
}

async function restart({ configFile }: Run, service: RunningService, clients: OutageClients, clock: WallClock) {
  clients.stage('restart');
  await clients.ask(null);
  const startedMs = performance.now();
  const exit = await service.cli.stop();
  const tookMs = Math.round(performance.now() - startedMs);
  return { exit, tookMs, service: await startOnClock('start', configFile, clock) };
}

/** Messages that were verified after that ingestion time. */
async function idsAfter({ database, namespace }: Run, sinceMs: number): Promise<readonly Hex[]> {
  const { rows } = await database.sql(
    `SELECT '0x' || encode(message_id, 'hex') AS id FROM ${namespace}.verifier_results WHERE ingestion_ms > $1`,
    [sinceMs],
  );
  return (rows as { id: Hex }[]).map(({ id }) => id);
}

/** Messages in Postgres that are past their retention, of those that S3 had not been given before it went away. */
async function tooOldInWarm({ database, namespace }: Run, coldMs: number, clock: WallClock): Promise<number> {
  const { rows } = await database.sql(
    `SELECT count(*)::int AS n FROM ${namespace}.messages WHERE ingestion_ms > $1 AND ingestion_ms < $2`,
    [coldMs, nowOn(clock) - (RETENTION_SECONDS + 1) * 1_000],
  );
  return Number(rows[0]?.n);
}
