import type { BloomTest } from '../logs/log-bloom.js';
import type { BlockHeader } from '../rpc/block-header.js';
import type { RpcNode } from '../rpc/rpc-node.js';
import type { HeaderChain, KnownBlock } from './header-chain.js';

const FIRST_STEP_BACK = 8;
const MAX_STEP_BACK = 256;
/** Their numbers alone would take the memory; no chain has so many that are not final. */
const MAX_NEW_BLOCKS = 1_000_000;

/**
 * Brings the known blocks in line with `node` up to block `to`, from the top down: when the highest known block is
 * still on the chain all below it are. Otherwise the fork is looked for downwards, in steps that double, and the
 * blocks above it are dropped. Known blocks above `to` stay unless a block below them changed: that a node is behind
 * is no evidence. `given` are blocks that the node has told of just now.
 * @returns false when the chain forked below the base: nothing was changed.
 * @throws ChainMovedError, RpcError
 */
export async function syncHeaders(
  node: RpcNode,
  chain: HeaderChain,
  to: number,
  given: readonly BlockHeader[],
  mayHoldMessage: BloomTest,
): Promise<boolean> {
  const headers = new Map(given.map((header) => [header.number, header]));
  const top = Math.min(to, chain.tip.number);
  const known = top < chain.base.number ? null : chain.hashAt(top);
  if (known !== null) {
    await fetchInto(headers, node, [top]);
    if (headers.get(top)?.hash !== known) {
      const fork = await findFork(node, chain, top);
      if (fork === null) return false;
      chain.truncate(fork);
    }
  }
  if (to - chain.tip.number > MAX_NEW_BLOCKS)
    throw node.invalid(`block ${to} is more than ${MAX_NEW_BLOCKS} blocks above block ${chain.tip.number}`);
  const numbers = blockNumbers(chain.tip.number + 1, to);
  await fetchInto(headers, node, numbers);
  for (const number of numbers) {
    const header = headers.get(number);
    if (!header) continue;
    const parent = headers.get(number - 1) ?? chain.at(number - 1);
    if (parent && header.timestampMs < parent.timestampMs)
      throw node.invalid(`timestamp of block ${number} is before that of block ${number - 1}`);
    chain.append(knownBlock(header, mayHoldMessage));
  }
  return true;
}

async function fetchInto(headers: Map<number, BlockHeader>, node: RpcNode, numbers: readonly number[]): Promise<void> {
  const wanted = numbers.filter((number) => !headers.has(number));
  if (wanted.length === 0) return;
  for (const [index, header] of (await node.headers(wanted)).entries()) {
    if (!header) throw node.missing(wanted[index] ?? 0);
    headers.set(header.number, header);
  }
}

/** The highest known block below `above` that is still on the chain, down to the base; null when none is. */
async function findFork(node: RpcNode, chain: HeaderChain, above: number): Promise<number | null> {
  const { base } = chain;
  // a base of unknown hash is whatever is there
  const lowest = base.hash === null ? base.number + 1 : base.number;
  let step = FIRST_STEP_BACK;
  for (let end = above - 1; end >= lowest; end -= step, step = Math.min(MAX_STEP_BACK, step * 2)) {
    const numbers = blockNumbers(Math.max(lowest, end - step + 1), end);
    const headers = await node.headers(numbers);
    const common = headers.findLast((header) => header !== null && header.hash === chain.hashAt(header.number));
    if (common) return common.number;
  }
  return base.hash === null ? base.number : null;
}

function knownBlock(header: BlockHeader, mayHoldMessage: BloomTest): KnownBlock {
  const { number, hash, parentHash, timestampMs, logsBloom } = header;
  return {
    number,
    hash,
    parentHash,
    timestampMs,
    mayHoldMessage: mayHoldMessage(logsBloom),
    hasBloom: logsBloom !== null,
  };
}

function blockNumbers(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}
