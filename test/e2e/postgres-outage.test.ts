import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createExecutor, type ExecutionReport } from '../../scripts/devnet/lane/executor.js';
import { createTraffic, type SentMessage } from '../../scripts/devnet/lane/traffic.js';
import { connectionUri } from '../../scripts/devnet/postgres/embedded-postgres.js';
import type { Hex } from '../../src/core/hex.js';
import { seededRandom } from '../../src/core/random.js';
import { common, library, startTestLane, type TestLane } from '../support/devnet/fixture.js';
import { endAllCli } from '../support/e2e/cli.js';
import { get, listMessages, listResults } from '../support/e2e/http.js';
import { chainSections, startCommittees, verifierSections } from '../support/e2e/lane.js';
import { e2eDirectory, hotAndWarm, startServiceProcess, writeConfig } from '../support/e2e/service.js';
import { startTruthClients } from '../support/e2e/truth.js';
import { eventually } from '../support/eventually.js';
import { type PrivatePostgres, startPrivatePostgres } from '../support/postgres/postgres.js';

const RATE_PER_SECOND = 4;
/** An outage lasts until each endpoint has answered more often than that, and more messages were sent. */
const OUTAGE = { answers: 10, sent: 60 };
const LISTS = ['messages', 'verifierresults'];

const directory = e2eDirectory();
let postgres: PrivatePostgres;
let lane: TestLane;

beforeAll(async () => {
  postgres = await startPrivatePostgres();
  lane = await startTestLane({ mining: { everyMs: 500 }, slotsInAnEpoch: 1 });
});
afterEach(endAllCli);
afterAll(async () => {
  await lane.close();
  await postgres.remove();
  directory.remove();
});

it('promise 1: a database that is away under traffic costs no message, and no answer is less than the truth', async () => {
  const config = hotAndWarm({
    namespace: 'outage',
    uri: connectionUri(postgres.tcp),
    chains: chainSections(lane),
    verifiers: verifierSections(await startCommittees(lane)),
  });
  const file = writeConfig(directory.path, 'outage.toml', config);
  const { cli, apiUrl } = await startServiceProcess('start', file, '--migrate');

  const { deployment, chains } = lane;
  const sent: SentMessage[] = [];
  const traffic = lane.own(
    createTraffic({
      ...{ common, deployment, chains, library, seed: 6 },
      ratePerSecond: RATE_PER_SECOND,
      onSent: (message) => sent.push(message),
    }),
  );
  const reports = new Map<Hex, ExecutionReport>();
  const executor = lane.own(
    createExecutor({
      ...{ common, deployment, chains, library },
      apiUrls: [apiUrl],
      pollIntervalMs: 500,
      onProgress: (report) => reports.set(report.messageId, report),
    }),
  );
  const clients = startTruthClients(apiUrl, seededRandom(6));
  traffic.start();
  await eventually('traffic to flow', () => executor.executedCount() >= 10);

  await postgres.kill();
  const [before, sentBefore] = [clients.counts(), sent.length];
  await eventually('the clients to ask on', () =>
    Object.values(difference(before, clients.counts())).every(
      (counts) => Object.values(counts).reduce((sum, count) => sum + count, 0) > OUTAGE.answers,
    ),
  );
  await eventually('the senders to send on', () => sent.length - sentBefore > OUTAGE.sent);
  // memory may answer alone for so long only: it does not know what others store
  await eventually('lists to be refused', () => {
    const answers = difference(before, clients.counts());
    return LISTS.every((list) => (answers[list]?.[503] ?? 0) > 0);
  });
  const [during, sentDuring] = [clients.counts(), sent.length];
  await postgres.start();
  console.log(`during the outage: ${JSON.stringify(difference(before, during))}, ${sentDuring - sentBefore} sent`);

  await eventually('all endpoints to answer again', () =>
    Object.values(difference(during, clients.counts())).every((counts) => (counts[200] ?? 0) > 0),
  );
  await eventually('traffic to flow again', () => sent.length >= sentDuring + 10);
  await traffic.stop();
  expect(traffic.counts().failed).toBe(0);
  await eventually('everything sent to be executed', () => executor.executedCount() === sent.length);
  expect(await clients.stop()).toEqual([]);

  const [messages, results] = [await listMessages(apiUrl), await listResults(apiUrl)];
  expect([...messages.keys()].sort()).toEqual(sent.map(({ messageId }) => messageId).sort());
  for (const [messageId, { metadata, messageCCVAddresses }] of messages) {
    expect([messageId, metadata.status]).toEqual([messageId, 1]);
    const sources = results.get(messageId)?.map(({ verifierResult }) => verifierResult.verifier_source_address) ?? [];
    expect([...sources].sort()).toEqual([...messageCCVAddresses!].sort());
  }
  for (const { messageId } of sent) expect(reports.get(messageId as Hex)?.executedMs).not.toBeNull();
  expect(executor.rejectedCount()).toBe(0);
  expect((await get(`${apiUrl}/ready`)).status).toBe(200);
  expect(await cli.stop()).toEqual({ code: 0, signal: null });
});

type Counts = Readonly<Record<string, Readonly<Record<number, number>>>>;

function difference(before: Counts, after: Counts): Counts {
  return Object.fromEntries(
    Object.entries(after).map(([endpoint, counts]) => [
      endpoint,
      Object.fromEntries(
        Object.entries(counts).map(([status, count]) => [status, count - (before[endpoint]?.[Number(status)] ?? 0)]),
      ),
    ]),
  );
}
