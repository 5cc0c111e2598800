import { RpcError, RpcWrongChainError } from '../../../chains/rpc/rpc-errors.js';
import type { ChainHeads } from '../../../chains/rpc/rpc-node.js';
import type { ChainSection } from '../../../config/schema/schema.js';
import type { Common } from '../../../core/common.js';
import { openRpc } from '../../open-rpc.js';
import { defineCheck, type Look } from '../check.js';

/** Blocks by which a node may be behind the best one: as the pool of a worker has it. */
const MOST_LAG_BLOCKS = 10;
/** A block's time is that of the machine that made it. */
const MOST_AHEAD_MS = 60_000;
/** Chains make blocks every few seconds. */
const STALE_MS = 900_000;

type NodeAnswer = { readonly url: number } & (
  | { readonly heads: ChainHeads; readonly chainId: number | null }
  | { readonly error: RpcError }
);

/** Every RPC URL of every chain: whether it answers, of which chain it is, how far it is. */
export const rpcNodeCheck = defineCheck({
  name: 'rpc-nodes',
  about: 'every RPC URL of every chain: whether it answers, of which chain it is, how far it is',
  kinds: {
    'chain-unreachable': {
      severity: 'error',
      meaning: 'No RPC URL of the chain gives a usable answer, so its messages are not found.',
      next: 'see RpcUrls and the nodes; the workers go on by themselves once one answers',
    },
    'rpc-unreachable': {
      severity: 'warning',
      meaning: 'One of the RPC URLs gives no usable answer, and the others do its work.',
      next: 'see RpcUrls[{url}] of the chain and its node, or take it out',
    },
    'rpc-wrong-chain': {
      severity: 'error',
      meaning: 'A node is of another chain than the one configured, so nothing that it says is used.',
      next: 'replace RpcUrls[{url}] of the chain, or correct its Selector or ChainID',
    },
    'rpc-lagging': {
      severity: 'warning',
      meaning: 'A node is many blocks behind another one of its chain, and is asked last.',
      next: 'see the node behind RpcUrls[{url}], or put it at the end of the list',
    },
    'chain-stale': {
      severity: 'error',
      meaning: 'The newest block of the chain is old: the chain or all of its nodes stand still.',
      next: 'compare the head with a block explorer; replace the nodes if the chain goes on',
    },
    'block-time-ahead': {
      severity: 'warning',
      meaning: "The newest block of the chain is from the future by this machine's clock.",
      next: "set this machine's clock; see the finding clock-skew",
    },
  },
  async run(look) {
    await look.each(
      look.config.Chain,
      ({ Name }) => Name,
      async (section) => {
        const answers = await Promise.all(
          section.RpcUrls.map((_, url) => askNode(section, url, look.common, look.signal)),
        );
        judge(section, answers, look);
      },
    );
  },
});

async function askNode(section: ChainSection, url: number, common: Common, signal: AbortSignal): Promise<NodeAnswer> {
  const rpc = openRpc({ ...section, RpcUrls: section.RpcUrls.slice(url, url + 1) }, common);
  try {
    const heads = await rpc.withNode((node) => node.heads([]), signal);
    return { url, heads, chainId: rpc.chainId };
  } catch (thrown) {
    if (thrown instanceof RpcError) return { url, error: thrown };
    throw thrown;
  } finally {
    await rpc.close();
  }
}

function judge(
  { Name }: ChainSection,
  answers: readonly NodeAnswer[],
  {
    common,
    found,
  }: Look<
    'chain-unreachable' | 'rpc-unreachable' | 'rpc-wrong-chain' | 'rpc-lagging' | 'chain-stale' | 'block-time-ahead'
  >,
): void {
  const good = answers.flatMap((answer) => ('heads' in answer ? [answer] : []));
  const [best] = [...good].sort((a, b) => b.heads.latest.number - a.heads.latest.number);
  for (const answer of answers) {
    const { url } = answer;
    if ('error' in answer) {
      const { reason, code } = answer.error;
      if (answer.error instanceof RpcWrongChainError) found('rpc-wrong-chain', Name, { url, reason });
      else if (best) found('rpc-unreachable', Name, { url, reason, code });
    } else if (best) {
      const { number: head } = answer.heads.latest;
      const bestHead = best.heads.latest.number;
      if (answer.chainId !== best.chainId)
        found('rpc-wrong-chain', Name, { url, chainId: answer.chainId, others: best.chainId });
      else if (bestHead - head > MOST_LAG_BLOCKS) found('rpc-lagging', Name, { url, head, bestHead });
    }
  }
  if (!best) {
    const reasons = answers.flatMap((answer) => ('error' in answer ? [`${answer.url}: ${answer.error.reason}`] : []));
    found('chain-unreachable', Name, { urls: answers.length, reasons });
    return;
  }
  const { number: head, timestampMs } = best.heads.latest;
  const ageMs = common.clock.nowMs() - timestampMs;
  if (ageMs > STALE_MS) found('chain-stale', Name, { head, ageMs, mostMs: STALE_MS });
  if (ageMs < -MOST_AHEAD_MS) found('block-time-ahead', Name, { head, aheadMs: -ageMs });
}
