import { expect, it } from 'vitest';
import type { MemoryChainStore } from '../../support/memory-chain-store.js';
import { ScriptedChain, type ScriptedNode } from '../../support/scripted-chain.js';
import { watchScripted } from '../../support/scripted-watch.js';

const options = { chain: { maxBlockRange: 10 } };

/** A chain with messages in blocks 11 to 30, final and stored by a watcher that knew one node only. */
async function storedByOneNode(): Promise<{ readonly chain: ScriptedChain; readonly store: MemoryChainStore }> {
  const chain = new ScriptedChain(2);
  chain.mine(10);
  for (let block = 0; block < 20; block++) chain.message();
  chain.mine(200);
  const alone = await watchScripted(chain, { ...options, chain: { ...options.chain, crossCheck: false } });
  await alone.stop();
  return { chain, store: alone.store };
}

it('promise 9: a node on a fork of stored blocks is not believed about blocks below, although it alone answers', async () => {
  const { chain, store } = await storedByOneNode();
  const before = store.content();
  expect(before.live).toHaveLength(20);
  const fork = new ScriptedChain();
  fork.mine(15);
  for (let block = 0; block < 5; block++) fork.message();
  fork.mine(210);
  const [good, other] = chain.nodes as readonly [ScriptedNode, ScriptedNode];
  good.isUp = false;
  other.branch = fork.blocks;
  const restarted = await watchScripted(chain, { ...options, store });
  await restarted.poll(20);
  expect(restarted.watcher.status()).toMatchObject({ dispute: {}, crossCheck: { foundLogs: 0, confirmedBlock: null } });
  expect(store.content()).toEqual(before);
  await restarted.stop();
});

it('promise 11: logs that were stored before a restart are not counted as found', async () => {
  const { chain, store } = await storedByOneNode();
  const restarted = await watchScripted(chain, { ...options, store });
  await restarted.poll(20);
  expect(restarted.watcher.status().crossCheck).toMatchObject({ unconfirmedBlocks: 0, foundLogs: 0, lyingUrls: [] });
  await restarted.stop();
});
