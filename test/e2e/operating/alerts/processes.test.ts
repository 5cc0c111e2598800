import { connect, type Socket } from 'node:net';
import { it } from 'vitest';
import { startAggregatorServer } from '../../../../scripts/devnet/aggregator/aggregator-server.js';
import { startNarrowCli } from '../../../support/e2e/cli.js';
import { startEmittedChain } from '../../../support/e2e/emitted-chain.js';
import { get, listMessages } from '../../../support/e2e/http.js';
import { partsFixture } from '../../../support/e2e/parts-fixture.js';
import {
  hotAndWarm,
  type RunningService,
  serviceOf,
  startServiceProcess,
  writeConfig,
} from '../../../support/e2e/service.js';
import { startOnClock } from '../../../support/e2e/tiers.js';
import { eventually } from '../../../support/eventually.js';
import { createTestDatabase } from '../../../support/postgres/postgres.js';
import { watchAlerts } from '../../../support/prometheus/alerts.js';

/** Aggregators, which three workers share with the chain. */
const AGGREGATORS = 11;
const CONNECTIONS = 8;
const DESCRIPTORS = 64;

const parts = partsFixture();

function connectTo(url: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  parts.closing(() => socket.destroy());
  return socket;
}

/** More than two. */
async function ownsSources({ adminUrl }: RunningService): Promise<boolean> {
  const { text } = await get(`${adminUrl}/metrics`);
  return Number(/^indexer_sources_owned (\d+)/m.exec(text)?.[1]) > 2;
}

it('alerts of processes fire when one stands still, has a wrong clock, and has too many clients', async () => {
  const database = await createTestDatabase({ migrated: false });
  const chain = await startEmittedChain(71);
  const idle = await Promise.all(
    Array.from({ length: AGGREGATORS }, () => startAggregatorServer({ nowMs: () => Date.now() })),
  );
  parts.closing(
    ...idle.map((aggregator) => () => aggregator.close()),
    () => database.drop(),
    () => chain.close(),
  );
  const config = {
    ...hotAndWarm({
      ...{ namespace: 'processes', uri: database.uri },
      chains: [chain.chainSection()],
      verifiers: [chain.verifierSection()],
    }),
    Discoveries: idle.map(({ address: Address }, index) => {
      return { Name: `idle-${index}`, Address, InsecureConnection: true };
    }),
  };
  const limited = {
    ...config,
    API: { ListenAddress: '127.0.0.1', ListenPort: 0, MaxConnectionsPerAddress: CONNECTIONS },
  };
  const file = writeConfig(parts.path, 'processes.toml', config);
  const first = await startServiceProcess('start', writeConfig(parts.path, 'limited.toml', limited), '--migrate');
  const second = await startServiceProcess('worker', file);
  const narrow = await serviceOf(startNarrowCli(['api', '--config', file], DESCRIPTORS));
  await chain.block(3);
  await eventually('messages are listed', async () => (await listMessages(first.apiUrl)).size === 3);
  await eventually('the workers share the sources', () => ownsSources(second));
  const alerts = await watchAlerts([first.adminUrl, second.adminUrl, narrow.adminUrl]);
  parts.closing(() => alerts.close());

  await alerts.fire(() => {
    for (let count = 0; count < 40; count += 1) connectTo(first.apiUrl);
  }, 'CcvIndexerClientsLimited');

  await alerts.fire(() => {
    for (let count = 0; count < DESCRIPTORS; count += 1) connectTo(count % 4 === 0 ? narrow.adminUrl : narrow.apiUrl);
  }, 'CcvIndexerDescriptors');

  await alerts.fire(async () => {
    const ahead = await startOnClock('worker', file, { sinceMs: Date.now(), behindMs: -600_000, speed: 1 });
    await eventually('it has a share of the sources', () => ownsSources(ahead));
    // each worker stores the verifications of its share of the messages
    await chain.block(30);
  }, 'CcvIndexerClockAhead');

  await alerts.fire(() => second.cli.kill('SIGSTOP'), 'CcvIndexerDown', 'CcvIndexerWorkersMissing');
  await alerts.fire(() => second.cli.kill('SIGCONT'), 'CcvIndexerLeasesLost');
});
