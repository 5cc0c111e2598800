import { expect, it } from 'vitest';
import { createChainMetrics } from '../../../src/chains/chain-metrics.js';
import { createSilenceCheck } from '../../../src/chains/logs/silent-blocks.js';
import { RpcTimeoutError } from '../../../src/chains/rpc/rpc-errors.js';
import type { RpcNode } from '../../../src/chains/rpc/rpc-node.js';
import { createCommon } from '../../../src/core/common.js';
import { ScriptedChain } from '../../support/chain/scripted-chain.js';
import { ON_RAMP } from '../../support/chain/watch.js';

/** Asks both nodes of a chain about its last block, and tells which URLs are passed over for it. */
async function blamedFor(arrange: (chain: ScriptedChain, others: readonly RpcNode[]) => void): Promise<number[]> {
  const chain = new ScriptedChain(2);
  chain.mine(2);
  const client = chain.client();
  const { signal } = new AbortController();
  const blamed: number[] = [];
  const common = createCommon();
  await client.withNode(async (node) => {
    const others = client.others(node, signal);
    arrange(chain, others);
    const askSilent = createSilenceCheck({
      ...{ chain: 'a', log: common.log, metrics: createChainMetrics(common.metrics) },
      rpc: { ...client, others: () => others, blame: ({ origin }) => blamed.push(origin.url) },
      filter: { address: ON_RAMP, topic0: '0x' },
      onLiar: () => undefined,
    });
    await askSilent(node, [{ number: chain.head, hash: chain.hashAt(chain.head) }], signal);
  }, signal);
  return blamed;
}

it('a node that does not have the silent block yet is not passed over, or it would never confirm anything', async () => {
  const behind = (chain: ScriptedChain) => {
    Object.assign(chain.nodes[1] ?? {}, { branch: chain.blocks.slice(0, -1) });
  };
  expect(await blamedFor(behind)).toEqual([]);
});

it('a node that does not answer about the silent block in time is passed over', async () => {
  const silent = (_: ScriptedChain, [other]: readonly RpcNode[]) => {
    const logsOfEach = () => Promise.reject(new RpcTimeoutError({ chain: 'a', url: 1 }, 1));
    Object.assign(other ?? {}, { logsOfEach });
  };
  expect(await blamedFor(silent)).toEqual([1]);
});
