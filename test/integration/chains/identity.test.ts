import { afterEach, describe, expect, it } from 'vitest';
import { openIndexer } from '../../../src/app/open-indexer.js';
import { chainSourceId } from '../../../src/chains/source-ids.js';
import type { ChainSourceStatus } from '../../../src/chains/watch/chain-status.js';
import { parseConfig } from '../../../src/config/load.js';
import { createCommon } from '../../../src/core/common.js';
import { createShutdown } from '../../../src/core/shutdown.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { startSwitchProxy } from '../../support/api/switch-proxy.js';
import type { AnvilChain } from '../../support/chain/anvil-chain.js';
import { chainFixture, expectComplete, fill, message } from '../../support/chain/chain-fixture.js';
import { MemoryChainStore } from '../../support/chain/memory-chain-store.js';
import { startRpcProxy } from '../../support/chain/rpc-proxy.js';
import { ON_RAMP, processed, SOURCE } from '../../support/chain/watch.js';
import { eventually } from '../../support/eventually.js';

/** finalized = latest − 4 */
const { chainOf, proxyOf, startAt } = chainFixture(2);
const RIGHT = 1337;
const WRONG = 31337;
const UNKNOWN_SELECTOR = '4242424242424242';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** The right chain with messages, and another one that is longer. */
async function twoChains(): Promise<{ right: AnvilChain; wrong: AnvilChain; head: number }> {
  const [right, wrong] = [await chainOf({ chainId: RIGHT }), await chainOf({ chainId: WRONG })];
  const head = await fill(right, 20, 2);
  await wrong.block(message(500));
  await wrong.mine(60);
  return { right, wrong, head };
}

/** What the program makes of a configuration. */
async function program(chain: Record<string, unknown>) {
  const common = createCommon();
  const shutdown = createShutdown(common);
  const storage = createMemoryStorage({ name: 'memory', common });
  const table = {
    Chain: [{ Name: 'a', OnRamp: ON_RAMP, Confirmations: 'latest', PollInterval: 10, ...chain }],
    Storage: { Strategy: 'single', Single: { Type: 'memory' } },
  };
  const indexer = await openIndexer({
    config: parseConfig(table, 'test.toml'),
    common,
    storage,
    leases: null,
    gaps: null,
    shutdown,
  });
  const ended = indexer.run(shutdown.signal);
  cleanups.push(async () => {
    await shutdown.close();
    await ended;
    await storage.close();
  });
  const status = () => indexer.status().chains[0]!.watcher as ChainSourceStatus;
  const selector = BigInt(String(chain['Selector']));
  return { status, storage, cursor: () => storage.getCursor(chainSourceId(selector, ON_RAMP)) };
}

const KNOWN = { Selector: SOURCE.sourceSelector.toString() };
const UNKNOWN = { Selector: UNKNOWN_SELECTOR };

describe('with the URL of another chain first', () => {
  it.each([
    ['the selector tells which chain it is', KNOWN],
    ['ChainID does', { ...UNKNOWN, ChainID: RIGHT }],
  ])('the right node is used and the namespace stays clean when %s', async (_, chain) => {
    const { right, wrong, head } = await twoChains();
    const { status, cursor } = await program({ ...chain, RpcUrls: [wrong.anvil.url, right.anvil.url] });
    await eventually('all is read', () => status().processed === head || status());
    expect((await cursor())?.hash).toBe(await right.hashAt(Number((await cursor())?.height)));
    expect(status().chainId).toBe(RIGHT);
    expect(status().rpc).toMatchObject([
      { state: 'wrongChain', chainId: WRONG },
      { state: 'ready', chainId: RIGHT, lastError: null },
    ]);
    expect(status().rpc[0]?.lastError).toMatch(/chain id 31337, and this chain has 1337/);
  });

  it('nothing is stored when it is the only one, and the error names both ids', async () => {
    const wrong = await chainOf({ chainId: WRONG });
    await wrong.mine(30);
    const { status, storage } = await program({ ...KNOWN, RpcUrls: [wrong.anvil.url] });
    await eventually('it is refused', () => status().lastError?.code === 'RPC_WRONG_CHAIN');
    expect(status().lastError?.message).toMatch(/chain id 31337, and this chain has 1337.*RpcUrls/);
    expect(await storage.listCursors()).toEqual([]);
  });

  it('it gives no second opinion either', async () => {
    const { right, wrong } = await twoChains();
    const [liar, foreign] = [await proxyOf(right), await proxyOf(wrong)];
    // omits a log of the last block; the bloom says that there is one
    liar.onCall = async (call, forward) => (call.method === 'eth_getLogs' ? { result: [] } : await forward());
    // the comparison of heads does not come to an end, so that nothing is known of this one
    foreign.onRequest = (calls) => calls.length > 1;
    const store = new MemoryChainStore();
    const running = startAt([liar.url, foreign.url], store, { rpc: { chainId: RIGHT } });
    await eventually(
      'a silence is doubted',
      async () => (await running.metric('indexer_source_unconfirmed_silences_total')) > 0,
    );
    expect(foreign.count('eth_chainId')).toBeGreaterThan(0);
    expect(foreign.count('eth_getLogs')).toBe(0);
  });
});

describe('when nothing tells which chain it is', () => {
  it('URLs that disagree are not read from until they agree, and the status says what to configure', async () => {
    const { right, wrong } = await twoChains();
    const moved = await startRpcProxy(wrong.anvil.url);
    cleanups.push(() => moved.close());
    const { status, storage } = await program({ ...UNKNOWN, RpcUrls: [moved.url, right.anvil.url] });
    await eventually('it is told', () => status().lastError?.code === 'CHAIN_UNKNOWN');
    expect(status().lastError?.message).toMatch(/URL 0 says 31337, URL 1 says 1337.*set ChainID/);
    expect(status().rpc.map(({ chainId }) => chainId)).toEqual([WRONG, RIGHT]);
    expect(moved.count('eth_getLogs') + moved.count('eth_getBlockByNumber')).toBe(0);
    expect(await storage.listCursors()).toEqual([]);
    moved.onCall = async ({ method, params }) => ({ result: await right.rpc(method, [...params]) });
    await eventually('it is read', () => status().processed !== null || status());
    expect(status().chainId).toBe(RIGHT);
  });

  it('a URL that has not answered is waited for: it may be the right one', async () => {
    const { right, wrong } = await twoChains();
    const late = await proxyOf(right);
    late.onRequest = (_, response) => {
      response.writeHead(503).end();
      return true;
    };
    const { status, storage } = await program({ ...UNKNOWN, RpcUrls: [wrong.anvil.url, late.url] });
    await eventually('it is told', () => status().lastError?.code === 'CHAIN_UNKNOWN');
    expect(status().lastError?.message).toMatch(/URL 0 says 31337, URL 1 has not answered.*set ChainID/);
    late.onRequest = null;
    await eventually('they disagree', () => /URL 1 says 1337/.test(status().lastError?.message ?? '') || status());
    expect(await storage.listCursors()).toEqual([]);
  });
});

describe('a URL that is led to another chain while it is used', () => {
  it.each(['http', 'ws'])(
    'over %s is refused on its new connection, stores nothing and does not halt the chain',
    async (scheme) => {
      const { right, wrong, head } = await twoChains();
      const proxy = await startSwitchProxy(right.anvil.url);
      cleanups.push(() => proxy.close());
      const store = new MemoryChainStore();
      // never asked anew by time alone
      const running = startAt([`${scheme}://${proxy.host}`], store, {
        rpc: { chainId: RIGHT, chainRecheckMs: 3_600_000 },
      });
      await processed(running, head);
      const { cursor } = store.content();
      proxy.leadTo(wrong.anvil.url);
      const code = () => running.watcher.status().lastError?.code;
      await eventually('it is refused', () => code() === 'RPC_WRONG_CHAIN' || code());
      expect(store.content().cursor).toEqual(cursor);
      proxy.leadTo(right.anvil.url);
      await right.block(message(700));
      await processed(running, head + 1);
      await expectComplete(right, store, head + 1);
      expect(running.watcher.status().state).toBe('following');
    },
  );

  it('behind connections that stay open is noticed when its blocks differ, before the chain would be halted', async () => {
    const { right, wrong, head } = await twoChains();
    const balancer = await proxyOf(right);
    const store = new MemoryChainStore();
    const running = startAt([balancer.url], store, { rpc: { chainId: RIGHT, chainRecheckMs: 3_600_000 } });
    await processed(running, head);
    balancer.onCall = async ({ method, params }) => ({ result: await wrong.rpc(method, [...params]) });
    const code = () => running.watcher.status().lastError?.code;
    await eventually('it is refused', () => code() === 'RPC_WRONG_CHAIN' || code());
    balancer.onCall = null;
    await right.block(message(700));
    await processed(running, head + 1);
    await expectComplete(right, store, head + 1);
  });

  it('is asked for its chain again after a while', async () => {
    const { right, head } = await twoChains();
    const balancer = await proxyOf(right);
    const running = startAt([balancer.url], new MemoryChainStore(), { rpc: { chainId: RIGHT, chainRecheckMs: 0 } });
    await processed(running, head);
    const asked = balancer.count('eth_chainId');
    await eventually('more looks', () => balancer.count('eth_chainId') > asked + 5);
  });
});
