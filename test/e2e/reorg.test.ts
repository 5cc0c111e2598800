import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createJsonRpc, type JsonRpc } from '../../scripts/devnet/anvil/json-rpc.js';
import { MESSAGE_SENT_TOPIC } from '../../scripts/devnet/lane/events.js';
import { createExecutor } from '../../scripts/devnet/lane/executor.js';
import { devnetAccount } from '../../scripts/devnet/lane/keys.js';
import { messageCall } from '../../scripts/devnet/lane/message-kinds.js';
import type { Hex } from '../../src/core/hex.js';
import { seededRandom } from '../../src/core/random.js';
import { parseExactJson } from '../../src/protocol/exact-json.js';
import { common, library, startTestLane, type TestLane, view } from '../support/devnet/fixture.js';
import { endAllCli } from '../support/e2e/cli.js';
import { body, listMessages, listResults, resultsOfIdIn } from '../support/e2e/http.js';
import { chainSections, startCommittees, verifierSections } from '../support/e2e/lane.js';
import {
  e2eDirectory,
  hotAndWarm,
  type RunningService,
  startServiceProcess,
  writeConfig,
} from '../support/e2e/service.js';
import { eventually } from '../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';

const UNTOUCHED = 0;
const SUCCESS = 2;
/** finalized = latest − 24: deep enough for everything here. */
const SLOTS = 12;

const directory = e2eDirectory();
const random = seededRandom(4);
let database: TestDatabase;
let lane: TestLane;
let rpc: JsonRpc;
let service: RunningService;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  lane = await startTestLane({ mining: { everyMs: 200 }, slotsInAnEpoch: SLOTS });
  rpc = createJsonRpc(lane.chains[0].url);
  // from here on the source's blocks are made by the test
  await rpc('evm_setIntervalMining', [0]);
  const config = hotAndWarm({
    namespace: 'reorg',
    uri: database.uri,
    chains: chainSections(lane, { PollInterval: 50 }),
    verifiers: verifierSections(await startCommittees(lane)),
  });
  service = await startServiceProcess('start', writeConfig(directory.path, 'reorg.toml', config), '--migrate');
});
afterEach(endAllCli);
afterAll(async () => {
  await lane.close();
  await database.drop();
  directory.remove();
});

/** A signed `ccipSend` with this nonce, ready for one or two blocks' depth; every call draws another payload. */
async function signedMessage(nonce: number): Promise<Hex> {
  const [source, dest] = lane.deployment.chains;
  const call = messageCall(library, source, dest, 'fastDepth', random);
  const fees = { maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 1n };
  return await devnetAccount('sender').signTransaction({
    type: 'eip1559',
    chainId: source.chainId,
    nonce,
    ...fees,
    ...call,
  });
}

const mine = (blocks: number) => rpc('anvil_mine', [`0x${blocks.toString(16)}`]);
const head = async () => Number(await rpc('eth_blockNumber'));

/** Replaces everything from block `from` on by as many blocks, the first of which holds `raw` alone. */
async function replaceFrom(from: number, raw: Hex): Promise<void> {
  await rpc('anvil_reorg', [(await head()) - from + 1, [[raw, 0]]]);
}

/** The only message in a block. */
async function messageIn(block: number): Promise<Hex> {
  const number = `0x${block.toString(16)}`;
  const { onRamp } = lane.deployment.chains[0].addresses;
  const filter = { address: onRamp, topics: [MESSAGE_SENT_TOPIC], fromBlock: number, toBlock: number };
  const logs = (await rpc('eth_getLogs', [filter])) as { topics: Hex[] }[];
  expect(logs).toHaveLength(1);
  return logs[0]!.topics[3]!;
}

async function executionState(messageId: Hex): Promise<unknown> {
  const [, dest] = lane.deployment.chains;
  return await view(lane.chains[1].url, 'offramp', dest.addresses.offRamp, 'getExecutionState', [messageId]);
}

/** What the admin port knows of a message, listed or not. */
async function known(messageId: Hex) {
  return parseExactJson(await body(`${service.adminUrl}/messages/${messageId}`)) as {
    stored: { orphaned: boolean; status: number };
    verifierResults: { orphaned: boolean }[];
  };
}

/** Until the first of two messages that exclude each other is listed and verified; never are both or none in a list. */
async function untilListed(shown: Hex, hidden: Hex | null): Promise<void> {
  await eventually('the reorg to be applied and the message to be verified', async () => {
    const messages = await listMessages(service.apiUrl);
    if (hidden !== null) expect([messages.has(shown), messages.has(hidden)].filter(Boolean)).toHaveLength(1);
    const results = await listResults(service.apiUrl);
    return messages.get(shown)?.metadata.status === 1 && (results.get(shown)?.length ?? 0) > 0;
  });
  const [messages, results] = [await listMessages(service.apiUrl), await listResults(service.apiUrl)];
  for (const list of [messages, results]) {
    expect(list.has(shown)).toBe(true);
    if (hidden !== null) expect(list.has(hidden)).toBe(false);
  }
}

it('promise 9: a message that a reorg replaced leaves the lists, its replacement is executed, and it returns when its chain does', async () => {
  const nonce = Number(await rpc('eth_getTransactionCount', [devnetAccount('sender').address, 'latest']));
  // a message below the fork, which nothing here may touch
  await rpc('eth_sendRawTransaction', [await signedMessage(nonce)]);
  await mine(2);
  const before = await messageIn((await head()) - 1);

  const [firstRaw, secondRaw] = [await signedMessage(nonce + 1), await signedMessage(nonce + 1)];
  await rpc('eth_sendRawTransaction', [firstRaw]);
  await mine(3);
  const block = (await head()) - 2;
  const first = await messageIn(block);
  await untilListed(first, null);
  const { message: firstMessage } = (await listMessages(service.apiUrl)).get(first)!;

  await replaceFrom(block, secondRaw);
  const second = await messageIn(block);
  expect(second).not.toBe(first);
  await untilListed(second, first);
  const { message: secondMessage } = (await listMessages(service.apiUrl)).get(second)!;
  expect(secondMessage.sequence_number).toBe(firstMessage.sequence_number);
  expect(await known(first)).toMatchObject({ stored: { orphaned: true }, verifierResults: [{ orphaned: true }] });
  expect(await known(second)).toMatchObject({ stored: { orphaned: false }, verifierResults: [{ orphaned: false }] });
  expect(resultsOfIdIn(await body(`${service.apiUrl}/v1/verifierresults/${first}`))).toHaveLength(1);

  const { deployment, chains } = lane;
  const apiUrls = [service.apiUrl];
  const executor = lane.own(createExecutor({ common, apiUrls, chains, deployment, library, pollIntervalMs: 100 }));
  await eventually('both listed messages to be executed', () => executor.executedCount() === 2);
  expect([await executionState(before), await executionState(second)]).toEqual([SUCCESS, SUCCESS]);
  expect(await executionState(first)).toBe(UNTOUCHED);

  await replaceFrom(block, firstRaw);
  expect(await messageIn(block)).toBe(first);
  await untilListed(first, second);
  expect(await known(first)).toMatchObject({ stored: { orphaned: false }, verifierResults: [{ orphaned: false }] });
  expect(await known(second)).toMatchObject({ stored: { orphaned: true }, verifierResults: [{ orphaned: true }] });
  await eventually('the message that came back to be executed', async () => (await executionState(first)) === SUCCESS);
  expect(executor.rejectedCount()).toBe(0);
  const listed = await listMessages(service.apiUrl);
  expect([...listed.keys()].sort()).toEqual([before, first].sort());
  expect(await service.cli.stop()).toEqual({ code: 0, signal: null });
});
