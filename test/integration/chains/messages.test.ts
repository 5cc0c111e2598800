import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { BackfillProgress } from '../../../src/chains/watch/chain-status.js';
import type { Confirmations } from '../../../src/chains/watch/finality-view.js';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import { chainFixture, message } from '../../support/chain/chain-fixture.js';
import type { EmittedLog } from '../../support/chain/log-emitter.js';
import { MemoryChainStore } from '../../support/chain/memory-chain-store.js';
import { liveOnChain, ON_RAMP, processed, watch } from '../../support/chain/watch.js';
import { eventually } from '../../support/eventually.js';

/** safe = latest − SLOTS, finalized = latest − 2 × SLOTS */
const SLOTS = 8;
const FINALITY = 2 * SLOTS;
const { chainOf, start } = chainFixture(SLOTS);

describe('backfill', () => {
  it('stores every finalized message once, in chain order, in ranges, and tells of its progress', async () => {
    const chain = await chainOf();
    for (let number = 1; number <= 150; number++) await chain.block(...(number % 3 === 0 ? [message(number)] : []));
    await chain.block(message(1_000), message(1_001), message(1_002));
    await chain.mine(FINALITY + 1);
    const head = await chain.head();

    const store = new MemoryChainStore();
    const progress: BackfillProgress[] = [];
    const running = start(chain, store, {
      chain: { confirmations: 'finalized', maxBlockRange: 20 },
      watcher: { onProgress: (made) => progress.push(made) },
    });
    await processed(running, head - FINALITY);

    expect(store.content().live).toEqual(await liveOnChain(chain, head - FINALITY));
    expect(store.content().live).toHaveLength(53);
    expect(store.content().cursor).toEqual({
      height: BigInt(head - FINALITY),
      hash: await chain.hashAt(head - FINALITY),
    });
    const places = store.commits.flatMap(({ messages }) => messages.map(({ origin }) => origin!));
    const inOrder = [...places].sort((a, b) => Number(a.blockNumber - b.blockNumber) || a.logIndex - b.logIndex);
    expect(places).toEqual(inOrder);
    expect(places.every(({ blockTimestampMs }) => blockTimestampMs > 1_600_000_000_000)).toBe(true);
    expect(store.commits.length).toBeGreaterThan(5);
    const last = progress.at(-1)!;
    expect(last).toMatchObject({ chain: 'a', blocksDone: last.blocksTotal, events: 53, remainingMs: 0 });
    expect(await running.metric('indexer_source_processed_block')).toBe(head - FINALITY);
    expect(await running.metric('indexer_source_lag_blocks')).toBe(FINALITY);
  });

  it('takes the messages of the recorded lane, byte for byte', async () => {
    const lane = JSON.parse(readFileSync(new URL('../../fixtures/lane.json', import.meta.url), 'utf8')) as {
      messages: { rawLog: EmittedLog; event: { messageId: Hex; encodedMessage: Hex } }[];
    };
    const chain = await chainOf();
    for (const { rawLog } of lane.messages) await chain.block(rawLog);
    const head = await chain.head();
    const store = new MemoryChainStore();
    await processed(start(chain, store), head);
    expect(store.quarantine).toEqual([]);
    for (const { event } of lane.messages)
      expect(bytesToHex(store.get(event.messageId)!.message.encodedMessage)).toBe(event.encodedMessage);
  });

  it('starts at the start block', async () => {
    const chain = await chainOf();
    await chain.block(message(1));
    await chain.block(message(2));
    const store = new MemoryChainStore();
    const running = start(chain, store, { chain: { onRamps: [{ address: ON_RAMP, startBlock: 2 }] } });
    await processed(running, 2);
    expect(store.content().live).toEqual(await liveOnChain(chain, 2, 2));
  });

  it('waits for a start block that is not there yet', async () => {
    const chain = await chainOf();
    const store = new MemoryChainStore();
    const running = start(chain, store, { chain: { onRamps: [{ address: ON_RAMP, startBlock: 5 }] } });
    await eventually('it follows', () => running.watcher.status().state === 'following');
    await chain.mine(6);
    await chain.block(message(1));
    await processed(running, 7);
    expect(store.content().live).toEqual(await liveOnChain(chain, 7));
  });

  it.each(['fail', 'fail after'] as const)('goes on after a commit that did %s', async (fate) => {
    const chain = await chainOf();
    for (let number = 1; number <= 150; number++) await chain.block(message(number));
    await chain.mine(FINALITY);
    const store = new MemoryChainStore();
    let commits = 0;
    store.onCommit = () => (++commits % 3 === 0 && commits < 10 ? fate : 'ok');
    const running = start(chain, store, { chain: { maxBlockRange: 25 } });
    const head = await chain.head();
    await processed(running, head);
    expect(store.content().live).toEqual(await liveOnChain(chain, head));
  });

  it('ends in the same state when it is restarted after every commit', async () => {
    const chain = await chainOf();
    for (let number = 1; number <= 360; number++) await chain.block(...(number % 2 ? [message(number)] : []));
    await chain.mine(3);
    const head = await chain.head();
    const store = new MemoryChainStore();
    let restarts = 0;
    for (let done = false; !done; restarts++) {
      let committed = false;
      const before = store.commits.length;
      const running = watch({ urls: [chain.anvil.url], store, chain: { maxBlockRange: 20 } });
      store.onCommit = () => {
        if (committed) return 'fail'; // the process is gone after its first commit
        committed = true;
        return 'ok';
      };
      await eventually('a commit or the end', () => {
        done = running.watcher.status().processed === head;
        return done || store.commits.length > before;
      });
      await running.stop();
    }
    expect(restarts).toBeGreaterThan(8);
    expect(store.content().live).toEqual(await liveOnChain(chain, head));
    expect(store.content().orphaned).toEqual([]);
  });
});

describe('following', () => {
  it.each<{ confirmations: Confirmations; behind: number }>([
    { confirmations: 'latest', behind: 0 },
    { confirmations: 3, behind: 3 },
    { confirmations: 'safe', behind: SLOTS },
    { confirmations: 'finalized', behind: FINALITY },
  ])(
    'reads up to $behind blocks below the head with confirmations = $confirmations',
    async ({ confirmations, behind }) => {
      const chain = await chainOf();
      await chain.mine(FINALITY);
      const store = new MemoryChainStore();
      const running = start(chain, store, { chain: { confirmations } });
      await chain.block(message(1));
      const block = await chain.head();
      if (behind > 0) {
        await chain.mine(behind - 1);
        await processed(running, block - 1);
        expect(store.content().live).toEqual([]);
        await chain.mine(1);
      }
      await processed(running, block);
      expect(store.content().live).toEqual(await liveOnChain(chain, block));
      expect(await running.metric('indexer_message_discovery_latency_seconds', { le: '+Inf' } as never)).toBe(1);
    },
  );

  it('commits nothing while nothing changes', async () => {
    const chain = await chainOf();
    await chain.block(message(1));
    const store = new MemoryChainStore();
    const running = start(chain, store);
    await processed(running, 1);
    const commits = store.commits.length;
    const requests = await running.metric('indexer_rpc_requests_total');
    await eventually('many looks', async () => (await running.metric('indexer_rpc_requests_total')) > requests + 20);
    expect(store.commits.length).toBe(commits);
  });

  it('keeps quiet about cursors that have nothing to go with, and is right after a restart all the same', async () => {
    const chain = await chainOf();
    await chain.block(message(1));
    const store = new MemoryChainStore();
    const options = { watcher: { cursorEveryMs: 3_600_000 } };
    const first = watch({ urls: [chain.anvil.url], store, ...options });
    for (let block = 2; block < 40; block++) {
      await chain.block(...(block === 20 ? [message(2)] : []));
      await processed(first, block);
    }
    await first.stop();
    expect(store.commits.length).toBeLessThan(6);
    const second = start(chain, store, options);
    await chain.block(message(3));
    await processed(second, 40);
    expect(store.content()).toMatchObject({ live: await liveOnChain(chain, 40), orphaned: [] });
  });

  it('wakes up for a new block that a WebSocket announces', async () => {
    const chain = await chainOf();
    const store = new MemoryChainStore();
    const running = start(chain, store, { urls: [chain.anvil.wsUrl], chain: { pollIntervalMs: 3_600_000 } });
    await processed(running, 0);
    for (let block = 1; block <= 3; block++) {
      // the subscription may still be under way: blocks until one is noticed
      await eventually('a new block is noticed', async () => {
        await chain.block(message((await chain.head()) + 1));
        const isNoticed = async () => running.watcher.status().processed === (await chain.head());
        await expect
          .poll(isNoticed, { timeout: 300 })
          .toBe(true)
          .catch(() => undefined);
        return await isNoticed();
      });
    }
    expect(store.content().live).toEqual(await liveOnChain(chain, await chain.head()));
  });
});

describe('two watchers of one chain', () => {
  it('store what one would have stored', async () => {
    const chain = await chainOf();
    const store = new MemoryChainStore();
    const [one, two] = [start(chain, store), start(chain, store)];
    for (let number = 1; number <= 60; number++) await chain.block(message(number));
    await chain.reorg(3, [{ log: message(58, '0x55'), offset: 2 }]);
    await chain.mine(FINALITY);
    const head = await chain.head();
    await processed(one, head);
    await processed(two, head);
    expect(store.content().live).toEqual(await liveOnChain(chain, head));
  });
});
