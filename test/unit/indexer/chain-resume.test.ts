import { describe, expect, it } from 'vitest';
import type { UnfinalizedExecution, UnfinalizedMessage } from '../../../src/chains/chain-port.js';
import type { Hex } from '../../../src/core/hex.js';
import { planResume, resume } from '../../../src/indexer/chain-resume.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { ScriptedChain } from '../../support/chain/scripted-chain.js';

const SOURCES = ['chain:1:0xaa', 'confirmed:chain:1:0xaa'];

/** Two sources of a chain at blocks 50 and 40, and what is stored of it. */
async function stored(chain: ScriptedChain) {
  const storage = createMemoryStorage({ name: 'memory' });
  const [first, second] = SOURCES as [string, string];
  await storage.insertBatch({
    cursors: [
      { sourceId: first, height: 50n, hash: chain.hashAt(50), expectedHeight: null },
      { sourceId: second, height: 40n, hash: chain.hashAt(40), expectedHeight: null },
    ],
  });
  return storage;
}

const at = (chain: ScriptedChain, id: number, block: number): UnfinalizedMessage => ({
  messageId: `0x${id.toString(16).padStart(64, '0')}` as Hex,
  blockNumber: BigInt(block),
  blockHash: chain.hashAt(block),
});

const lister = (messages: readonly UnfinalizedMessage[], executions: readonly UnfinalizedExecution[] = []) => ({
  messagesAbove: async (above: bigint) => messages.filter(({ blockNumber }) => blockNumber > above),
  executionsAbove: async (above: bigint) => executions.filter(({ blockNumber }) => blockNumber > above),
});

async function setUp(nodeCount = 1) {
  const chain = new ScriptedChain(nodeCount);
  chain.mine(60);
  const storage = await stored(chain);
  const listed = [at(chain, 1, 20), at(chain, 2, 45), at(chain, 3, 58)];
  const archived = [at(chain, 4, 20), at(chain, 5, 44), at(chain, 2, 45)];
  const executed = [{ ...at(chain, 6, 50), logIndex: 2 }];
  const plan = (from: number) =>
    planResume({
      chain: 'a',
      storage,
      sources: SOURCES,
      listed: lister(listed),
      archived: lister(archived, executed),
      rpc: chain.client(),
      from,
      signal: new AbortController().signal,
    });
  return { chain, storage, plan };
}

describe('setting a chain back', () => {
  it('moves every cursor at or above it in one commit, and orphans what was pruned and is gone (promises 1, 9)', async () => {
    const { chain, storage, plan } = await setUp();
    chain.fork(30);
    chain.mine(40);
    const made = await plan(31);
    expect(made).toMatchObject({ from: 31, hash: chain.hashAt(30), storedMessages: 3, goneMessages: 3, untouched: [] });
    expect(made.orphanings.map(({ messageId }) => Number(messageId))).toEqual([5]);
    const executions = made.executionOrphanings.map(({ messageId, logIndex }) => [Number(messageId), logIndex]);
    expect(executions).toEqual([[6, 2]]);
    expect(made.nodes).toEqual([{ url: 0, hash: chain.hashAt(30), head: 70 }]);
    await resume(storage, made);
    for (const { height, hash } of await storage.listCursors())
      expect({ height, hash }).toEqual({ height: 30n, hash: chain.hashAt(30) });
    await expect(resume(storage, made)).rejects.toMatchObject({ name: 'CursorConflictError' });
  });

  it('leaves a cursor that stands below it', async () => {
    const { chain, storage, plan } = await setUp();
    chain.fork(14);
    chain.mine(20);
    await resume(storage, await plan(47));
    expect((await storage.listCursors()).map(({ height }) => height)).toEqual([46n, 40n]);
  });

  it('to a chain that is shorter than its cursors orphans what is above its head', async () => {
    const { chain, plan } = await setUp();
    chain.fork(30);
    chain.mine(10);
    const { orphanings } = await plan(31);
    expect(orphanings.map(({ messageId }) => Number(messageId)).sort()).toEqual([2, 3, 5]);
  });

  it('is refused where a stored message shows that the fork is lower', async () => {
    const { chain, plan } = await setUp();
    chain.fork(30);
    chain.mine(40);
    await expect(plan(46)).rejects.toMatchObject({ code: 'RESUME_FROM_TOO_HIGH' });
    await expect(plan(46)).rejects.toThrow('write --from 44, or a block before it');
  });

  it('is refused above every cursor, and without a node that has the block', async () => {
    const { chain, plan } = await setUp();
    await expect(plan(51)).rejects.toMatchObject({ code: 'RESUME_NOTHING' });
    chain.fork(40);
    await expect(plan(31)).rejects.toMatchObject({ code: 'RESUME_NO_BLOCK' });
  });

  it('is refused while nodes disagree, and not because one is away', async () => {
    const { chain, plan } = await setUp(3);
    const before = [...chain.blocks];
    chain.fork(30);
    chain.mine(40);
    chain.nodes[1]!.branch = before;
    await expect(plan(35)).rejects.toMatchObject({ code: 'RESUME_NODES_DISAGREE' });
    chain.nodes[1]!.isUp = false;
    expect((await plan(35)).nodes.map(({ hash }) => hash)).toEqual([chain.hashAt(34), null, chain.hashAt(34)]);
  });
});
