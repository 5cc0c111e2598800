import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { FinalizedReorgError } from '../../src/chains/chain-errors.js';
import type { BackfillProgress } from '../../src/chains/chain-status.js';
import type { Confirmations } from '../../src/chains/finality-view.js';
import { createCommon } from '../../src/core/common.js';
import { bytesToHex, type Hex } from '../../src/core/hex.js';
import { type AnvilChain, startAnvilChain } from '../support/anvil-chain.js';
import { eventually } from '../support/eventually.js';
import { type EmittedLog, makeMessageLog } from '../support/log-emitter.js';
import { MemoryChainStore } from '../support/memory-chain-store.js';
import {
  liveOnChain,
  ON_RAMP,
  processed,
  type RunningWatcher,
  SOURCE,
  type WatchOptions,
  watch,
} from '../support/watch.js';

/** safe = latest − SLOTS, finalized = latest − 2 × SLOTS */
const SLOTS = 8;
const FINALITY = 2 * SLOTS;

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function chainOf(options: { slots?: number; chainId?: number } = {}): Promise<AnvilChain> {
  const chain = await startAnvilChain({ onRamp: ON_RAMP, slots: SLOTS, ...options });
  cleanups.push(() => chain.stop());
  return chain;
}

function start(chain: AnvilChain, store: MemoryChainStore, options: Partial<WatchOptions> = {}): RunningWatcher {
  const running = watch({ urls: [chain.anvil.url], store, ...options });
  cleanups.push(() => running.stop());
  return running;
}

const message = (number: number, data?: Hex) => makeMessageLog(SOURCE, number, data ? { data } : {});

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
    const lane = JSON.parse(readFileSync(new URL('../fixtures/lane.json', import.meta.url), 'utf8')) as {
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
    const running = start(chain, store, { chain: { startBlock: 2 } });
    await processed(running, 2);
    expect(store.content().live).toEqual(await liveOnChain(chain, 2, 2));
  });

  it('waits for a start block that is not there yet', async () => {
    const chain = await chainOf();
    const store = new MemoryChainStore();
    const running = start(chain, store, { chain: { startBlock: 5 } });
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
        await eventually('soon', async () => running.watcher.status().processed === (await chain.head()), 300).catch(
          () => undefined,
        );
        return running.watcher.status().processed === (await chain.head());
      });
    }
    expect(store.content().live).toEqual(await liveOnChain(chain, await chain.head()));
  });
});

describe('reorgs', () => {
  const MODES: readonly { confirmations: Confirmations; behind: number }[] = [
    { confirmations: 'latest', behind: 0 },
    { confirmations: 2, behind: 2 },
    { confirmations: 'safe', behind: SLOTS },
  ];

  it.each(MODES)(
    'of any depth above finality are applied with confirmations = $confirmations',
    async ({ confirmations, behind }) => {
      const chain = await chainOf();
      await chain.mine(FINALITY);
      const store = new MemoryChainStore();
      const running = start(chain, store, { chain: { confirmations } });
      let number = 0;
      const replaced: Hex[] = [];
      for (const depth of [1, 2, 3, SLOTS, SLOTS + 3, FINALITY - 1]) {
        for (let block = 0; block < depth; block++) await chain.block(message(++number));
        await processed(running, (await chain.head()) - behind);
        // the same message number comes back with another id, in the last block of the new branch
        const original = message(number);
        const replacement = message(number, '0x99');
        await chain.reorg(depth, [{ log: replacement, offset: depth - 1 }]);
        replaced.push(original.messageId);
        await chain.mine(behind + 1);
        const head = await chain.head();
        await eventually(`a reorg of ${depth} is applied`, async () => {
          const live = await liveOnChain(chain, head - behind);
          return JSON.stringify(store.content().live) === JSON.stringify(live);
        });
        expect(store.content().live.some((place) => place.startsWith(replacement.messageId))).toBe(true);
      }
      for (const id of replaced) {
        const entry = store.get(id);
        if (entry) expect(entry.orphaned).toBe(true);
      }
      if (behind === 0) {
        expect(store.content().orphaned).toContain(replaced[0]);
        expect(running.watcher.status().reorgs).toBeGreaterThanOrEqual(6);
        expect(await running.metric('indexer_source_orphaned_total')).toBeGreaterThanOrEqual(6);
      }
      expect(running.watcher.status().state).toBe('following');
    },
  );

  it('bring a message back in another block without orphaning it', async () => {
    const chain = await chainOf();
    await chain.mine(FINALITY);
    const store = new MemoryChainStore();
    const running = start(chain, store);
    const log = message(1);
    await chain.block(log);
    await chain.block();
    await processed(running, await chain.head());
    await chain.reorg(2, [{ log, offset: 1 }]);
    await chain.mine(1);
    const head = await chain.head();
    await eventually('it is where it is now', async () => {
      return store.content().live[0] === (await liveOnChain(chain, head))[0];
    });
    expect(store.commits.flatMap(({ orphanings }) => orphanings)).toEqual([]);
  });

  it('bring a message back later', async () => {
    const chain = await chainOf();
    await chain.mine(FINALITY);
    const store = new MemoryChainStore();
    const running = start(chain, store);
    const log = message(1);
    await chain.block(log);
    await processed(running, await chain.head());
    await chain.reorg(1);
    await chain.mine(1);
    await eventually('it is orphaned', () => store.get(log.messageId)?.orphaned === true);
    await chain.block(log);
    await eventually('it is back', () => store.get(log.messageId)?.orphaned === false);
    expect(store.content().live).toEqual(await liveOnChain(chain, await chain.head()));
  });

  it('to a shorter branch orphan what was above its head', async () => {
    const chain = await chainOf();
    await chain.mine(FINALITY);
    const store = new MemoryChainStore();
    const running = start(chain, store);
    await chain.mine(3);
    await chain.block(message(1));
    await processed(running, await chain.head());
    await chain.rpc('anvil_rollback', [3]);
    await chain.block(message(2));
    const head = await chain.head();
    expect(head).toBe(FINALITY + 2);
    await eventually('it is orphaned', () => store.get(message(1).messageId)?.orphaned === true);
    expect(store.content().live).toEqual(await liveOnChain(chain, head));
  });

  it('after a commit that was stored though it failed orphan the message where it was stored last', async () => {
    const chain = await chainOf();
    await chain.mine(FINALITY);
    const store = new MemoryChainStore();
    const running = start(chain, store);
    const log = message(1);
    await chain.block(log);
    await processed(running, await chain.head());
    const before = store.content().live;
    // the answer to the commit that moves the message is lost, and the store stays away until the message is gone
    const fates = ['fail after'] as ('fail' | 'fail after')[];
    store.onCommit = () => fates.shift() ?? 'fail';
    await chain.reorg(1, [{ log, offset: 0 }]);
    await chain.mine(1);
    await eventually('it moved', () => fates.length === 0 && store.content().live[0] !== before[0]);
    await chain.reorg(2);
    await chain.mine(1);
    store.onCommit = () => 'ok';
    await processed(running, await chain.head());
    expect(store.content()).toMatchObject({ live: [], orphaned: [log.messageId] });
  });

  it('that happened while the watcher was down are applied', async () => {
    const chain = await chainOf();
    await chain.mine(FINALITY);
    const store = new MemoryChainStore();
    const first = watch({ urls: [chain.anvil.url], store });
    for (let number = 1; number <= 6; number++) await chain.block(message(number));
    await processed(first, await chain.head());
    await first.stop();
    await chain.reorg(4, [{ log: message(3), offset: 0 }]);
    await chain.block(message(4, '0x77'));
    const second = start(chain, store);
    const head = await chain.head();
    await processed(second, head);
    expect(store.content().live).toEqual(await liveOnChain(chain, head));
    expect(store.content().orphaned).toHaveLength(3);
  });

  it('that happened while the watcher was down are applied also when they are final by now', async () => {
    const chain = await chainOf();
    await chain.mine(FINALITY);
    const store = new MemoryChainStore();
    const first = watch({ urls: [chain.anvil.url], store });
    for (let number = 1; number <= 6; number++) await chain.block(message(number));
    await processed(first, await chain.head());
    await first.stop();
    await chain.reorg(4, [{ log: message(3), offset: 0 }]);
    await chain.mine(300);
    const second = start(chain, store);
    const head = await chain.head();
    await processed(second, head);
    expect(store.content().live).toEqual(await liveOnChain(chain, head));
    expect(store.content().orphaned).toHaveLength(3);
  });

  it('across a finalized block stop that chain, and no other', async () => {
    const [chain, other] = [await chainOf(), await chainOf({ chainId: 2337 })];
    await chain.mine(FINALITY + 10);
    await other.mine(FINALITY + 10);
    const [store, otherStore] = [new MemoryChainStore(), new MemoryChainStore()];
    const common = createCommon();
    const running = start(chain, store, { common });
    const otherRunning = start(other, otherStore, { common, chain: { name: 'b' } });
    await processed(running, FINALITY + 10);
    await processed(otherRunning, FINALITY + 10);
    const cursor = store.content().cursor!;
    expect(cursor.height).toBe(10n);
    await chain.reorg(FINALITY + 3, [{ log: message(1), offset: 0 }]);
    await chain.mine(1);

    const error = await running.ended;
    expect(error).toBeInstanceOf(FinalizedReorgError);
    const actualHash = await chain.hashAt(10);
    expect(error).toMatchObject({
      code: 'FINALIZED_REORG',
      retryable: false,
      details: { chain: 'a', blockNumber: 10, expectedHash: cursor.hash, actualHash },
    });
    expect(error!.message).toMatch(/Check with a block explorer/);
    expect(running.watcher.status()).toMatchObject({ state: 'halted', lastError: { code: 'FINALIZED_REORG' } });
    expect(await running.metric('indexer_source_halted_bool', { chain: 'a' })).toBe(1);
    expect(store.content()).toMatchObject({ cursor, live: [] });

    await other.block(message(7));
    await processed(otherRunning, await other.head());
    expect(otherStore.content().live).toHaveLength(1);
  });

  it('across a finalized block stop the chain also when they happened while the watcher was down', async () => {
    const chain = await chainOf();
    await chain.mine(FINALITY + 10);
    const store = new MemoryChainStore();
    const first = watch({ urls: [chain.anvil.url], store });
    await processed(first, FINALITY + 10);
    await first.stop();
    await chain.reorg(FINALITY + 3);
    await chain.mine(400);
    const second = start(chain, store);
    expect(await second.ended).toBeInstanceOf(FinalizedReorgError);
    expect(store.content().cursor?.height).toBe(10n);
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
