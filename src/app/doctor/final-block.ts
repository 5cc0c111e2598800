import type { ChainHeads } from '../../chains/rpc/rpc-node.js';
import { finalityDepth } from '../../chains/watch/finality-view.js';
import type { ChainSection } from '../../config/schema/schema.js';

/** The last final block by the word of one node, as a worker takes it; null where it cannot tell. */
export function finalBlockOf(
  { Confirmations, MinFinalityDepth }: Pick<ChainSection, 'Confirmations' | 'MinFinalityDepth'>,
  { latest, finalized }: ChainHeads,
): number | null {
  const depth = finalityDepth(Confirmations, MinFinalityDepth);
  if (finalized) return Math.min(finalized.number, latest.number - depth);
  return depth > 0 ? latest.number - depth : null;
}
