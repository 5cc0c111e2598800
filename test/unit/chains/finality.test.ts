import { describe, expect, it } from 'vitest';
import { FinalizedReorgError } from '../../../src/chains/chain-errors.js';
import { ScriptedChain } from '../../support/chain/scripted-chain.js';
import { watchScripted } from '../../support/chain/scripted-watch.js';

describe('a finalized tag that claims too much', () => {
  it.each([
    { what: 'Confirmations = 20', chain: { confirmations: 20 }, shown: 20 },
    { what: 'MinFinalityDepth = 20 with "latest"', chain: { confirmations: 'latest', minFinalityDepth: 20 }, shown: 0 },
    { what: 'MinFinalityDepth = 20 with "safe"', chain: { confirmations: 'safe', minFinalityDepth: 20 }, shown: 0 },
    { what: 'MinFinalityDepth = 20', chain: { confirmations: 'finalized', minFinalityDepth: 20 }, shown: 20 },
    { what: 'both', chain: { confirmations: 3, minFinalityDepth: 20 }, shown: 3 },
  ] as const)('is bounded by $what: a reorg of 3 takes messages away and halts nothing (promise 9)', async (given) => {
    const chain = new ScriptedChain();
    const [node] = chain.nodes;
    node!.finalized = { depth: 0 };
    node!.safe = { depth: 0 };
    chain.mine(50);
    const lost = chain.message();
    chain.mine(2);
    const { watcher, store, poll, ended, stop } = await watchScripted(chain, { chain: given.chain });
    await poll();
    expect(store.content().cursor?.height).toBe(BigInt(chain.head - 20));
    expect(watcher.status()).toMatchObject({ finalized: chain.head - 20, processed: chain.head - given.shown });
    chain.fork(3);
    chain.message();
    chain.mine(given.shown + 3);
    await poll(2);
    expect(ended()).toBeNull();
    expect(store.get(lost.messageId)?.orphaned ?? true).toBe(true);
    expect(store.content().live).toEqual(chain.live(chain.head - given.shown));
    expect(store.content().cursor?.height).toBe(BigInt(chain.head - 20));
    await stop();
  });

  it('is not raised by the depth: what the tag says is final is final, however many confirmations are wanted', async () => {
    const chain = new ScriptedChain();
    chain.mine(100);
    const { watcher, store, stop } = await watchScripted(chain, { chain: { confirmations: 12 } });
    expect(store.content().cursor?.height).toBe(36n);
    expect(watcher.status()).toMatchObject({ processed: 88, finality: 'tag', problem: null });
    await stop();
  });
});

describe('a node that does not know the finalized tag', () => {
  it('is told in the log once, in the status and in a metric, and nothing is read', async () => {
    const chain = new ScriptedChain();
    chain.nodes[0]!.finalized = null;
    chain.mine(100);
    const warnings: unknown[] = [];
    const common = capturing(warnings);
    const { watcher, store, poll, metric, stop } = await watchScripted(chain, { common });
    await poll(5);
    const { finality, problem, isReadable } = watcher.status();
    expect({ finality, isReadable }).toEqual({ finality: 'unknown', isReadable: false });
    expect(problem).toMatch(/no RPC URL tells a finalized block.*Set Confirmations to/);
    expect(warnings.filter((text) => text === 'chain without finality')).toHaveLength(1);
    expect(await metric('indexer_source_finality_unknown_bool')).toBe(1);
    expect(store.content().cursor).toBeNull();
    await poll(3_600);
    expect(warnings.filter((text) => text === 'chain without finality')).toHaveLength(2);
    // the tag comes with an update of the node
    chain.nodes[0]!.finalized = { depth: 10 };
    await poll();
    expect(watcher.status()).toMatchObject({ finality: 'tag', problem: null, isReadable: true });
    expect(store.content().cursor?.height).toBe(BigInt(chain.head - 10));
    await stop();
  });

  it.each([
    { chain: { confirmations: 20 }, shown: 20 },
    { chain: { confirmations: 'finalized', minFinalityDepth: 20 }, shown: 20 },
    { chain: { confirmations: 'latest', minFinalityDepth: 20 }, shown: 0 },
  ] as const)('is enough with $chain', async ({ chain: wanted, shown }) => {
    const chain = new ScriptedChain();
    chain.nodes[0]!.finalized = null;
    chain.nodes[0]!.safe = null;
    for (let block = 0; block < 100; block++) chain.message();
    const { watcher, store, stop } = await watchScripted(chain, { chain: wanted });
    expect(watcher.status()).toMatchObject({ finality: 'depth', problem: null, processed: chain.head - shown });
    expect(store.content().live).toEqual(chain.live(chain.head - shown));
    expect(store.content().cursor?.height).toBe(BigInt(chain.head - 20));
    await stop();
  });

  it('is read with "latest" all the same, and the status says that nothing becomes final', async () => {
    const chain = new ScriptedChain();
    chain.nodes[0]!.finalized = null;
    chain.message();
    const { watcher, store, poll, stop } = await watchScripted(chain, { chain: { confirmations: 'latest' } });
    await poll();
    expect(store.content().live).toEqual(chain.live());
    expect(watcher.status()).toMatchObject({ finality: 'unknown', isReadable: true });
    expect(watcher.status().problem).toMatch(/MinFinalityDepth/);
    await stop();
  });

  it('says nothing about finality beside one that knows it, and the depth does not take its place', async () => {
    const chain = new ScriptedChain(2);
    chain.nodes[0]!.finalized = null;
    chain.mine(100);
    const { watcher, store, stop } = await watchScripted(chain, { chain: { confirmations: 12 } });
    expect(watcher.status()).toMatchObject({ finality: 'tag', processed: 88 });
    expect(store.content().cursor).toBeNull();
    await stop();
  });
});

describe('a finalized block with another hash', () => {
  async function forked(nodeCount: number) {
    const chain = new ScriptedChain(nodeCount);
    chain.mine(100);
    const good = [...chain.blocks];
    chain.fork(70);
    chain.mine(80);
    const bad = [...chain.blocks];
    for (const node of chain.nodes) node.branch = good;
    const watched = await watchScripted(chain, { chain: { haltAfterMs: 900_000 } });
    expect(watched.store.content().cursor?.height).toBe(36n);
    return { chain, good, bad, nodes: chain.nodes, ...watched };
  }

  it('by the word of one node while the good one is away is waited out, told, and survived', async () => {
    const { nodes, bad, good, watcher, store, poll, ended, metric, stop } = await forked(2);
    nodes[0]!.isUp = false;
    nodes[1]!.branch = bad;
    await poll(20);
    expect(ended()).toBeNull();
    expect(watcher.status()).toMatchObject({
      state: 'following',
      lastError: { code: 'FINALIZED_DISPUTED' },
      dispute: { blockNumber: 36, expectedHash: good[36]!.header.hash, silentUrls: [0] },
    });
    expect(watcher.status().dispute?.claims).toEqual([
      { url: 1, hash: bad[36]!.header.hash, sinceMs: expect.any(Number) },
    ]);
    expect(await metric('indexer_source_finalized_disputed_bool')).toBe(1);
    expect(await metric('indexer_scanner_polling_errors_total')).toBeGreaterThan(1);
    nodes[0]!.isUp = true;
    await poll(20);
    expect(watcher.status()).toMatchObject({ dispute: null, lastError: null });
    expect(await metric('indexer_source_finalized_disputed_bool')).toBe(0);
    // and begins anew, however often
    for (let time = 0; time < 3; time++) {
      nodes[0]!.isUp = false;
      await poll(600);
      nodes[0]!.isUp = true;
      await poll(20);
    }
    expect(ended()).toBeNull();
    expect(store.content().cursor?.hash).toBe(good[36]!.header.hash);
    await stop();
  });

  it('by the word of one node for long enough halts the chain, and says what was seen, at once after a restart', async () => {
    const { chain, nodes, good, bad, store, poll, ended, clock, metric } = await forked(1);
    nodes[0]!.branch = bad;
    const sinceMs = clock.nowMs() + 1_000;
    await poll(890);
    expect(ended()).toBeNull();
    await poll(30);
    expect(ended()).toBeInstanceOf(FinalizedReorgError);
    expect(ended()).toMatchObject({
      code: 'FINALIZED_REORG',
      details: {
        blockNumber: 36,
        expectedHash: good[36]!.header.hash,
        actualHash: bad[36]!.header.hash,
        urls: [0],
        claims: [{ url: 0, hash: bad[36]!.header.hash, sinceMs }],
      },
    });
    expect((ended() as Error).message).toContain(`RPC URL 0 since ${new Date(sinceMs).toISOString()}`);
    expect((ended() as Error).message).toContain('ccv-indexer chain resume a --from');
    expect(await metric('indexer_source_halted_bool')).toBe(1);
    const again = await watchScripted(chain, { store, clock });
    expect(again.ended()).toMatchObject({ code: 'FINALIZED_REORG', details: { blockNumber: 36, urls: [0] } });
    // the right node is back: the chain goes on where it stood
    nodes[0]!.branch = good;
    const { watcher, ended: endedThen, stop } = await watchScripted(chain, { store, clock });
    expect(endedThen()).toBeNull();
    expect(watcher.status()).toMatchObject({ state: 'following', lastError: null });
    await stop();
  });

  it('is read again from where a person sets the cursor back, also by a watcher that runs (promises 1, 9)', async () => {
    const chain = new ScriptedChain();
    chain.nodes[0]!.finalized = { depth: 5 };
    for (let block = 0; block < 30; block++) chain.message();
    const { watcher, store, poll, ended, stop } = await watchScripted(chain, { chain: { confirmations: 'latest' } });
    expect(store.content().cursor?.height).toBe(25n);
    chain.fork(15);
    const kept = chain.message();
    for (let block = 0; block < 20; block++) chain.message();
    await poll(20);
    expect(watcher.status().dispute).not.toBeNull();
    store.setBack({ height: 10n, hash: chain.hashAt(10) });
    await poll(20);
    expect(watcher.status().dispute).toBeNull();
    expect(store.content().live).toEqual(chain.live());
    expect(store.get(kept.messageId)?.orphaned).toBe(false);
    // set back under a watcher that is well
    store.setBack({ height: 3n, hash: chain.hashAt(3) });
    chain.mine(2);
    await poll(3);
    expect(ended()).toBeNull();
    expect(store.content().cursor?.height).toBe(BigInt(chain.head - 5));
    expect(store.content().live).toEqual(chain.live());
    await stop();
  });

  it('by the word of two nodes halts it at once, also after a restart', async () => {
    const { chain, nodes, bad, store, clock, poll, ended } = await forked(3);
    nodes[0]!.isUp = false;
    for (const node of nodes.slice(1)) node.branch = bad;
    await poll();
    expect(ended()).toMatchObject({ code: 'FINALIZED_REORG', details: { urls: [1, 2] } });
    const again = await watchScripted(chain, { store, clock });
    expect(again.ended()).toMatchObject({ code: 'FINALIZED_REORG', details: { urls: [1, 2] } });
  });

  it('by the word of two nodes that do not agree halts nothing', async () => {
    const { chain, nodes, bad, poll, ended, watcher, stop } = await forked(2);
    chain.fork(100);
    chain.mine(120);
    nodes[0]!.branch = bad;
    nodes[1]!.branch = [...chain.blocks];
    await poll(20);
    expect(ended()).toBeNull();
    expect(watcher.status().dispute?.claims).toHaveLength(2);
    await stop();
  });
});

function capturing(messages: unknown[]) {
  const noting = (...words: readonly unknown[]) => void messages.push(words.at(-1));
  const ignoring = () => undefined;
  const log = { trace: ignoring, debug: ignoring, info: ignoring, warn: noting, error: noting, fatal: noting };
  return { log: log as never };
}
