import { expect, it } from 'vitest';
import type { Hex } from '../../../../src/core/hex.js';
import { type AnvilChain, startAnvilChain } from '../../../support/chain/anvil-chain.js';
import { message } from '../../../support/chain/chain-fixture.js';
import { type RpcProxy, startRpcProxy } from '../../../support/chain/rpc-proxy.js';
import { ON_RAMP, SOURCE } from '../../../support/chain/watch.js';
import { get, listMessages } from '../../../support/e2e/http.js';
import { partsFixture } from '../../../support/e2e/parts-fixture.js';
import { hotAndWarm, startServiceProcess, writeConfig } from '../../../support/e2e/service.js';
import { eventually } from '../../../support/eventually.js';
import { createTestDatabase } from '../../../support/postgres/postgres.js';
import { watchAlerts } from '../../../support/prometheus/alerts.js';

const parts = partsFixture();

async function startChain(chainId: number): Promise<AnvilChain> {
  const chain = await startAnvilChain({ onRamp: ON_RAMP, slots: 3, chainId, mining: { everyMs: 200 } });
  parts.closing(() => chain.stop());
  return chain;
}

async function startNode(chain: AnvilChain): Promise<RpcProxy> {
  const node = await startRpcProxy(chain.anvil.url);
  parts.closing(() => node.close());
  return node;
}

const section = (Name: string, Selector: bigint, ChainID: number, RpcUrls: readonly string[], HaltAfter = 900_000) => ({
  ...{ Name, Selector: String(Selector), ChainID, RpcUrls: [...RpcUrls], OnRamp: ON_RAMP, HaltAfter },
  ...{ Confirmations: 'latest', PollInterval: 100, RequestsPerSecond: 1_000, RequestTimeout: 2_000 },
});

const closed: RpcProxy['onRequest'] = (_, response) => {
  response.destroy();
  return true;
};

/** A node that leaves out the logs of these messages. */
function leaveOut(node: RpcProxy, ...logs: readonly ReturnType<typeof message>[]): void {
  const left = new Set<Hex>(logs.map(({ messageId }) => messageId));
  node.onCall = async ({ method }, forward) => {
    const answer = await forward();
    if (method !== 'eth_getLogs' || !('result' in answer)) return answer;
    const told = answer.result as { readonly topics: readonly Hex[] }[];
    return { result: told.filter(({ topics }) => !left.has(topics[3]!)) };
  };
}

/** Of a node that does not know the tag. */
const knowNothingFinal: RpcProxy['onCall'] = async ({ method, params }, forward) => {
  if (method !== 'eth_getBlockByNumber' || params[0] !== 'finalized') return await forward();
  return { error: { code: -32_602, message: 'unknown block tag: finalized' } };
};

it('alerts of chains fire when nodes lie, fail, and change finalized blocks', async () => {
  const database = await createTestDatabase({ migrated: false });
  parts.closing(() => database.drop());
  const [main, halting, disputed] = [await startChain(1_337), await startChain(1_338), await startChain(1_339)];
  const untagged = await startChain(1_340);
  const [first, second, tagless] = [await startNode(main), await startNode(main), await startNode(untagged)];
  tagless.onRequest = closed;
  tagless.onCall = knowNothingFinal;
  const chains = [
    section('main', SOURCE.sourceSelector, 1_337, [first.url, second.url]),
    section('halting', 1_338n, 1_338, [halting.anvil.url], 100),
    section('disputed', 1_339n, 1_339, [disputed.anvil.url]),
    section('untagged', 1_340n, 1_340, [tagless.url]),
  ];
  const config = { ...hotAndWarm({ namespace: 'alerts', uri: database.uri, chains }), Lanes: { AskAgainAfter: 1 } };
  const service = await startServiceProcess('start', writeConfig(parts.path, 'alerts.toml', config), '--migrate');
  const alerts = await watchAlerts([service.adminUrl]);
  parts.closing(() => alerts.close());
  await main.block(message(1));
  await eventually('a message is listed', async () => (await listMessages(service.apiUrl)).size === 1);
  await eventually('finalized blocks of all chains are read', async () => {
    const { text } = await get(`${service.adminUrl}/metrics`);
    return [...text.matchAll(/^indexer_source_finalized_block\{[^}]*\} ([1-9]\d*)$/gm)].length === 3;
  });

  await alerts.fire(() => {
    tagless.onRequest = null;
  }, 'CcvIndexerChainFinalityUnknown');

  await alerts.fire(() => halting.reorg(20), 'CcvIndexerChainHalted');
  await alerts.fire(() => disputed.reorg(20), 'CcvIndexerChainDisputed');

  await alerts.fire(
    () => {
      second.onRequest = closed;
    },
    'CcvIndexerRpcNodeDown',
    'CcvIndexerChainUnconfirmed',
  );
  second.onRequest = null;

  const secret = message(2);
  leaveOut(first, secret);
  await alerts.fire(() => main.block(secret), 'CcvIndexerRpcLeavesOutLogs');

  const { topics, data } = message(3);
  const broken = { topics: [topics[0], topics[1], topics[2], `0x${'ab'.repeat(32)}`] as const, data };
  await alerts.fire(() => main.block(broken), 'CcvIndexerInputQuarantined');

  for (const node of [first, second]) node.onCall = null;
  const lost = message(4);
  for (const node of [first, second]) leaveOut(node, lost);
  await alerts.fire(() => main.block(lost, message(5)), 'CcvIndexerLaneGap');

  await alerts.fire(
    () => {
      for (const node of [first, second]) node.onRequest = closed;
    },
    'CcvIndexerRpcAllNodesDown',
    'CcvIndexerChainLagging',
  );
  expect((await get(`${service.apiUrl}/v1/messages`)).status).toBe(200);
});
