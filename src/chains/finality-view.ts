import type { ChainHeads } from './rpc-node.js';

/** Which blocks are read: up to the finalized one, the safe one, the latest, or that many blocks below the latest. */
export type Confirmations = 'finalized' | 'safe' | 'latest' | number;

/**
 * The last block to read. Never below `finalized`; a chain without a safe
 * block is read up to the finalized one (wire facts, section 3).
 */
export function lastReadableBlock(confirmations: Confirmations, heads: ChainHeads, finalized: number): number {
  switch (confirmations) {
    case 'finalized':
      return finalized;
    case 'safe':
      return Math.max(finalized, heads.safe?.number ?? finalized);
    case 'latest':
      return heads.latest.number;
    default:
      return Math.max(finalized, heads.latest.number - confirmations);
  }
}
