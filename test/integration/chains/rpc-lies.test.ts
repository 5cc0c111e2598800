import { describe, expect, it } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import { chainFixture, expectComplete, fill, forwardAs, message } from '../../support/chain/chain-fixture.js';
import { CCV } from '../../support/chain/log-emitter.js';
import { MemoryChainStore } from '../../support/chain/memory-chain-store.js';
import type { CallFault, ProxiedCall } from '../../support/chain/rpc-proxy.js';
import { processed } from '../../support/chain/watch.js';
import { eventually } from '../../support/eventually.js';

const SLOTS = 4;
const FINALITY = 2 * SLOTS;
const { chainOf, proxyOf, startAt } = chainFixture(SLOTS);

const logsFault =
  (change: (logs: Record<string, unknown>[], call: ProxiedCall) => unknown): CallFault =>
  async (call, forward) => {
    const answer = await forward();
    if (call.method !== 'eth_getLogs' || 'error' in answer) return answer;
    return { result: change(answer.result as Record<string, unknown>[], call) };
  };

describe('a node that lies', () => {
  const LIES: Readonly<Record<string, CallFault>> = {
    'by leaving out the logs of a block': logsFault((logs) => logs.filter((log) => log['blockNumber'] !== '0x6')),
    'by leaving out all logs': logsFault(() => []),
    'with logs of another block': logsFault((logs) =>
      logs.map((log) => (log['blockNumber'] === '0x6' ? { ...log, blockHash: `0x${'12'.repeat(32)}` } : log)),
    ),
    'with two logs at one place': logsFault((logs) => [
      ...logs,
      ...logs.slice(-1).map((log) => ({ ...log, data: '0x01' })),
    ]),
    'with logs of another contract': logsFault((logs) => logs.map((log) => ({ ...log, address: CCV }))),
    'with logs of blocks that were not asked for': logsFault((logs) =>
      logs.map((log) => ({ ...log, blockNumber: '0xfffff' })),
    ),
    'with removed logs': logsFault((logs) => logs.map((log) => ({ ...log, removed: true }))),
  };

  it.each(Object.keys(LIES))('%s is found out, while following', async (lie) => {
    const chain = await chainOf();
    const head = await fill(chain, 7, 2);
    const [liar, honest] = [await proxyOf(chain), await proxyOf(chain)];
    liar.onCall = LIES[lie] ?? null;
    const store = new MemoryChainStore();
    const running = startAt([liar.url, honest.url], store);
    await processed(running, head);
    await expectComplete(chain, store, head);
    expect(await running.metric('indexer_rpc_errors_total', { url: '0' })).toBe(0);
    expect(running.watcher.status().rpc[0]?.state).toBe('cooling');
  });

  it.each(Object.keys(LIES))('%s is found out, in a backfill', async (lie) => {
    const chain = await chainOf();
    await fill(chain, 40, 2);
    await chain.mine(200);
    const head = await chain.head();
    const [liar, honest] = [await proxyOf(chain), await proxyOf(chain)];
    liar.onCall = LIES[lie] ?? null;
    const store = new MemoryChainStore();
    const running = startAt([liar.url, honest.url], store, {
      chain: { confirmations: 'finalized', maxBlockRange: 50 },
    });
    await processed(running, head - FINALITY);
    await expectComplete(chain, store, head - FINALITY);
  });

  it('by leaving out a log that it gave before does not orphan the message', async () => {
    const chain = await chainOf();
    await chain.mine(3);
    await chain.block(message(1), message(2));
    const [liar, honest] = [await proxyOf(chain), await proxyOf(chain)];
    const store = new MemoryChainStore();
    const running = startAt([liar.url, honest.url], store);
    await processed(running, 4);
    // the bloom cannot tell: the block still has the other log
    liar.onCall = logsFault((logs) => logs.slice(0, 1));
    const { length } = liar.requests;
    await eventually('it lied', () => liar.requests.length > length);
    await chain.block(message(3));
    await processed(running, 5);
    await expectComplete(chain, store, 5);
    expect(store.commits.flatMap(({ orphanings }) => orphanings)).toEqual([]);
  });

  it('about what is finalized does not move the cursor back', async () => {
    const chain = await chainOf();
    await fill(chain, 30, 3);
    const proxy = await proxyOf(chain);
    const store = new MemoryChainStore();
    const running = startAt([proxy.url], store);
    await processed(running, 30);
    const cursor = store.content().cursor!;
    proxy.onCall = async (call, forward) =>
      call.params[0] === 'finalized' ? await forwardAs(chain, call, '0x3') : await forward();
    await chain.block(message(31));
    await processed(running, 31);
    expect(store.content().cursor).toEqual(cursor);
    expect(running.watcher.status()).toMatchObject({ finalized: 30 - FINALITY, lastError: null });
    proxy.onCall = null;
    await eventually('the cursor moves on', () => store.content().cursor!.height === cursor.height + 1n);
  });

  it('about a finalized hash is overruled by another node', async () => {
    const chain = await chainOf();
    await fill(chain, 30, 3);
    const [liar, honest] = [await proxyOf(chain), await proxyOf(chain)];
    const store = new MemoryChainStore();
    const running = startAt([liar.url, honest.url], store);
    await processed(running, 30);
    liar.onCall = async (call, forward) => {
      const answer = await forward();
      if (call.method !== 'eth_getBlockByNumber' || 'error' in answer || answer.result === null) return answer;
      return { result: { ...(answer.result as object), hash: `0x${'34'.repeat(32)}` } };
    };
    await chain.block(message(31));
    await processed(running, 31);
    await expectComplete(chain, store, 31);
    expect(running.watcher.status()).toMatchObject({ state: 'following' });
  });

  it('without saying when a block was is asked for it', async () => {
    const chain = await chainOf();
    await fill(chain, 10, 2);
    await chain.mine(200);
    const head = await chain.head();
    const proxy = await proxyOf(chain);
    proxy.onCall = logsFault((logs) => logs.map(({ blockTimestamp: _, ...log }) => log));
    const store = new MemoryChainStore();
    await processed(startAt([proxy.url], store, { chain: { bloomCheckBlocks: 0 } }), head);
    await expectComplete(chain, store, head);
    for (const { messages } of store.commits)
      for (const { origin } of messages) {
        const block = (await chain.rpc('eth_getBlockByNumber', [`0x${origin!.blockNumber.toString(16)}`, false])) as {
          timestamp: Hex;
        };
        expect(origin!.blockTimestampMs).toBe(Number(block.timestamp) * 1000);
      }
  });
});
