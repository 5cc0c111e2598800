import { describe, expect, it } from 'vitest';
import { FinalizedReorgError } from '../../../src/chains/chain-errors.js';
import type { Confirmations } from '../../../src/chains/watch/finality-view.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import type { AnvilChain } from '../../support/chain/anvil-chain.js';
import { chainFixture, message } from '../../support/chain/chain-fixture.js';
import { MemoryChainStore } from '../../support/chain/memory-chain-store.js';
import { liveOnChain, processed, watch } from '../../support/chain/watch.js';
import { eventually } from '../../support/eventually.js';

/** safe = latest − SLOTS, finalized = latest − 2 × SLOTS */
const SLOTS = 8;
const FINALITY = 2 * SLOTS;
const { chainOf, start } = chainFixture(SLOTS);

/** A chain beyond its first finalized block, and a watcher of it. */
async function watched(confirmations: Confirmations = 'latest') {
  const chain = await chainOf();
  await chain.mine(FINALITY);
  const store = new MemoryChainStore();
  return { chain, store, running: start(chain, store, { chain: { confirmations } }) };
}

describe('reorgs', () => {
  const MODES: readonly { confirmations: Confirmations; behind: number }[] = [
    { confirmations: 'latest', behind: 0 },
    { confirmations: 2, behind: 2 },
    { confirmations: 'safe', behind: SLOTS },
  ];

  it.each(MODES)(
    'of any depth above finality are applied with confirmations = $confirmations',
    async ({ confirmations, behind }) => {
      const { chain, store, running } = await watched(confirmations);
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
    const { chain, store, running } = await watched();
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
    const { chain, store, running } = await watched();
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
    const { chain, store, running } = await watched();
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
    const { chain, store, running } = await watched();
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

  it.each([
    { afterwards: 'above finality', end: async (chain: AnvilChain) => await chain.block(message(4, '0x77')) },
    { afterwards: 'also when they are final by now', end: async (chain: AnvilChain) => await chain.mine(300) },
  ])('that happened while the watcher was down are applied, $afterwards', async ({ end }) => {
    const chain = await chainOf();
    await chain.mine(FINALITY);
    const store = new MemoryChainStore();
    const first = watch({ urls: [chain.anvil.url], store });
    for (let number = 1; number <= 6; number++) await chain.block(message(number));
    await processed(first, await chain.head());
    await first.stop();
    await chain.reorg(4, [{ log: message(3), offset: 0 }]);
    await end(chain);
    const second = start(chain, store);
    const head = await chain.head();
    await processed(second, head);
    expect(store.content().live).toEqual(await liveOnChain(chain, head));
    expect(store.content().orphaned).toHaveLength(3);
  });

  it('across a finalized block stop that chain, and no other', async () => {
    const [chain, other] = [await chainOf(), await chainOf({ chainId: 31337 })];
    await chain.mine(FINALITY + 10);
    await other.mine(FINALITY + 10);
    const [store, otherStore] = [new MemoryChainStore(), new MemoryChainStore()];
    const common = createCommon();
    const running = start(chain, store, { common, chain: { haltAfterMs: 0 } });
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
    const second = start(chain, store, { chain: { haltAfterMs: 0 } });
    expect(await second.ended).toBeInstanceOf(FinalizedReorgError);
    expect(store.content().cursor?.height).toBe(10n);
  });
});
