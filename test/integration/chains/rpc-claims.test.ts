import { afterAll, describe, expect, it } from 'vitest';
import { createRpcPool } from '../../../src/chains/rpc/rpc-pool.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { type AnvilChain, startAnvilChain } from '../../support/chain/anvil-chain.js';
import { chainFixture, expectComplete, fill, message } from '../../support/chain/chain-fixture.js';
import { fakeAnswer } from '../../support/chain/fake-node.js';
import { MemoryChainStore } from '../../support/chain/memory-chain-store.js';
import { type CallFault, type ProxiedAnswer, startRpcProxy } from '../../support/chain/rpc-proxy.js';
import { ON_RAMP, processed } from '../../support/chain/watch.js';
import { eventually } from '../../support/eventually.js';

const SLOTS = 4;
const FINALITY = 2 * SLOTS;
const { chainOf, proxyOf, startAt } = chainFixture(SLOTS);

/** A chain for all tests that change nothing of it: messages in old blocks, in final and in new ones. */
const sharedChain = startShared();
async function startShared(): Promise<AnvilChain> {
  const chain = await startAnvilChain({ onRamp: ON_RAMP, slots: SLOTS });
  await fill(chain, 12, 2);
  await chain.mine(200);
  await chain.block(message(100), message(101));
  return chain;
}
afterAll(async () => (await sharedChain).stop());

type Fields = Readonly<Record<string, unknown>>;
const ABSURD = '0x8000000000000';
/** Absurd as well, though a chain of milliseconds may get there one day. */
const FAR_HEAD = '0xe8d4a51000';
const HEAD = 213;
const OTHER_HASH = `0x${'34'.repeat(32)}`;

/** Changes fields of blocks, by what was asked for. */
const blockFault =
  (change: (block: Fields, asked: string) => Fields): CallFault =>
  async (call, forward) => {
    const answer = await forward();
    if (call.method !== 'eth_getBlockByNumber' || 'error' in answer || answer.result === null) return answer;
    return { result: change(answer.result as Fields, call.params[0] as string) };
  };
const logFault =
  (change: (logs: readonly Fields[]) => readonly Fields[]): CallFault =>
  async (call, forward) => {
    const answer = await forward();
    if (call.method !== 'eth_getLogs' || 'error' in answer) return answer;
    return { result: change(answer.result as readonly Fields[]) };
  };
const headFault: CallFault = async (call, forward) =>
  call.method === 'eth_blockNumber'
    ? { result: FAR_HEAD }
    : await blockFault((block, asked) => (asked.startsWith('0x') ? block : { ...block, number: FAR_HEAD }))(
        call,
        forward,
      );

async function expectHeaderTimes(chain: AnvilChain, store: MemoryChainStore): Promise<void> {
  for (const { messages } of store.commits)
    for (const { origin } of messages) {
      const number = `0x${origin!.blockNumber.toString(16)}`;
      const { timestamp } = (await chain.rpc('eth_getBlockByNumber', [number, false])) as { timestamp: Hex };
      expect(origin!.blockTimestampMs).toBe(Number(timestamp) * 1000);
    }
}

describe('a claim that one node makes once', () => {
  it.each([
    ['the head', headFault],
    [
      'the head, to the check of heads alone',
      async (call, forward) => (call.method === 'eth_blockNumber' ? { result: FAR_HEAD } : await forward()),
    ],
    [
      'the finalized block',
      blockFault((block, asked) => (asked === 'finalized' ? { ...block, number: ABSURD } : block)),
    ],
    ['the safe block', blockFault((block, asked) => (asked === 'safe' ? { ...block, number: ABSURD } : block))],
    [
      'the head and the finalized block, not far above',
      blockFault((block, asked) => (asked.startsWith('0x') ? block : { ...block, number: '0x60' })),
    ],
  ] satisfies [string, CallFault][])('about %s is forgotten, and no other node is blamed for it', async (_, lie) => {
    const chain = await chainOf();
    await fill(chain, 20, 2);
    const [liar, honest] = [await proxyOf(chain), await proxyOf(chain)];
    const store = new MemoryChainStore();
    const running = startAt([liar.url, honest.url], store, { rpc: { headCheckMs: 20, cooldownMs: 50 } });
    await processed(running, 20);
    let lies = 0;
    liar.onCall = async (call, forward) => {
      const [said, truth]: [ProxiedAnswer, ProxiedAnswer] = [await lie(call, forward), await forward()];
      if (JSON.stringify(said) !== JSON.stringify(truth)) lies++;
      return said;
    };
    await eventually('it lied', () => lies > 0);
    liar.onCall = null;
    await chain.block(message(100));
    await processed(running, 21);
    await expectComplete(chain, store, 21);
    await eventually('both are used again', () => running.watcher.status().rpc.every(({ state }) => state === 'ready'));
    expect(running.watcher.status()).toMatchObject({ head: 21, finalized: 21 - FINALITY, lastError: null });
    await eventually('their heads are known', () => running.watcher.status().rpc.every(({ head }) => head === 21));
    expect(running.watcher.status().rpc[1]?.lastError).toBeNull();
  });

  it('and the only node there is stops the chain no longer than it is made', async () => {
    const chain = await chainOf();
    await fill(chain, 20, 2);
    const liar = await proxyOf(chain);
    liar.onCall = headFault;
    const store = new MemoryChainStore();
    const running = startAt([liar.url], store, { chain: { confirmations: 'finalized' } });
    await eventually('the claim is refused', () => running.watcher.status().lastError?.code === 'RPC_INVALID_ANSWER');
    expect(running.watcher.status().lastError?.message).toContain(
      'RPC URL 0: the latest block is said to be 1000000000000',
    );
    liar.onCall = null;
    await processed(running, 20 - FINALITY);
    await expectComplete(chain, store, 20 - FINALITY);
  });

  it.each([
    ['by its tag', 'finalized'],
    ['by its number', `0x${(21 - FINALITY).toString(16)}`],
  ])('about the hash of the block that is final next, %s, halts nothing', async (_, name) => {
    const chain = await chainOf();
    await fill(chain, 20, 2);
    const liar = await proxyOf(chain);
    let lies = 0;
    liar.onCall = blockFault((block, asked) =>
      asked === name && block['number'] === `0x${(21 - FINALITY).toString(16)}` && lies++ === 0
        ? { ...block, hash: OTHER_HASH }
        : block,
    );
    const store = new MemoryChainStore();
    const running = startAt([liar.url], store, { chain: { confirmations: 'finalized' } });
    await processed(running, 20 - FINALITY);
    await chain.mine(1);
    await processed(running, 21 - FINALITY);
    await chain.mine(1);
    await processed(running, 22 - FINALITY);
    expect(lies).toBeGreaterThan(0);
    expect(store.content().cursor?.hash).toBe(await chain.hashAt(22 - FINALITY));
  });

  it('about the hash of the last block of a backfill halts nothing', async () => {
    const chain = await sharedChain;
    const liar = await proxyOf(chain);
    let lies = 0;
    const last = `0x${(HEAD - FINALITY).toString(16)}`;
    liar.onCall = blockFault((block, asked) =>
      asked === last && lies++ === 0 ? { ...block, hash: OTHER_HASH } : block,
    );
    const store = new MemoryChainStore();
    const running = startAt([liar.url], store, { chain: { confirmations: 'finalized' } });
    await processed(running, HEAD - FINALITY);
    expect(lies).toBeGreaterThan(0);
    await eventually('it is looked at again', () => liar.count() > 20);
    expect(running.watcher.status()).toMatchObject({ state: 'following', lastError: null });
    expect(store.content().cursor?.hash).toBe(await chain.hashAt(HEAD - FINALITY));
  });

  it('about the content of a log is not remembered', async () => {
    const chain = await chainOf();
    await fill(chain, 4, 2);
    const liar = await proxyOf(chain);
    liar.onCall = logFault((logs) => logs.map((log) => ({ ...log, data: '0x1234' })));
    const store = new MemoryChainStore();
    const running = startAt([liar.url], store);
    await processed(running, 4);
    expect(running.watcher.status()).toMatchObject({ messages: 0, quarantined: 2 });
    liar.onCall = null;
    // a block is read when it is new, and once more before the cursor passes it
    await chain.mine(FINALITY);
    await eventually('the messages are found', () => running.watcher.status().messages === 2);
    await expectComplete(chain, store, 4);
  });
});

describe('the head of a node', () => {
  it('alone makes no other node lag, where there are three', async () => {
    const heads = [1_000, 40, 40];
    const nodes = await Promise.all(heads.map(() => startRpcProxy('http://127.0.0.1:1')));
    const rpc = createRpcPool({
      chainName: 'a',
      urls: nodes.map(({ url }) => url),
      headCheckMs: 1,
      common: createCommon(),
    });
    const never = new AbortController().signal;
    try {
      for (const [index, node] of nodes.entries()) node.onCall = async (call) => fakeAnswer(call, heads[index]!);
      const ask = () => rpc.withNode((node) => node.heads([]), never);
      await eventually('all heads are known', async () => {
        await ask();
        return rpc.status().every(({ head }) => head !== null);
      });
      expect(rpc.status().map(({ state, head }) => [state, head])).toEqual([
        ['ready', 1_000],
        ['ready', 40],
        ['ready', 40],
      ]);
    } finally {
      await rpc.close();
      await Promise.all(nodes.map((node) => node.close()));
    }
  });
});

describe('an absurd value of a single field', () => {
  const FAULTS: Readonly<Record<string, CallFault>> = {
    'the head': headFault,
    'the number of the latest block': blockFault((block, asked) =>
      asked === 'latest' ? { ...block, number: ABSURD } : block,
    ),
    'the number of the latest block by ten thousand': blockFault((block, asked) =>
      asked === 'latest' ? { ...block, number: '0x2800' } : block,
    ),
    'the number of the finalized block': blockFault((block, asked) =>
      asked === 'finalized' ? { ...block, number: ABSURD } : block,
    ),
    'the number of every block': blockFault((block) => ({ ...block, number: ABSURD })),
    'the time of a block': blockFault((block) => ({ ...block, timestamp: ABSURD })),
    'the time of a block, in the next century': blockFault((block) => ({ ...block, timestamp: '0xffffffff' })),
    'the time of one old block, where logs tell none': async (call, forward) =>
      await logFault((logs) => logs.map((log) => ({ ...log, blockTimestamp: '0x0' })))(call, () =>
        blockFault((block) => (block['number'] === '0xc' ? { ...block, timestamp: '0x10000000' } : block))(
          call,
          forward,
        ),
      ),
    'the time of one new block, in the last century': blockFault((block) =>
      block['number'] === '0xd5' ? { ...block, timestamp: '0x10000000' } : block,
    ),
    'the time of a block, 0': blockFault((block) => ({ ...block, timestamp: '0x0' })),
    'the hash of a block, megabytes': blockFault((block) => ({ ...block, hash: `0x${'ab'.repeat(1e6)}` })),
    'the parent of a block': blockFault((block) => ({ ...block, parentHash: null })),
    'the parent of every block, another': blockFault((block) => ({ ...block, parentHash: OTHER_HASH })),
    'the hash of every block, another': blockFault((block) => ({ ...block, hash: OTHER_HASH })),
    'the index of a log': logFault((logs) => logs.map((log) => ({ ...log, logIndex: ABSURD }))),
    'the block number of a log': logFault((logs) => logs.map((log) => ({ ...log, blockNumber: ABSURD }))),
    'the transaction of a log': logFault((logs) => logs.map((log) => ({ ...log, transactionHash: '0x' }))),
    'the topics of a log': logFault((logs) => logs.map((log) => ({ ...log, topics: {} }))),
    'the index of logs, all the same': logFault((logs) =>
      logs.map((log) => ({ ...log, logIndex: '0x0', blockNumber: '0x2', blockHash: logs[0]?.['blockHash'] })),
    ),
  };

  it.each(Object.keys(FAULTS))('from the preferred node (%s) stops nothing beside an honest one', async (field) => {
    const chain = await sharedChain;
    const [liar, honest] = [await proxyOf(chain), await proxyOf(chain)];
    liar.onCall = FAULTS[field]!;
    const store = new MemoryChainStore();
    const running = startAt([liar.url, honest.url], store);
    await processed(running, HEAD);
    await expectComplete(chain, store, HEAD);
    await expectHeaderTimes(chain, store);
    const [first, second] = running.watcher.status().rpc;
    expect(first).toMatchObject({ state: 'cooling', lastError: expect.stringContaining('RPC URL 0') });
    expect(second).toMatchObject({ state: 'ready', lastError: null });
  });
});

describe('a hash of a tagged block that is none', () => {
  it.each(['latest', 'safe', 'finalized'])('(%s) stops nothing', async (tag) => {
    const chain = await sharedChain;
    const liar = await proxyOf(chain);
    liar.onCall = blockFault((block, asked) => (asked === tag ? { ...block, hash: OTHER_HASH } : block));
    const store = new MemoryChainStore();
    const running = startAt([liar.url], store);
    await processed(running, HEAD);
    await expectComplete(chain, store, HEAD);
    expect(running.watcher.status()).toMatchObject({ state: 'following' });
  });
});

describe('optional and redundant fields of the only node', () => {
  const FAULTS: Readonly<Record<string, CallFault>> = {
    'no block time in logs': logFault((logs) => logs.map(({ blockTimestamp: _, ...log }) => log)),
    'a block time of 0': logFault((logs) => logs.map((log) => ({ ...log, blockTimestamp: '0x0' }))),
    'a block time as a number': logFault((logs) =>
      logs.map((log) => ({ ...log, blockTimestamp: Number(log['blockTimestamp']) })),
    ),
    'a block time of another year': logFault((logs) => logs.map((log) => ({ ...log, blockTimestamp: '0x10000000' }))),
    'a block time in milliseconds': logFault((logs) =>
      logs.map((log) => ({ ...log, blockTimestamp: Number(log['blockTimestamp']) * 1_000 })),
    ),
    'a block time of words': logFault((logs) => logs.map((log) => ({ ...log, blockTimestamp: 'yesterday' }))),
    'logs twice': logFault((logs) => [...logs, ...logs]),
    'logs in another order': logFault((logs) => [...logs].reverse()),
    'no bloom': blockFault(({ logsBloom: _, ...block }) => block),
    'null for a bloom': blockFault((block) => ({ ...block, logsBloom: null })),
    'an empty bloom': blockFault((block) => ({ ...block, logsBloom: '0x' })),
    'a bloom of another size': blockFault((block) => ({ ...block, logsBloom: '0x00' })),
    'a safe block that is none': blockFault((block, asked) => (asked === 'safe' ? { ...block, hash: null } : block)),
    'numbers as numbers': blockFault((block) => ({
      ...block,
      number: Number(block['number']),
      timestamp: Number(block['timestamp']),
    })),
  };

  it.each(Object.keys(FAULTS))('stop nothing: %s', async (field) => {
    const chain = await sharedChain;
    const proxy = await proxyOf(chain);
    proxy.onCall = FAULTS[field]!;
    const store = new MemoryChainStore();
    const running = startAt([proxy.url], store, { chain: { bloomCheckBlocks: 0 } });
    await processed(running, HEAD);
    await expectComplete(chain, store, HEAD);
    await expectHeaderTimes(chain, store);
    expect(running.watcher.status().rpc).toMatchObject([{ state: 'ready', lastError: null }]);
  });
});

describe('a contradiction of the only node', () => {
  it('stops the range that it is in and no other, says where, and is asked about again', async () => {
    const chain = await sharedChain;
    const proxy = await proxyOf(chain);
    proxy.onCall = logFault((logs) =>
      logs.flatMap((log) => (log['blockNumber'] === '0xc' ? [log, { ...log, data: '0x01' }] : [log])),
    );
    const store = new MemoryChainStore();
    const running = startAt([proxy.url], store, { chain: { maxBlockRange: 5 } });
    await eventually('the contradiction is found', () => running.watcher.status().lastError !== null);
    expect(running.watcher.status()).toMatchObject({
      processed: 9,
      lastError: { message: 'chain a, RPC URL 0: logIndex 0 of block 12 is that of two logs' },
    });
    proxy.onCall = null;
    await processed(running, HEAD);
    await expectComplete(chain, store, HEAD);
  });
});
