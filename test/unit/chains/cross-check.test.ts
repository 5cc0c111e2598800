import { expect, it } from 'vitest';
import { MemoryChainStore } from '../../support/chain/memory-chain-store.js';
import { ScriptedChain, type ScriptedNode } from '../../support/chain/scripted-chain.js';
import { watchScripted } from '../../support/chain/scripted-watch.js';
import { ON_RAMP } from '../../support/chain/watch.js';

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

it('blocks that are confirmed are not asked about again for an OnRamp that is added above them', async () => {
  const chain = new ScriptedChain(2);
  chain.mine(300);
  const store = new MemoryChainStore();
  const first = await watchScripted(chain, { ...options, store });
  await first.poll(40);
  const { height, hash } = (await store.confirmed()).get(ON_RAMP) ?? { height: -1n, hash: '0x' };
  expect(height).toBeGreaterThan(200n);
  await first.stop();
  for (const { asked } of chain.nodes) asked.logs.splice(0);
  const added = { address: '0x00000000000000000000000000000000000000aa', startBlock: 200 } as const;
  store.confirmed = async () =>
    new Map([
      [ON_RAMP, { height, hash }],
      [added.address, null],
    ]);
  const onRamps = [{ address: ON_RAMP, startBlock: 0 }, added];
  const second = await watchScripted(chain, { chain: { ...options.chain, onRamps }, store });
  await second.poll(20);
  await second.stop();
  expect(Math.min(...chain.nodes.flatMap(({ asked }) => asked.logs.map(([from]) => from)))).toBe(200);
});
