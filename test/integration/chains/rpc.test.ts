import { describe, expect, it } from 'vitest';
import { chainFixture, expectComplete, fill, forwardAs, message } from '../../support/chain/chain-fixture.js';
import { MemoryChainStore } from '../../support/chain/memory-chain-store.js';
import type { ProxiedCall, RpcProxy } from '../../support/chain/rpc-proxy.js';
import { processed } from '../../support/chain/watch.js';
import { eventually } from '../../support/eventually.js';

const { chainOf, proxyOf, startAt } = chainFixture(4);

/** The blocks of an `eth_getLogs` by range; null for other calls. */
function rangeOf(call: ProxiedCall): { from: number; to: number } | null {
  const filter = call.params[0] as { fromBlock?: string; toBlock?: string } | undefined;
  if (call.method !== 'eth_getLogs' || !filter?.fromBlock) return null;
  return { from: Number(filter.fromBlock), to: Number(filter.toBlock) };
}

describe('a node that limits ranges', () => {
  it.each([-32602, -32005, -32000, -32614])('by code %i gets smaller ones, then larger ones again', async (code) => {
    const chain = await chainOf();
    const head = await fill(chain, 300);
    const proxy = await proxyOf(chain);
    let refused = 0;
    proxy.onCall = async (call, forward) => {
      const range = rangeOf(call);
      if (!range || range.to - range.from < 37) return await forward();
      refused++;
      return { error: { code, message: 'an explanation in words' } };
    };
    const store = new MemoryChainStore();
    const running = startAt([proxy.url], store);
    await processed(running, head);
    await expectComplete(chain, store, head);
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(proxy.count('eth_getLogs') / 2);
    expect(running.watcher.status().rpc[0]?.state).toBe('ready');
    proxy.onCall = null;
    const logs = proxy.count('eth_getLogs');
    // after many successes
    while (proxy.count('eth_getLogs') <= logs + 64) {
      await chain.mine(1);
      await processed(running, await chain.head());
    }
    const { length } = proxy.requests;
    await chain.mine(1_000);
    await processed(running, await chain.head());
    const spans = proxy.requests
      .slice(length)
      .flat()
      .map((call) => rangeOf(call))
      .filter((range) => range !== null);
    expect(Math.max(...spans.map(({ from, to }) => to - from + 1))).toBeGreaterThan(40);
  });

  it('by the size of the answer, or HTTP 413, gets smaller ones', async () => {
    const chain = await chainOf();
    const head = await fill(chain, 200);
    const proxy = await proxyOf(chain);
    proxy.onRequest = (calls, response) => {
      const tooLong = calls.some((call) => (rangeOf(call) ?? { from: 0, to: 0 }).to - (rangeOf(call)?.from ?? 0) > 30);
      if (tooLong) response.writeHead(413).end('too large');
      return tooLong;
    };
    const store = new MemoryChainStore();
    const running = startAt([proxy.url], store, { rpc: { maxResponseBytes: 60_000 } });
    await processed(running, head);
    await expectComplete(chain, store, head);
    expect(await running.metric('indexer_rpc_errors_total', { kind: 'tooManyResults' })).toBeGreaterThan(1);
  });

  it('by taking for ever gets smaller ones', async () => {
    const chain = await chainOf();
    const head = await fill(chain, 160);
    const proxy = await proxyOf(chain);
    proxy.onRequest = (calls) => calls.some((call) => (rangeOf(call)?.to ?? 0) - (rangeOf(call)?.from ?? 0) > 40);
    const store = new MemoryChainStore();
    const running = startAt([proxy.url], store, { rpc: { timeoutMs: 2_000 } });
    await processed(running, head);
    await expectComplete(chain, store, head);
  });

  it('to no batches gets one call a request', async () => {
    const chain = await chainOf();
    const head = await fill(chain, 20);
    const proxy = await proxyOf(chain);
    proxy.onRequest = (calls, response) => {
      if (calls.length > 1)
        response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32600, message: 'no batches' } }));
      return calls.length > 1;
    };
    const store = new MemoryChainStore();
    await processed(startAt([proxy.url], store), head);
    await expectComplete(chain, store, head);
  });
});

describe('a node that limits rates', () => {
  it('by HTTP 429 is left alone as long as it asks for, while another one serves', async () => {
    const chain = await chainOf();
    const head = await fill(chain, 10);
    const [limited, other] = [await proxyOf(chain), await proxyOf(chain)];
    limited.onRequest = (calls, response) => {
      if (calls.some(({ method }) => method === 'eth_chainId')) return false;
      response.writeHead(429, { 'retry-after': '3600' }).end();
      return true;
    };
    const store = new MemoryChainStore();
    const running = startAt([limited.url, other.url], store);
    await processed(running, head);
    await expectComplete(chain, store, head);
    const asked = limited.count();
    const looks = other.count();
    await eventually('many more looks', () => other.count() > looks + 30);
    expect(limited.count()).toBeLessThanOrEqual(asked + 2);
    expect(running.watcher.status().rpc[0]?.state).toBe('cooling');
  });

  it('by a JSON-RPC error is asked again later', async () => {
    const chain = await chainOf();
    const head = await fill(chain, 10);
    const proxy = await proxyOf(chain);
    let limits = 2;
    proxy.onCall = async (call, forward) =>
      call.method === 'eth_getBlockByNumber' && limits-- > 0
        ? { error: { code: -32005, message: 'slow down' } }
        : await forward();
    const store = new MemoryChainStore();
    await processed(startAt([proxy.url], store), head);
    await expectComplete(chain, store, head);
  });

  it('in the middle of a backfill gets the same range again: no smaller one, and none from the start', async () => {
    const chain = await chainOf();
    await fill(chain, 40);
    await chain.mine(1_500);
    const head = await chain.head();
    const proxy = await proxyOf(chain);
    let requests = 0;
    proxy.onRequest = (calls, response) => {
      if (!calls.some((call) => rangeOf(call)) || ++requests % 3 !== 0) return false;
      response.writeHead(429, { 'retry-after': '0' }).end();
      return true;
    };
    const store = new MemoryChainStore();
    const running = startAt([proxy.url], store);
    await processed(running, head);
    await expectComplete(chain, store, head);
    const ranges = proxy.requests.flat().flatMap((call) => rangeOf(call) ?? []);
    const limited = ranges.length - new Set(ranges.map(({ from, to }) => `${from}-${to}`)).size;
    expect(limited).toBeGreaterThan(3);
    const finalized = ranges.filter(({ to }) => to < head - 600);
    const lengths = finalized.sort((a, b) => a.from - b.from).map(({ from, to }) => to - from + 1);
    expect(lengths).toEqual([...lengths].sort((a, b) => a - b));
    expect(lengths.at(-1)).toBeGreaterThan(lengths[0]!);
  });

  it('of our own is kept per URL', async () => {
    const chain = await chainOf();
    const head = await fill(chain, 5);
    const proxy = await proxyOf(chain);
    const store = new MemoryChainStore();
    const startMs = performance.now();
    const running = startAt([proxy.url], store, { rpc: { requestsPerSecond: 20 }, chain: { pollIntervalMs: 1 } });
    await processed(running, head);
    await eventually('requests beyond the burst', () => proxy.requests.length > 30);
    const elapsedSeconds = (performance.now() - startMs) / 1000;
    expect(proxy.requests.length).toBeLessThanOrEqual(20 * elapsedSeconds + 21);
  });
});

describe('a node that fails', () => {
  const FAULTS: Readonly<Record<string, (proxy: RpcProxy) => void>> = {
    'with HTTP 500': (proxy) => {
      proxy.onRequest = (_, response) => {
        response.writeHead(500).end('oops');
        return true;
      };
    },
    'by cutting its answer short': (proxy) => {
      proxy.onRequest = (_, response) => {
        response.setHeader('content-length', '5000');
        response.write('[{"jsonrpc":"2.0","id":1,"result":');
        response.destroy();
        return true;
      };
    },
    'by ending its answer early': (proxy) => {
      proxy.onRequest = (_, response) => {
        response.end('[{"jsonrpc":"2.0","id":1,"resu');
        return true;
      };
    },
    'by never answering': (proxy) => {
      proxy.onRequest = () => true;
    },
    'by answering half of a batch': (proxy) => {
      proxy.onRequest = (calls, response) => {
        const answers = calls.slice(1).map(({ id }) => ({ jsonrpc: '2.0', id, result: null }));
        response.end(JSON.stringify(calls.length > 1 ? answers : { jsonrpc: '2.0', id: 1, result: null }));
        return true;
      };
    },
    'with nonsense': (proxy) => {
      proxy.onCall = async () => ({ result: { number: 'seven' } });
    },
  };

  it.each(Object.keys(FAULTS))('%s is passed over, and comes back in its turn', async (fault) => {
    const chain = await chainOf();
    await fill(chain, 10);
    const [preferred, other] = [await proxyOf(chain), await proxyOf(chain)];
    const store = new MemoryChainStore();
    const running = startAt([preferred.url, other.url], store, { rpc: { timeoutMs: 2_000, cooldownMs: 400 } });
    await processed(running, 10);
    FAULTS[fault]?.(preferred);
    await chain.block(message(100));
    await processed(running, 11);
    await expectComplete(chain, store, 11);
    preferred.onRequest = preferred.onCall = null;
    await eventually('the preferred node is back', () => running.watcher.status().rpc[0]?.state === 'ready');
    const { length } = preferred.requests;
    await eventually('and is asked', () => preferred.requests.length > length + 5);
    await chain.block(message(101));
    await processed(running, 12);
    await expectComplete(chain, store, 12);
  });

  it('with everything else down is asked again until it works', async () => {
    const chain = await chainOf();
    const proxy = await proxyOf(chain);
    FAULTS['with HTTP 500']?.(proxy);
    const store = new MemoryChainStore();
    const running = startAt([proxy.url], store);
    await eventually('the failure shows', () => running.watcher.status().lastError?.code === 'RPC_UNAVAILABLE');
    expect(running.watcher.status().lastError?.message).not.toContain(proxy.url);
    await fill(chain, 3);
    proxy.onRequest = null;
    await processed(running, 3);
    await expectComplete(chain, store, 3);
  });

  it('by lagging is passed over until it has caught up', async () => {
    const chain = await chainOf();
    await fill(chain, 40);
    const [preferred, other] = [await proxyOf(chain), await proxyOf(chain)];
    let stuckAt: number | null = 20;
    preferred.onCall = async (call, forward) => {
      if (stuckAt === null) return await forward();
      const stuck = `0x${stuckAt.toString(16)}`;
      if (call.method === 'eth_blockNumber') return { result: stuck };
      const [block] = call.params;
      if (call.method !== 'eth_getBlockByNumber') return await forward();
      if (block === 'latest') return await forwardAs(chain, call, stuck);
      if (block === 'safe' || block === 'finalized') return await forwardAs(chain, call, '0x1');
      return Number(block) > stuckAt ? { result: null } : await forward();
    };
    const store = new MemoryChainStore();
    const running = startAt([preferred.url, other.url], store, { rpc: { headCheckMs: 50, maxHeadLagBlocks: 5 } });
    await processed(running, 40);
    expect(running.watcher.status().rpc[0]?.state).toBe('lagging');
    await expectComplete(chain, store, 40);
    stuckAt = null;
    await eventually('it is used again', () => running.watcher.status().rpc[0]?.state === 'ready');
    const { length } = preferred.requests;
    await eventually('and asked', () => preferred.requests.length > length + 10);
  });

  it('by being of another chain is never used', async () => {
    const [chain, wrong] = [await chainOf(), await chainOf({ chainId: 31337 })];
    const head = await fill(chain, 12);
    await wrong.block(message(500));
    await wrong.mine(40);
    const store = new MemoryChainStore();
    const running = startAt([wrong.anvil.url, chain.anvil.url], store, { rpc: { chainId: 1337 } });
    await processed(running, head);
    await expectComplete(chain, store, head);
    expect(running.watcher.status().rpc[0]?.state).toBe('wrongChain');
  });

  it('serves over WebSocket as well, and its loss is survived', async () => {
    const chain = await chainOf();
    const head = await fill(chain, 60, 2);
    const store = new MemoryChainStore();
    const running = startAt([chain.anvil.wsUrl, chain.anvil.url], store, { rpc: { maxResponseBytes: 40_000 } });
    await processed(running, head);
    await expectComplete(chain, store, head);
    expect(await running.metric('indexer_rpc_requests_total', { url: '0' })).toBeGreaterThan(0);
  });
});
