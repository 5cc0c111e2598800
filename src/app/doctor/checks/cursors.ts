import type { ChainHeads, RpcNode } from '../../../chains/rpc/rpc-node.js';
import { chainSourceId } from '../../../chains/source-ids.js';
import { offRampsOf, onRampsOf } from '../../../config/checks/chain-identity.js';
import type { ChainSection } from '../../../config/schema/schema.js';
import type { SourceCursor } from '../../../model/records.js';
import { openRpc } from '../../open-rpc.js';
import { defineCheck, type Look } from '../check.js';
import { finalBlockOf } from '../final-block.js';
import { recordSection, withBackend } from '../record.js';

/** A worker that keeps up is seconds behind. */
const MOST_BEHIND_MS = 300_000;
const BAD_BEHIND_MS = 3_600_000;

type Id = 'cursor-missing' | 'cursor-ahead' | 'cursor-off-chain' | 'cursor-behind' | 'cursor-unconfigured';

/** The cursors of all chains against the chains themselves. */
export const cursorCheck = defineCheck<Id>({
  name: 'cursors',
  about: 'the cursors of all chains against the chains themselves',
  kinds: {
    'cursor-missing': {
      severity: 'warning',
      meaning: 'No block of the OnRamp or OffRamp was ever read, so none of its records is stored.',
      next: 'start a worker with this configuration; `ccv-indexer status` shows those that run',
    },
    'cursor-ahead': {
      severity: 'error',
      meaning:
        'The cursor stands above the newest block of the chain: its nodes are behind, of another chain, or were reset.',
      next:
        'compare the head with a block explorer; if the chain was reset, ' +
        '`ccv-indexer chain resume {subject} --from <block> --dry-run`',
    },
    'cursor-off-chain': {
      severity: 'critical',
      meaning:
        'The block that the cursor stands at is not on the chain any more, although it was final: the chain halts.',
      next:
        'compare with a block explorer; if the nodes are right, ' +
        '`ccv-indexer chain resume {subject} --from <block> --dry-run`',
    },
    'cursor-behind': {
      severity: 'warning',
      meaning:
        'The chain has been final for long beyond the cursor: no worker reads it, or it is slower than the chain.',
      next: '`ccv-indexer status`, then lastError and problem of the source on the /status page of its owner',
    },
    'cursor-unconfigured': {
      severity: 'info',
      meaning: 'A cursor belongs to a chain that is not configured: nothing above it is read, or pruned, any more.',
      next: 'add its [[Chain]] again if that is not meant',
    },
  },
  async run(look) {
    const record = recordSection(look.config);
    if (!record) return;
    const cursors = new Map<string, SourceCursor>();
    await look.each(
      [record],
      ({ Name }) => Name,
      async (section) => {
        const stored = await withBackend(section, look, (backend) => backend.listCursors());
        for (const cursor of stored) cursors.set(cursor.sourceId, cursor);
        await look.each(
          look.config.Chain,
          ({ Name }) => Name,
          (chain) => compare(chain, cursors, look),
        );
        tellUnconfigured(cursors, look);
      },
    );
  },
});

async function compare(chain: ChainSection, all: ReadonlyMap<string, SourceCursor>, look: Look<Id>): Promise<void> {
  const cursors: SourceCursor[] = [];
  for (const { address } of [...onRampsOf(chain), ...offRampsOf(chain)]) {
    const source = chainSourceId(chain.Selector, address);
    const cursor = all.get(source);
    if (cursor) cursors.push(cursor);
    else look.found('cursor-missing', chain.Name, { source });
  }
  if (cursors.length === 0) return;
  const rpc = openRpc(chain, look.common);
  try {
    await rpc.withNode(async (node) => {
      const heads = await node.heads(cursors.map(({ height }) => Number(height)));
      for (const [index, cursor] of cursors.entries()) await judge(chain, cursor, heads, index, node, look);
    }, look.signal);
  } finally {
    await rpc.close();
  }
}

async function judge(
  chain: ChainSection,
  { sourceId: source, height, hash }: SourceCursor,
  heads: ChainHeads,
  index: number,
  node: RpcNode,
  { found }: Look<Id>,
): Promise<void> {
  const head = heads.latest.number;
  if (height > BigInt(head)) return found('cursor-ahead', chain.Name, { source, height, head });
  const block = heads.blocks[index];
  if (!block) return;
  if (hash !== null && block.hash !== hash)
    return found('cursor-off-chain', chain.Name, { source, height, hash, hashNow: block.hash });
  const final = finalBlockOf(chain, heads);
  if (final === null || final <= block.number) return;
  const [finalBlock] = await node.headers([final]);
  const behindMs = (finalBlock?.timestampMs ?? 0) - block.timestampMs;
  if (behindMs <= MOST_BEHIND_MS) return;
  const evidence = { source, height, final, behindBlocks: final - block.number, behindMs };
  found('cursor-behind', chain.Name, evidence, behindMs > BAD_BEHIND_MS ? { severity: 'error' } : {});
}

function tellUnconfigured(cursors: ReadonlyMap<string, SourceCursor>, { config, found }: Look<Id>): void {
  const chains = new Set(config.Chain.map(({ Selector }) => String(Selector)));
  for (const { sourceId, height } of cursors.values()) {
    const [kind, selector = ''] = sourceId.split(':');
    if (kind === 'chain' && !chains.has(selector)) found('cursor-unconfigured', sourceId, { height });
  }
}
