import { afterEach, describe, expect, it } from 'vitest';
import { createChainSource } from '../../../src/chains/chain-source.js';
import { EXECUTION_TOPIC } from '../../../src/chains/logs/execution-log.js';
import { MESSAGE_SENT_TOPIC } from '../../../src/chains/logs/message-sent-event.js';
import { createRpcPool } from '../../../src/chains/rpc/rpc-pool.js';
import type { WatchedChain } from '../../../src/chains/watch/watched-chain.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { createChainStore } from '../../../src/indexer/chain-store.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { chainFixture } from '../../support/chain/chain-fixture.js';
import {
  type EmittedLog,
  emitterCalldata,
  LOG_EMITTER_CODE,
  makeExecutionLog,
  makeMessageLog,
} from '../../support/chain/log-emitter.js';
import { OFF_RAMP, ON_RAMP, SOURCE } from '../../support/chain/watch.js';
import { eventually } from '../../support/eventually.js';

/** finalized = latest − 4 */
const { chainOf, proxyOf } = chainFixture(2);
const FINALITY = 4;
const SELECTOR = SOURCE.sourceSelector;
const ID: Hex = `0x${'77'.repeat(32)}`;

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A chain with a log emitter at the OnRamp and at the OffRamp. */
async function chainWithBoth() {
  const chain = await chainOf();
  await chain.rpc('anvil_setCode', [OFF_RAMP, LOG_EMITTER_CODE]);
  const [from] = (await chain.rpc('eth_accounts')) as [Hex];
  const transaction = (log: EmittedLog) => {
    const to = log.topics[0] === EXECUTION_TOPIC ? OFF_RAMP : ON_RAMP;
    return { from, to, data: emitterCalldata(log), gas: '0x1000000' };
  };
  return {
    ...chain,
    async block(...logs: readonly EmittedLog[]) {
      for (const log of logs) await chain.rpc('eth_sendTransaction', [transaction(log)]);
      await chain.mine(1);
    },
    async fork(depth: number, ...logs: readonly EmittedLog[]) {
      await chain.rpc('anvil_reorg', [depth, logs.map((log) => [transaction(log), 0])]);
    },
  };
}

function open(): Storage {
  const storage = createMemoryStorage({ name: 'memory' });
  cleanups.push(() => storage.close());
  return storage;
}

/** A process that reads the chain into `storage`. */
function start(storage: Storage, urls: readonly string[], chain: Partial<WatchedChain> = {}) {
  const common = createCommon();
  const rpc = createRpcPool({ chainName: 'a', urls, common, chainId: 1337, timeoutMs: 60_000 });
  const source = createChainSource({
    chain: {
      ...{ name: 'a', selector: SELECTOR, confirmations: 'latest', maxBlockRange: 2_000, pollIntervalMs: 10 },
      onRamps: [{ address: ON_RAMP, startBlock: 0 }],
      offRamps: [{ address: OFF_RAMP, startBlock: 0 }],
      ...chain,
    },
    rpc,
    openStore: (rampAddresses) => createChainStore({ storage, selector: SELECTOR, rampAddresses }),
    writer: storage,
    common,
    cursorEveryMs: 0,
  });
  const controller = new AbortController();
  const ended = source.run(controller.signal);
  const stop = async () => {
    controller.abort();
    await ended;
    await rpc.close();
  };
  cleanups.push(stop);
  const processed = (block: number) =>
    eventually(`block ${block} is processed`, () => {
      const { processed: done, offRamps, onRamps } = source.status();
      return ((done ?? -1) >= block && [...onRamps, ...offRamps].every(({ state }) => state === 'watched')) || done;
    });
  return { source, common, stop, processed };
}

/** State and block of each execution of the message, those that a reorg removed in brackets. */
async function history(storage: Storage, messageId = ID): Promise<readonly string[]> {
  const executions = await storage.getExecutions(messageId);
  return executions.map(({ state, place, orphaned }) =>
    orphaned ? `(${state} ${place.blockNumber})` : `${state} ${place.blockNumber}`,
  );
}

describe('the executions on a chain', () => {
  it('promise 1: are read in the requests for its messages, and stored with the cursors of both ramps', async () => {
    const chain = await chainWithBoth();
    const message = makeMessageLog(SOURCE, 1);
    const failed = makeExecutionLog({ messageId: ID, state: 3, messageNumber: 8n, returnData: '0xdeadbeef' });
    await chain.block(message, failed);
    await chain.block(makeExecutionLog({ messageId: ID, messageNumber: 8n }));
    await chain.block(makeExecutionLog({ messageId: message.messageId, state: 9 }));
    await chain.mine(FINALITY);
    const proxy = await proxyOf(chain);
    const storage = open();
    const running = start(storage, [proxy.url]);
    await running.processed(3);
    expect(await storage.getMessage(message.messageId)).toMatchObject({ origin: { blockNumber: 1n } });
    expect(await history(storage)).toEqual(['failure 1', 'success 2']);
    const [first] = await storage.getExecutions(ID);
    expect(first).toMatchObject({
      ...{
        destChainSelector: SELECTOR,
        messageNumber: 8n,
        offRamp: OFF_RAMP,
        returnData: new Uint8Array([0xde, 0xad, 0xbe, 0xef]),
      },
      place: { blockHash: await chain.hashAt(1), logIndex: 1 },
    });
    // promise 10: the bad one is kept, and the rest goes on
    expect(await storage.queryQuarantine({ afterPosition: 0n, limit: 9 })).toMatchObject([
      { reason: 'execution_state', sourceId: `chain:${SELECTOR}:${OFF_RAMP}`, messageId: message.messageId },
    ]);
    const filters = proxy.requests.flat().filter(({ method }) => method === 'eth_getLogs');
    for (const { params } of filters)
      expect(params[0]).toMatchObject({
        address: [ON_RAMP, OFF_RAMP],
        topics: [[MESSAGE_SENT_TOPIC, EXECUTION_TOPIC]],
      });
    const [ofOnRamp, ofOffRamp, ...others] = await storage.listCursors();
    expect([ofOnRamp?.height, others.length]).toEqual([ofOffRamp?.height, 0]);
    const counted = await running.common.metrics.getSingleMetric('indexer_source_executions_total')?.get();
    expect(counted?.values.map(({ labels, value }) => [labels['state'], value])).toEqual([
      ['failure', 1],
      ['success', 1],
    ]);
    expect(running.source.status()).toMatchObject({ messages: 1, executions: 2, quarantined: 1 });
  });

  it('promise 9: one that a reorg removes is orphaned, and comes back when its block does', async () => {
    const chain = await chainWithBoth();
    const storage = open();
    await chain.mine(FINALITY);
    const running = start(storage, [chain.anvil.url]);
    const snapshot = await chain.rpc('evm_snapshot', []);
    await chain.block(makeExecutionLog({ messageId: ID, state: 3 }));
    const head = await chain.head();
    await running.processed(head);
    expect(await history(storage)).toEqual([`failure ${head}`]);
    const original = await chain.hashAt(head);

    await chain.fork(1, makeExecutionLog({ messageId: ID, state: 2 }));
    await chain.mine(1);
    await eventually('the other one counts', async () => {
      const found = await history(storage);
      return found.includes(`(failure ${head})`) && found.includes(`success ${head}`);
    });
    expect(running.source.status().orphaned).toBe(1);

    await chain.rpc('evm_revert', [snapshot]);
    await chain.block(makeExecutionLog({ messageId: ID, state: 3 }));
    await chain.mine(1);
    const isBack = (await chain.hashAt(head)) === original;
    await eventually('the first one is back', async () => {
      const found = await history(storage);
      const live = found.filter((each) => !each.startsWith('('));
      return live.length === 1 && live[0] === `failure ${head}`;
    });
    expect((await history(storage)).length).toBe(isBack ? 2 : 3);
  });

  it('of an OffRamp that is added to a running deployment are read from its start block (promise 1)', async () => {
    const chain = await chainWithBoth();
    await chain.block(makeExecutionLog({ messageId: ID, state: 3 }));
    await chain.mine(1_200);
    await chain.block(makeExecutionLog({ messageId: ID }), makeMessageLog(SOURCE, 1));
    await chain.mine(FINALITY);
    const head = await chain.head();
    const storage = open();
    const before = start(storage, [chain.anvil.url], { offRamps: [] });
    await before.processed(head);
    await before.stop();
    expect(await history(storage)).toEqual([]);
    const after = start(storage, [chain.anvil.url]);
    await after.processed(head);
    expect(await history(storage)).toEqual(['failure 1', 'success 1202']);
    const [ofOnRamp, ofOffRamp] = await storage.listCursors();
    expect(ofOffRamp?.height).toBe(ofOnRamp?.height);
  });

  it('promise 11: are found when a second node alone tells them, also on a chain without an OnRamp', async () => {
    const chain = await chainWithBoth();
    await chain.block(makeExecutionLog({ messageId: ID }));
    await chain.mine(FINALITY + 1);
    const [liar, honest] = [await proxyOf(chain), await proxyOf(chain)];
    liar.onCall = async (call, forward) => (call.method === 'eth_getLogs' ? { result: [] } : await forward());
    const storage = open();
    start(storage, [liar.url, honest.url], { onRamps: [] });
    await eventually('the execution is stored', async () => (await history(storage)).length === 1);
    const [asked] = liar.requests.flat().filter(({ method }) => method === 'eth_getLogs');
    expect(asked?.params[0]).toMatchObject({ address: OFF_RAMP, topics: [EXECUTION_TOPIC] });
  });
});
