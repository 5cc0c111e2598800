import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createJsonRpc, type JsonRpc } from '../../../scripts/devnet/anvil/json-rpc.js';
import { MESSAGE_SENT_TOPIC } from '../../../scripts/devnet/lane/events.js';
import { createTraffic, type SentMessage, type Traffic } from '../../../scripts/devnet/lane/traffic.js';
import type { Hex } from '../../../src/core/hex.js';
import { type RpcProxy, startRpcProxy } from '../../support/chain/rpc-proxy.js';
import { common, library, startTestLane, type TestLane, until } from '../../support/devnet/fixture.js';
import { endAllCli } from '../../support/e2e/cli.js';
import { body } from '../../support/e2e/http.js';
import { chainSections } from '../../support/e2e/lane.js';
import {
  e2eDirectory,
  hotAndWarm,
  type RunningService,
  startServiceProcess,
  writeConfig,
} from '../../support/e2e/service.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';

const directory = e2eDirectory();
let database: TestDatabase;
let lane: TestLane;
let rpc: JsonRpc;
let proxy: RpcProxy;
let traffic: Traffic;
let service: RunningService;
/** Of a block with several messages the node leaves out the first. */
let leavesOut = true;
const leftOut = new Set<Hex>();

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  lane = await startTestLane();
  traffic = lane.own(
    createTraffic({ common, deployment: lane.deployment, chains: lane.chains, library, ratePerSecond: 1, seed: 3 }),
  );
  rpc = createJsonRpc(lane.chains[0].url);
  await rpc('evm_setIntervalMining', [0]);
  proxy = await startRpcProxy(lane.chains[0].url);
  proxy.onCall = async (call, forward) => {
    const answer = await forward();
    if (call.method !== 'eth_getLogs' || !('result' in answer)) return answer;
    const logs = answer.result as SentLog[];
    const isFirst = (log: SentLog) =>
      logs.find(isSentIn(log.blockNumber)) === log && logs.filter(isSentIn(log.blockNumber)).length > 1;
    const gone = leavesOut ? logs.filter(isFirst) : [];
    for (const { topics } of gone) leftOut.add(topics[3]!);
    return { result: logs.filter((log) => !gone.includes(log)) };
  };
  const [source] = chainSections(lane, { PollInterval: 50 });
  const config = {
    ...hotAndWarm({ namespace: 'lanes', uri: database.uri, chains: [{ ...source, RpcUrls: [proxy.url] }] }),
    Lanes: { AskAgainAfter: 0.2 },
  };
  service = await startServiceProcess('start', writeConfig(directory.path, 'lanes.toml', config), '--migrate');
});
afterEach(endAllCli);
afterAll(async () => {
  await lane.close();
  await proxy.close();
  await database.drop();
  directory.remove();
});

interface SentLog {
  readonly topics: readonly Hex[];
  readonly blockNumber: Hex;
}

const isSentIn = (block: Hex) => (log: SentLog) => log.topics[0] === MESSAGE_SENT_TOPIC && log.blockNumber === block;

/** Sends messages in one block. */
async function sendTogether(count: number): Promise<readonly SentMessage[]> {
  const sent = Promise.all(Array.from({ length: count }, () => traffic.send('fastDepth', 0)));
  await until('all are in the pool', async () => {
    const { pending } = (await rpc('txpool_status')) as { pending: Hex };
    return Number(pending) === count;
  });
  await rpc('anvil_mine', ['0x1']);
  return await sent;
}

interface OnRampAnswer {
  readonly firstNumber: string;
  readonly highestNumber: string;
  readonly contiguousNumber: string;
  readonly missing: string;
  readonly gaps: readonly { fromNumber: string; throughNumber: string; timesAsked: number; askedAt: string | null }[];
}

/** The one OnRamp of the lane, once it is as it should be. */
async function onRampThat(what: string, holds: (onRamp: OnRampAnswer) => boolean): Promise<OnRampAnswer> {
  return await until(what, async () => {
    const { lanes } = JSON.parse(await body(`${service.apiUrl}/v2/lanes`)) as { lanes: { onRamps: OnRampAnswer[] }[] };
    const onRamp = lanes[0]?.onRamps[0];
    return onRamp && holds(onRamp) ? onRamp : null;
  });
}

it('a message number that a node left out is found as a gap, asked for, and healed', async () => {
  await sendTogether(1);
  await sendTogether(2);
  await sendTogether(1);
  // the watcher reads blocks again until they are final
  await rpc('anvil_mine', ['0x8']);
  const before = await onRampThat('the gap is asked for in vain', ({ gaps }) => (gaps[0]?.timesAsked ?? 0) > 0);
  expect(before).toMatchObject({ firstNumber: '1', highestNumber: '4', contiguousNumber: '1', missing: '1' });
  expect(before.gaps).toMatchObject([{ fromNumber: '2', throughNumber: '2' }]);
  const numbers = async () => {
    const list = `${service.apiUrl}/v2/messages?source=${lane.chains[0].selector}&contiguous=true`;
    const { messages } = JSON.parse(await body(list)) as { messages: { messageNumber: string }[] };
    return messages.map(({ messageNumber }) => messageNumber).sort();
  };
  expect(await numbers()).toEqual(['1']);
  const metrics = await body(`${service.adminUrl}/metrics`);
  expect(metrics).toMatch(/indexer_lane_gaps\{chain="[^"]+"\} 1\n/);
  expect(metrics).toMatch(/indexer_lane_gap_asks_total\{chain="[^"]+",outcome="nothing"\} [1-9]/);
  leavesOut = false;
  const after = await onRampThat('the gap is healed', ({ gaps }) => gaps.length === 0);
  expect(after).toMatchObject({ firstNumber: '1', highestNumber: '4', contiguousNumber: '4', missing: '0' });
  expect(await numbers()).toEqual(['1', '2', '3', '4']);
  const [id] = leftOut;
  expect(leftOut.size).toBe(1);
  expect(JSON.parse(await body(`${service.apiUrl}/v2/messages/${id}`))).toMatchObject({ messageNumber: '2' });
});
