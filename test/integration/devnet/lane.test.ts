import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type CommitteeVerifier, createCommitteeVerifier } from '../../../scripts/devnet/lane/committee-verifier.js';
import { createExecutor, type ExecutionReport, type ExecutorOptions } from '../../../scripts/devnet/lane/executor.js';
import { isLaneDeployed } from '../../../scripts/devnet/lane/lane.js';
import { MESSAGE_KINDS } from '../../../scripts/devnet/lane/message-kinds.js';
import { createTraffic, type SentMessage, type Traffic } from '../../../scripts/devnet/lane/traffic.js';
import type { Hex } from '../../../src/core/hex.js';
import { common, library, startTestLane, type TestLane, until, view } from '../../support/devnet/fixture.js';
import { type HandFedApi, startHandFedApi } from '../../support/devnet/hand-fed-api.js';

let lane: TestLane;
let verifiers: CommitteeVerifier[];
let traffic: Traffic;

beforeAll(async () => {
  lane = await startTestLane();
  const { deployment, chains } = lane;
  verifiers = await Promise.all(
    deployment.committees.map(async ({ name }) =>
      lane.own(await createCommitteeVerifier({ common, deployment, chains, committee: name, pollMs: 20 })),
    ),
  );
  traffic = lane.own(createTraffic({ common, deployment, chains, library, ratePerSecond: 40, seed: 1 }));
});
afterAll(() => lane.close());

const ofThisTest: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (let next = ofThisTest.pop(); next; next = ofThisTest.pop()) await next.close();
});
function own<T extends { close(): Promise<unknown> }>(closable: T): T {
  ofThisTest.push(closable);
  return closable;
}

async function api(urls = verifiers.map(({ url }) => url)): Promise<HandFedApi> {
  return own(await startHandFedApi(lane.deployment, lane.chains, urls));
}

function executor(apis: readonly HandFedApi[], options: Pick<ExecutorOptions, 'executes'> = {}) {
  const reports = new Map<Hex, ExecutionReport>();
  const { deployment, chains } = lane;
  const started = own(
    createExecutor({
      common,
      deployment,
      chains,
      library,
      apiUrls: apis.map(({ url }) => url),
      pollIntervalMs: 20,
      ...options,
      onProgress: (report) => reports.set(report.messageId, report),
    }),
  );
  return Object.assign(started, { reports });
}

async function executionState(message: SentMessage): Promise<unknown> {
  const index = lane.chains.findIndex(({ selector }) => selector === message.destChainSelector);
  const { offRamp } = lane.deployment.chains[index]!.addresses;
  return view(lane.chains[index]!.url, 'offramp', offRamp, 'getExecutionState', [message.messageId]);
}

const UNTOUCHED = 0;
const SUCCESS = 2;
const FAILURE = 3;

describe('a deployed lane', () => {
  it('is made of the 2.0 contracts', async () => {
    const [chain] = lane.deployment.chains;
    const names = [
      ['onramp', chain.addresses.onRamp],
      ['offramp', chain.addresses.offRamp],
      ['router', chain.addresses.router],
      ['proxy', chain.addresses.ccvs['first']!],
    ] as const;
    const versions = names.map(([name, address]) => view(lane.chains[0].url, name, address, 'typeAndVersion'));
    expect(await Promise.all(versions)).toEqual(['OnRamp 2.0.0', 'OffRamp 2.0.0', 'Router 1.2.0', 'Proxy 2.0.0']);
  });

  it('survives JSON, and is recognised on its own chains only', async () => {
    expect(JSON.parse(JSON.stringify(lane.deployment))).toEqual(lane.deployment);
    expect(await isLaneDeployed(lane.deployment, lane.chains)).toBe(true);
    const [a, b] = lane.chains;
    const swapped = [
      { ...a, url: b.url },
      { ...b, url: a.url },
    ];
    expect(await isLaneDeployed(lane.deployment, swapped)).toBe(false);
  });

  it('has no address that means something on both chains', () => {
    const [a, b] = lane.deployment.chains.map(({ addresses: { ccvs, ...rest } }) => [
      ...Object.values(ccvs),
      ...Object.values(rest),
    ]);
    expect(new Set([...a!, ...b!]).size).toBe(a!.length + b!.length);
  });
});

describe('messages of every kind', () => {
  it('are sent in both directions, verified by their committees, and executed by the real OffRamp', async () => {
    const feed = await api();
    const running = executor([feed]);
    const sent = await Promise.all(
      ([0, 1] as const).flatMap((direction) => MESSAGE_KINDS.map((kind) => traffic.send(kind, direction))),
    );
    await Promise.all(sent.map(({ messageId }) => feed.feed(messageId)));
    await until('all to be executed', () => running.executedCount() === sent.length);
    for (const message of sent) {
      const report = running.reports.get(message.messageId)!;
      expect(report).toMatchObject({ attempts: 1, executedBefore: false });
      expect(report.firstSeenMs).toBeLessThanOrEqual(report.verifiedMs!);
      expect(report.verifiedMs).toBeLessThanOrEqual(report.executedMs!);
      expect(await executionState(message)).toBe(SUCCESS);
    }
    expect([running.rejectedCount(), running.pendingCount()]).toEqual([0, 0]);
  });

  it('mint the tokens that were burnt on the other side', async () => {
    const feed = await api();
    const running = executor([feed]);
    const [source, dest] = lane.deployment.chains;
    const supplies = () =>
      Promise.all([
        view(lane.chains[0].url, 'cross_chain_token', source.addresses.token, 'totalSupply'),
        view(lane.chains[1].url, 'cross_chain_token', dest.addresses.token, 'totalSupply'),
      ]) as Promise<[bigint, bigint]>;
    const before = await supplies();
    await feed.feed((await traffic.send('token')).messageId);
    await until('the transfer', () => running.executedCount() === 1);
    const after = await supplies();
    expect(before[0] - after[0]).toBeGreaterThan(0n);
    expect(after[1] - before[1]).toBe(before[0] - after[0]);
  });

  it('keep a steady rate from one account without stalling', async () => {
    const seen: SentMessage[] = [];
    const { deployment, chains } = lane;
    const steady = own(
      createTraffic({ common, deployment, chains, library, ratePerSecond: 50, seed: 3, onSent: (m) => seen.push(m) }),
    );
    steady.start();
    await until('60 messages', () => seen.length >= 60);
    await steady.stop();
    expect(steady.counts()).toEqual({ submitted: seen.length, sent: seen.length, failed: 0 });
    expect(new Set(seen.map(({ messageId }) => messageId)).size).toBe(seen.length);
    expect(new Set(seen.map((message) => message.lane))).toEqual(new Set(['A→B', 'B→A']));
    expect(new Set(seen.map(({ kind }) => kind)).size).toBeGreaterThan(4);
  });
});

describe('the executor', () => {
  it('has a bad signature refused by the chain, and succeeds with the honest one afterwards', async () => {
    const feed = await api();
    const message = await traffic.send('data');
    const proof = `0xe9a05a200080${'11'.repeat(128)}` as const;
    feed.forge(message.messageId, proof);
    await feed.feed(message.messageId);
    const running = executor([feed]);
    await until('the refusal', async () => (await executionState(message)) === FAILURE);
    expect(running.executedCount()).toBe(0);
    feed.forge(message.messageId, null);
    await until('the honest execution', () => running.executedCount() === 1);
    expect(await executionState(message)).toBe(SUCCESS);
    expect(running.reports.get(message.messageId)!.attempts).toBeGreaterThanOrEqual(2);
  });

  it('waits until every CCV that the message names has answered', async () => {
    const feed = await api();
    const onlyFirst = await api([verifiers[0]!.url]);
    const message = await traffic.send('twoCCVs');
    await Promise.all([feed, onlyFirst].map((each) => each.feed(message.messageId)));
    const half = executor([onlyFirst]);
    const asksOfIt = () => onlyFirst.asked.filter((path) => path.endsWith(message.messageId)).length;
    await until('the first result', async () =>
      (await (await fetch(`${onlyFirst.url}/v1/verifierresults/${message.messageId}`)).text()).includes('ccv_data'),
    );
    const asks = asksOfIt();
    await until('three more questions', () => asksOfIt() > asks + 3);
    expect(half.reports.get(message.messageId)).toMatchObject({ verifiedMs: null, attempts: 0 });
    await half.close();
    const whole = executor([feed]);
    await until('the execution', () => whole.executedCount() === 1);
    expect(await executionState(message)).toBe(SUCCESS);
  });

  it('goes to another indexer on any status but 200 and 404', async () => {
    const [first, second] = [await api(), await api()];
    first.breakWith(503);
    const message = await traffic.send('fastDepth');
    await Promise.all([first, second].map((each) => each.feed(message.messageId)));
    const running = executor([first, second]);
    await until('the execution', () => running.executedCount() === 1);
    expect(first.asked.length).toBeGreaterThan(0);
    second.breakWith(429);
    first.breakWith(null);
    const next = await traffic.send('fastDepth');
    await Promise.all([first, second].map((each) => each.feed(next.messageId)));
    await until('the second execution', () => running.executedCount() === 2);
  });

  it('skips after a restart what was executed before', async () => {
    const feed = await api();
    const message = await traffic.send('fastSafe');
    await feed.feed(message.messageId);
    const first = executor([feed]);
    await until('the execution', () => first.executedCount() === 1);
    await first.close();
    const second = executor([feed]);
    await until('the second executor', () => second.executedCount() === 1);
    expect(second.reports.get(message.messageId)).toMatchObject({ executedBefore: true, attempts: 0 });
  });

  it('leaves verified messages to another executor where it is told to', async () => {
    const feed = await api();
    const message = await traffic.send('fastDepth');
    await feed.feed(message.messageId);
    const watching = executor([feed], { executes: false });
    await until('the verification', () => watching.reports.get(message.messageId)?.verifiedMs);
    await until('nothing to be followed any more', () => watching.pendingCount() === 0);
    expect(watching.reports.get(message.messageId)).toMatchObject({ executedMs: null, attempts: 0 });
    expect(await executionState(message)).toBe(UNTOUCHED);
  });
});
