import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/core/random.js';
import type { AnvilChain } from '../../support/chain/anvil-chain.js';
import { chainFixture, expectComplete, fill, message } from '../../support/chain/chain-fixture.js';
import { MemoryChainStore } from '../../support/chain/memory-chain-store.js';
import type { CallFault, ProxiedCall } from '../../support/chain/rpc-proxy.js';
import { ON_RAMP, processed, type RunningWatcher, timedMessages } from '../../support/chain/watch.js';
import { eventually } from '../../support/eventually.js';

const SLOTS = 4;
const FINALITY = 2 * SLOTS;
const { chainOf, proxyOf, startAt } = chainFixture(SLOTS);

type Fields = Record<string, unknown>;

/** Changes what a node answers to questions about logs and about blocks. */
const fault =
  ({
    logs,
    block,
  }: {
    logs?: (logs: Fields[], call: ProxiedCall) => Fields[];
    block?: (block: Fields) => Fields | null;
  }): CallFault =>
  async (call, forward) => {
    const answer = await forward();
    if ('error' in answer || answer.result === null) return answer;
    if (call.method === 'eth_getLogs' && logs) return { result: logs(answer.result as Fields[], call) };
    if (call.method.startsWith('eth_getBlockBy') && block) return { result: block(answer.result as Fields) };
    return answer;
  };

const numberOf = ({ blockNumber }: Fields) => Number(blockNumber);
const EMPTY_BLOOM = `0x${'00'.repeat(256)}`;
const emptyBloom = (block: Fields) => ({ ...block, logsBloom: EMPTY_BLOOM });
const noLogs = () => [];

/** A chain with a message in every other of its first blocks, all of them final, and none after that. */
async function oldMessages(blocks = 8, after = 200): Promise<{ readonly chain: AnvilChain; readonly head: number }> {
  const chain = await chainOf();
  await fill(chain, blocks, 2);
  await chain.mine(after);
  return { chain, head: await chain.head() };
}

async function confirmedThrough(running: RunningWatcher, block: number): Promise<void> {
  await eventually(`block ${block} is confirmed`, () => {
    const { crossCheck } = running.watcher.status();
    return ((crossCheck.confirmedBlock ?? -1) >= block && crossCheck.unconfirmedBlocks === 0) || crossCheck;
  });
}

/** Blocks below the head are not looked at one by one. */
const OLD = { confirmations: 'finalized', maxBlockRange: 64, bloomCheckBlocks: 0 } as const;

describe('promise 11: a message that one URL tells is found', () => {
  it('when the preferred node has no logs of old blocks', async () => {
    const { chain, head } = await oldMessages();
    const [liar, honest] = [await proxyOf(chain), await proxyOf(chain)];
    liar.onCall = fault({ logs: noLogs });
    const store = new MemoryChainStore();
    const running = startAt([liar.url, honest.url], store, { chain: OLD });
    await confirmedThrough(running, head - FINALITY);
    await expectComplete(chain, store, head);
    expect(running.watcher.status().crossCheck).toMatchObject({ state: 'on', foundLogs: 4, lyingUrls: [0] });
    expect(running.watcher.status().crossCheck.requests).toBeGreaterThan(0);
    expect(await running.metric('indexer_source_missing_logs_total', { url: '0' })).toBe(4);
    expect(await timedMessages(running)).toBe(4);
  });

  it('when the preferred node garbles the log that the other tells', async () => {
    const { chain, head } = await oldMessages();
    const [liar, honest] = [await proxyOf(chain), await proxyOf(chain)];
    liar.onCall = fault({ logs: (logs) => logs.map((log) => ({ ...log, data: '0x1234' })) });
    const store = new MemoryChainStore();
    const running = startAt([liar.url, honest.url], store, { chain: OLD });
    await confirmedThrough(running, head - FINALITY);
    await expectComplete(chain, store, head);
    expect(store.content().quarantine).toHaveLength(4);
    expect(running.watcher.status().crossCheck.lyingUrls).toContain(0);
  });

  it('when two of three nodes have no logs of old blocks', async () => {
    const { chain, head } = await oldMessages();
    const [first, second, honest] = [await proxyOf(chain), await proxyOf(chain), await proxyOf(chain)];
    first.onCall = second.onCall = fault({ logs: noLogs });
    const store = new MemoryChainStore();
    const running = startAt([first.url, second.url, honest.url], store, { chain: OLD });
    await confirmedThrough(running, head - FINALITY);
    await expectComplete(chain, store, head);
    expect(running.watcher.status().crossCheck.lyingUrls).toEqual([0, 1]);
  });

  it('when two of three nodes leave out new logs that the blooms admit', async () => {
    const chain = await chainOf();
    const head = await fill(chain, 6, 2);
    const [first, second, honest] = [await proxyOf(chain), await proxyOf(chain), await proxyOf(chain)];
    first.onCall = second.onCall = fault({ logs: noLogs });
    const store = new MemoryChainStore();
    const running = startAt([first.url, second.url, honest.url], store);
    await processed(running, head);
    await expectComplete(chain, store, head);
    expect(await running.metric('indexer_source_believed_silences_total')).toBe(0);
  });

  it.each([2, 3])('when all %i nodes have empty blooms and only the last has logs', async (count) => {
    const chain = await chainOf();
    const head = await fill(chain, 6, 2);
    const proxies = await Promise.all(Array.from({ length: count }, () => proxyOf(chain)));
    for (const proxy of proxies) proxy.onCall = fault({ logs: noLogs, block: emptyBloom });
    (proxies.at(-1) as (typeof proxies)[number]).onCall = fault({ block: emptyBloom });
    const store = new MemoryChainStore();
    const running = startAt(
      proxies.map(({ url }) => url),
      store,
    );
    await processed(running, head);
    await chain.mine(FINALITY);
    await confirmedThrough(running, head);
    await expectComplete(chain, store, head);
    expect(running.watcher.status().crossCheck.blooms).toBe('proveNothing');
    expect(await running.metric('indexer_source_blooms_prove_bool')).toBe(0);
  });

  it('when some of the nodes behind the only URL lag, and blooms are empty', async () => {
    const chain = await chainOf();
    const head = await fill(chain, 6, 2);
    const balancer = await proxyOf(chain);
    const random = seededRandom(3);
    let lagging = false;
    // four of ten requests, with all their calls, go to a node that has not seen the last four blocks
    balancer.onRequest = () => {
      lagging = random() < 0.4;
      return false;
    };
    const known = (number: unknown) => Number(number) <= head - 4;
    const laggard = fault({
      logs: (logs) => logs.filter((log) => known(log['blockNumber'])),
      block: (block) => (known(block['number']) ? emptyBloom(block) : null),
    });
    const upToDate = fault({ block: emptyBloom });
    balancer.onCall = (call, forward) => (lagging && call.params[0] !== 'latest' ? laggard : upToDate)(call, forward);
    const store = new MemoryChainStore();
    const running = startAt([balancer.url], store, { chain: { pollIntervalMs: 10 } });
    await processed(running, head);
    await expectComplete(chain, store, head);
  });
});

describe('blocks that only one URL has answered for', () => {
  it('are known, kept across a restart, and asked about when the other URL is back', async () => {
    const { chain, head } = await oldMessages();
    const [liar, honest] = [await proxyOf(chain), await proxyOf(chain)];
    liar.onCall = fault({ logs: noLogs });
    honest.onRequest = (_, response) => {
      response.writeHead(503).end();
      return true;
    };
    const store = new MemoryChainStore();
    const alone = startAt([liar.url, honest.url], store, { chain: OLD, rpc: { chainId: 1337 } });
    await processed(alone, head - FINALITY);
    expect(store.content().live).toEqual([]);
    const { crossCheck } = alone.watcher.status();
    expect(crossCheck).toMatchObject({ confirmedBlock: null, unconfirmedBlocks: head - FINALITY + 1 });
    expect(await alone.metric('indexer_source_unconfirmed_blocks')).toBe(head - FINALITY + 1);
    await alone.stop();
    honest.onRequest = null;
    const both = startAt([liar.url, honest.url], store, { chain: OLD });
    await confirmedThrough(both, head - FINALITY);
    await expectComplete(chain, store, head);
    await eventually(
      'the confirmed block is stored',
      async () => (await store.confirmed()).get(ON_RAMP)?.height === BigInt(head - FINALITY),
    );
  });

  it('are not asked about again after a restart once they are confirmed', async () => {
    const { chain, head } = await oldMessages();
    const [first, second] = [await proxyOf(chain), await proxyOf(chain)];
    const store = new MemoryChainStore();
    const before = startAt([first.url, second.url], store, { chain: OLD });
    await confirmedThrough(before, head - FINALITY);
    await eventually(
      'it is stored',
      async () => (await store.confirmed()).get(ON_RAMP)?.height === BigInt(head - FINALITY),
    );
    await before.stop();
    const { length } = second.requests;
    const after = startAt([first.url, second.url], store, { chain: OLD });
    await chain.mine(1);
    await confirmedThrough(after, head - FINALITY + 1);
    const asked = second.requests
      .slice(length)
      .flat()
      .filter(({ method }) => method === 'eth_getLogs');
    expect(asked.map(({ params }) => Number((params[0] as Fields)['fromBlock']))).toEqual([head - FINALITY + 1]);
  });

  it('hold up nothing above them when the second URL does not keep old blocks', async () => {
    const { chain, head } = await oldMessages();
    const [archive, pruned] = [await proxyOf(chain), await proxyOf(chain)];
    pruned.onCall = async (call, forward) =>
      call.method === 'eth_getLogs' && Number((call.params[0] as Fields)['fromBlock']) < 64
        ? { error: { code: 4444, message: 'pruned history unavailable' } }
        : await forward();
    const store = new MemoryChainStore();
    const running = startAt([archive.url, pruned.url], store, { chain: OLD });
    await processed(running, head - FINALITY);
    await expectComplete(chain, store, head);
    await eventually('the newer blocks are confirmed', () => {
      const { crossCheck } = running.watcher.status();
      return (crossCheck.unconfirmedBlocks > 0 && crossCheck.unconfirmedBlocks <= 64) || crossCheck;
    });
    expect(running.watcher.status()).toMatchObject({
      lastError: null,
      crossCheck: { confirmedBlock: null, lyingUrls: [] },
    });
  });

  it('are read again when that URL is found lying elsewhere, also with CrossCheck off', async () => {
    const { chain } = await oldMessages();
    const [liar, honest] = [await proxyOf(chain), await proxyOf(chain)];
    liar.onCall = fault({ logs: noLogs });
    const store = new MemoryChainStore();
    const running = startAt([liar.url, honest.url], store, {
      chain: { ...OLD, confirmations: 'latest', crossCheck: false },
    });
    await processed(running, await chain.head());
    expect(store.content().live).toEqual([]);
    expect(running.watcher.status().crossCheck).toMatchObject({ state: 'off', requests: 0 });
    // the bloom of a new block gives it away
    await chain.block(message(99));
    await processed(running, await chain.head());
    await eventually('the old messages are found', () => store.content().live.length === 5 || store.content().live);
    await expectComplete(chain, store, await chain.head());
  });

  it('are told of when there is one URL only, and looked at again when they are final', async () => {
    const chain = await chainOf();
    const head = await fill(chain, 6, 2);
    const node = await proxyOf(chain);
    node.onCall = fault({ logs: noLogs, block: emptyBloom });
    const store = new MemoryChainStore();
    const running = startAt([node.url], store);
    await processed(running, head);
    expect(running.watcher.status().crossCheck).toMatchObject({ state: 'oneUrl', confirmedBlock: null });
    expect(await running.metric('indexer_source_cross_checked_bool')).toBe(0);
    node.onCall = fault({ block: emptyBloom });
    await chain.mine(FINALITY);
    await eventually('they were looked at again', () => store.content().live.length === 3 || store.content().live);
    await expectComplete(chain, store, head);
  });
});

describe('what a second URL tells', () => {
  it('is not stored when its log is of a block that the URL itself does not have', async () => {
    const { chain, head } = await oldMessages();
    const [honest, stale] = [await proxyOf(chain), await proxyOf(chain)];
    const phantom = message(77);
    stale.onCall = fault({
      logs: (logs) =>
        logs.some((log) => numberOf(log) === 6)
          ? [
              ...logs,
              {
                ...logs.at(-1),
                topics: phantom.topics,
                data: phantom.data,
                blockNumber: '0x7',
                blockHash: `0x${'ab'.repeat(32)}`,
              },
            ]
          : logs,
    });
    const store = new MemoryChainStore();
    const running = startAt([honest.url, stale.url], store, { chain: OLD });
    await processed(running, head - FINALITY);
    await eventually('the rest is confirmed', () => {
      const { unconfirmedBlocks } = running.watcher.status().crossCheck;
      return (unconfirmedBlocks > 0 && unconfirmedBlocks <= 64) || unconfirmedBlocks;
    });
    await expectComplete(chain, store, head);
  });

  it('does not confirm blocks of another chain of finalized blocks', async () => {
    const { chain, head } = await oldMessages();
    const [honest, forked] = [await proxyOf(chain), await proxyOf(chain)];
    const other = (hash: unknown) => String(hash).replace(/^0x.{4}/, '0xffff');
    forked.onCall = fault({
      logs: (logs) => logs.map((log) => ({ ...log, blockHash: other(log['blockHash']) })),
      block: (block) => ({ ...block, hash: other(block['hash']), parentHash: other(block['parentHash']) }),
    });
    const store = new MemoryChainStore();
    const running = startAt([honest.url, forked.url], store, { chain: OLD });
    await processed(running, head - FINALITY);
    await eventually('the other node was asked', () => running.watcher.status().crossCheck.requests > 2);
    await expectComplete(chain, store, head);
    expect(running.watcher.status().crossCheck).toMatchObject({ confirmedBlock: null, foundLogs: 0, lyingUrls: [] });
  });

  it('is counted when every node repeats a silence that a bloom contradicts', async () => {
    const chain = await chainOf();
    await chain.mine(3);
    const proxies = [await proxyOf(chain), await proxyOf(chain), await proxyOf(chain)];
    for (const proxy of proxies)
      proxy.onCall = fault({ block: (block) => ({ ...block, logsBloom: `0x${'ff'.repeat(256)}` }) });
    const running = startAt(
      proxies.map(({ url }) => url),
      new MemoryChainStore(),
    );
    await processed(running, 3);
    expect(await running.metric('indexer_source_believed_silences_total')).toBe(4);
    for (const proxy of proxies.slice(1)) expect(proxy.count('eth_getBlockByHash')).toBe(4);
  });
});
