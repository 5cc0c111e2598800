import { afterEach, describe, expect, it } from 'vitest';
import { QUARANTINE_REASONS } from '../../src/chains/quarantine.js';
import type { Hex } from '../../src/core/hex.js';
import { bytesToHex } from '../../src/core/hex.js';
import { computeMessageId } from '../../src/protocol/keccak.js';
import { encodeMessage } from '../../src/protocol/message-codec.js';
import { type AnvilChain, startAnvilChain } from '../support/anvil-chain.js';
import { eventually } from '../support/eventually.js';
import { CCV, type EmittedLog, EXECUTOR, encodeMessageSentData, makeMessageLog } from '../support/log-emitter.js';
import { MemoryChainStore } from '../support/memory-chain-store.js';
import { type CallFault, type ProxiedCall, type RpcProxy, startRpcProxy } from '../support/rpc-proxy.js';
import {
  liveOnChain,
  ON_RAMP,
  processed,
  type RunningWatcher,
  SOURCE,
  type WatchOptions,
  watch,
} from '../support/watch.js';

const SLOTS = 4;
const FINALITY = 2 * SLOTS;

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function chainOf(chainId = 1337): Promise<AnvilChain> {
  const chain = await startAnvilChain({ onRamp: ON_RAMP, slots: SLOTS, chainId });
  cleanups.push(() => chain.stop());
  return chain;
}

async function proxyOf(chain: AnvilChain): Promise<RpcProxy> {
  const proxy = await startRpcProxy(chain.anvil.url);
  cleanups.push(() => proxy.close());
  return proxy;
}

function start(urls: readonly string[], store: MemoryChainStore, options: Partial<WatchOptions> = {}): RunningWatcher {
  const running = watch({ urls, store, ...options });
  cleanups.push(() => running.stop());
  return running;
}

const message = (number: number) => makeMessageLog(SOURCE, number);
async function fill(chain: AnvilChain, blocks: number, everyNth = 1): Promise<number> {
  for (let number = 1; number <= blocks; number++) await chain.block(...(number % everyNth ? [] : [message(number)]));
  return await chain.head();
}

/** The blocks of an `eth_getLogs` by range; null for other calls. */
function rangeOf(call: ProxiedCall): { from: number; to: number } | null {
  const filter = call.params[0] as { fromBlock?: string; toBlock?: string } | undefined;
  if (call.method !== 'eth_getLogs' || !filter?.fromBlock) return null;
  return { from: Number(filter.fromBlock), to: Number(filter.toBlock) };
}

const logsFault =
  (change: (logs: Record<string, unknown>[], call: ProxiedCall) => unknown): CallFault =>
  async (call, forward) => {
    const answer = await forward();
    if (call.method !== 'eth_getLogs' || 'error' in answer) return answer;
    return { result: change(answer.result as Record<string, unknown>[], call) };
  };

async function expectComplete(chain: AnvilChain, store: MemoryChainStore, head: number): Promise<void> {
  expect(store.content().live).toEqual(await liveOnChain(chain, head));
  expect(store.content().orphaned).toEqual([]);
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
    const running = start([proxy.url], store);
    await processed(running, head);
    await expectComplete(chain, store, head);
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(proxy.count('eth_getLogs') / 2);
    expect(running.watcher.status().rpc[0]?.state).toBe('ready');
    proxy.onCall = null;
    const logs = proxy.count('eth_getLogs');
    await eventually('many successes', () => proxy.count('eth_getLogs') > logs + 64);
    const { length } = proxy.requests;
    await chain.mine(1_000);
    await processed(running, head + 1_000);
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
    const running = start([proxy.url], store, { rpc: { maxResponseBytes: 60_000 } });
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
    const running = start([proxy.url], store, { rpc: { timeoutMs: 300 } });
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
    await processed(start([proxy.url], store), head);
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
    const running = start([limited.url, other.url], store);
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
    await processed(start([proxy.url], store), head);
    await expectComplete(chain, store, head);
  });

  it('of our own is kept per URL', async () => {
    const chain = await chainOf();
    const head = await fill(chain, 5);
    const proxy = await proxyOf(chain);
    const store = new MemoryChainStore();
    const startMs = performance.now();
    const running = start([proxy.url], store, { rpc: { requestsPerSecond: 20 }, chain: { pollIntervalMs: 1 } });
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
    const running = start([preferred.url, other.url], store, { rpc: { timeoutMs: 250, cooldownMs: 400 } });
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
    const running = start([proxy.url], store);
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
    const running = start([preferred.url, other.url], store, { rpc: { headCheckMs: 50, maxHeadLagBlocks: 5 } });
    await processed(running, 40);
    expect(running.watcher.status().rpc[0]?.state).toBe('lagging');
    await expectComplete(chain, store, 40);
    stuckAt = null;
    await eventually('it is used again', () => running.watcher.status().rpc[0]?.state === 'ready');
    const { length } = preferred.requests;
    await eventually('and asked', () => preferred.requests.length > length + 10);
  });

  it('by being of another chain is never used', async () => {
    const [chain, wrong] = [await chainOf(), await chainOf(2337)];
    const head = await fill(chain, 12);
    await wrong.block(message(500));
    await wrong.mine(40);
    const store = new MemoryChainStore();
    const running = start([wrong.anvil.url, chain.anvil.url], store, { rpc: { chainId: 1337 } });
    await processed(running, head);
    await expectComplete(chain, store, head);
    expect(running.watcher.status().rpc[0]?.state).toBe('wrongChain');
  });

  it('serves over WebSocket as well, and its loss is survived', async () => {
    const chain = await chainOf();
    const head = await fill(chain, 60, 2);
    const store = new MemoryChainStore();
    const running = start([chain.anvil.wsUrl, chain.anvil.url], store, { rpc: { maxResponseBytes: 40_000 } });
    await processed(running, head);
    await expectComplete(chain, store, head);
    expect(await running.metric('indexer_rpc_requests_total', { url: '0' })).toBeGreaterThan(0);
  });
});

async function forwardAs(chain: AnvilChain, call: ProxiedCall, block: string) {
  return { result: await chain.rpc(call.method, [block, false]) };
}

describe('a node that lies', () => {
  const LIES: Readonly<Record<string, CallFault>> = {
    'by leaving out the logs of a block': logsFault((logs) => logs.filter((log) => log['blockNumber'] !== '0x6')),
    'by leaving out all logs': logsFault(() => []),
    'with logs of another block': logsFault((logs) =>
      logs.map((log) => (log['blockNumber'] === '0x6' ? { ...log, blockHash: `0x${'12'.repeat(32)}` } : log)),
    ),
    'with logs in the wrong order': logsFault((logs) => [...logs].reverse()),
    'with a log twice': logsFault((logs) => [...logs, ...logs.slice(-1)]),
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
    const running = start([liar.url, honest.url], store);
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
    const running = start([liar.url, honest.url], store, { chain: { confirmations: 'finalized', maxBlockRange: 50 } });
    await processed(running, head - FINALITY);
    await expectComplete(chain, store, head - FINALITY);
  });

  it('by leaving out a log that it gave before does not orphan the message', async () => {
    const chain = await chainOf();
    await chain.mine(3);
    await chain.block(message(1), message(2));
    const [liar, honest] = [await proxyOf(chain), await proxyOf(chain)];
    const store = new MemoryChainStore();
    const running = start([liar.url, honest.url], store);
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
    const running = start([proxy.url], store);
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
    const running = start([liar.url, honest.url], store);
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
    await processed(start([proxy.url], store, { chain: { bloomCheckBlocks: 0 } }), head);
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

describe('a log that fails a check', () => {
  const good = makeMessageLog(SOURCE, 1);
  const OTHER: Hex = `0x${'11'.repeat(32)}`;
  const around = (encoded: Uint8Array, issuers: Hex[]): EmittedLog => ({
    topics: [good.topics[0], good.topics[1], good.topics[2], computeMessageId(encoded)],
    data: encodeMessageSentData(bytesToHex(encoded), issuers),
  });
  const encoded = encodeMessage(good.message);
  const wrong: Readonly<Record<string, EmittedLog>> = {
    abi: { topics: good.topics, data: good.data.slice(0, 300) as Hex },
    receipt_count: around(encoded, [CCV, EXECUTOR]),
    message_decode: around(encoded.subarray(0, 100), [CCV, EXECUTOR, CCV]),
    on_ramp: makeMessageLog(SOURCE, 1, { onRampAddress: OTHER }),
    sender: { topics: [good.topics[0], good.topics[1], OTHER, good.topics[3]], data: good.data },
    message_id: { topics: [good.topics[0], good.topics[1], good.topics[2], OTHER], data: good.data },
    dest_selector: { topics: [good.topics[0], OTHER, good.topics[2], good.topics[3]], data: good.data },
    ccv_and_executor_hash: makeMessageLog(SOURCE, 1, { ccvAndExecutorHash: OTHER }),
    source_selector: makeMessageLog(SOURCE, 1, { sourceChainSelector: 5n }),
  };

  it('is quarantined with its reason, once, and the rest of its block goes on', async () => {
    const chain = await chainOf();
    // the emitter always has four topics, so that reason is left to the unit test
    const reasons = QUARANTINE_REASONS.filter((reason) => reason !== 'topic_count');
    await chain.block(message(1), ...reasons.map((reason) => wrong[reason]!), message(2));
    const head = await chain.head();
    const store = new MemoryChainStore();
    const first = watch({ urls: [chain.anvil.url], store });
    await processed(first, head);
    for (const reason of reasons) expect(await first.metric('indexer_source_quarantined_total', { reason })).toBe(1);
    const commits = store.commits.length;
    const looks = await first.metric('indexer_rpc_requests_total');
    await eventually('more looks', async () => (await first.metric('indexer_rpc_requests_total')) > looks + 10);
    expect(store.commits.length).toBe(commits);
    await first.stop();
    await chain.mine(200);
    const second = start([chain.anvil.url], store);
    await processed(second, head + 200);

    const hash = await chain.hashAt(head);
    expect(store.content().quarantine).toEqual(reasons.map((reason, index) => `${hash}:${index + 1} ${reason}`).sort());
    expect(
      store
        .content()
        .live.map((place) => place.slice(0, 66))
        .sort(),
    ).toEqual([message(1).messageId, message(2).messageId].sort());
  });
});
