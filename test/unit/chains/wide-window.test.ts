import { describe, expect, it } from 'vitest';
import { MemoryChainStore } from '../../support/chain/memory-chain-store.js';
import { ScriptedChain } from '../../support/chain/scripted-chain.js';
import { type ScriptedWatch, watchScripted } from '../../support/chain/scripted-watch.js';

const WIDTH = 50_000;
const LATEST = { confirmations: 'latest' } as const;

/** Finality so many blocks behind, and a watcher that was there before. */
async function wide(width: number, before = 0) {
  const chain = new ScriptedChain();
  const [node] = chain.nodes;
  node!.finalized = { depth: width };
  chain.mine(before + 100);
  const low = chain.message();
  chain.mine(width - 200);
  const high = chain.message();
  chain.mine(20);
  return { chain, node: node!, low, high };
}

const storedAt = (store: MemoryChainStore, id: string) =>
  store.commits.findIndex(({ messages }) => messages.some(({ messageId }) => messageId === id));

async function untilWhole({ watcher, poll }: ScriptedWatch, head: () => number): Promise<void> {
  for (let polls = 0; polls < 50 && watcher.status().processed !== head(); polls++) await poll();
  expect(watcher.status().processed).toBe(head());
}

describe('a window of fifty thousand blocks', () => {
  it('costs a start a few requests until the newest message is stored, and a poll what is new', async () => {
    const { chain, node, low, high } = await wide(WIDTH);
    let requestsUntilHigh = 0;
    const store = new MemoryChainStore();
    store.onCommit = ({ messages }) => {
      if (messages.some(({ messageId }) => messageId === high.messageId)) requestsUntilHigh = node.asked.requests;
      return 'ok';
    };
    const watched = await watchScripted(chain, { chain: LATEST, store });
    await untilWhole(watched, () => chain.head);
    expect(requestsUntilHigh).toBeLessThan(20);
    expect(storedAt(store, high.messageId)).toBeLessThan(storedAt(store, low.messageId));
    expect(store.content().live).toEqual(chain.live());
    // each header once, and little more
    expect(node.asked.headers).toBeLessThan(WIDTH * 1.05);

    const { requests, headers } = { ...node.asked };
    const logsBefore = node.asked.logs.length;
    const polls = 100;
    for (let poll = 0; poll < polls; poll++) {
      if (poll % 10 === 0) chain.message();
      else chain.mine(1);
      await watched.poll();
    }
    const logs = node.asked.logs.slice(logsBefore);
    expect(node.asked.requests - requests).toBeLessThanOrEqual(3 * polls);
    expect(node.asked.headers - headers).toBeLessThanOrEqual(4 * polls);
    expect(logs.every(([from, to]) => to - from < 2 && from > chain.head - polls)).toBe(true);
    expect(store.content().live).toEqual(chain.live());
    // nothing new: one request
    const still = node.asked.requests;
    await watched.poll(10);
    expect(node.asked.requests - still).toBe(10);
    await watched.stop();
  });

  it('is read again only where a reorg changed it (promise 9)', async () => {
    const { chain, node } = await wide(5_000);
    const watched = await watchScripted(chain, { chain: LATEST });
    await untilWhole(watched, () => chain.head);
    chain.mine(3);
    const lost = chain.message();
    const moved = chain.message();
    await watched.poll();
    const logsBefore = node.asked.logs.length;
    chain.fork(3);
    chain.mine(3);
    chain.message(moved);
    await watched.poll();
    expect(watched.store.get(lost.messageId)?.orphaned).toBe(true);
    expect(watched.store.get(moved.messageId)?.orphaned).toBe(false);
    expect(watched.store.content().live).toEqual(chain.live());
    expect(node.asked.logs.slice(logsBefore)).toEqual([[chain.head - 3, chain.head]]);
    expect(watched.store.commits.flatMap(({ orphanings }) => orphanings)).toHaveLength(1);
    await watched.stop();
  });

  it.each([
    { when: 'while it runs', restart: false },
    { when: 'while it was down', restart: true },
  ])(
    'that forks deep below the linked blocks $when is what the chain is, and no message that moved was ever gone',
    async ({ restart }) => {
      const { chain, low } = await wide(5_000);
      const options = { chain: LATEST, watcher: { linkBlocks: 64 } };
      const first = await watchScripted(chain, options);
      await untilWhole(first, () => chain.head);
      const { store } = first;
      if (restart) await first.stop();
      // to below the message that was low in the window: it is in the last block then, and others take its place
      chain.fork(chain.head - 90);
      const others = [chain.message(), chain.message()];
      chain.mine(4_960);
      chain.message(low);
      const watched = restart ? await watchScripted(chain, { ...options, store, clock: first.clock }) : first;
      await untilWhole(watched, () => chain.head);
      await watched.poll(2);
      expect(watched.ended()).toBeNull();
      expect(store.content().live).toEqual(chain.live());
      expect(others.map(({ messageId }) => store.get(messageId)?.orphaned)).toEqual([false, false]);
      expect(store.commits.flatMap(({ orphanings }) => orphanings.map(({ messageId }) => messageId))).not.toContain(
        low.messageId,
      );
      await watched.stop();
    },
  );

  it('moves the cursor as blocks become final, and a restart goes on from there', async () => {
    const { chain } = await wide(3_000, 500);
    const options = { chain: LATEST, watcher: { linkBlocks: 64 } };
    const watched = await watchScripted(chain, options);
    await untilWhole(watched, () => chain.head);
    for (let step = 0; step < 4; step++) {
      chain.mine(1_000);
      chain.message();
      await watched.poll();
      await untilWhole(watched, () => chain.head);
    }
    const { cursor, live } = watched.store.content();
    expect(Number(cursor?.height)).toBe(chain.head - 3_000);
    expect(cursor?.hash).toBe(chain.hashAt(Number(cursor?.height)));
    expect(live).toEqual(chain.live());
    await watched.stop();
  });

  it('is read once more where it becomes final: a node may tell of a block before it has its logs (promise 11)', async () => {
    const chain = new ScriptedChain();
    const [node] = chain.nodes;
    node!.finalized = { depth: 10 };
    chain.mine(30);
    const watched = await watchScripted(chain, { chain: LATEST });
    node!.withoutLogs = true;
    const late = chain.message();
    await watched.poll();
    expect(watched.store.get(late.messageId)).toBeUndefined();
    node!.withoutLogs = false;
    chain.mine(5);
    await watched.poll();
    chain.mine(8);
    await watched.poll();
    expect(watched.store.content().live).toEqual(chain.live());
    await watched.stop();
  });
});
