import type { Hex } from '../core/hex.js';

/** The claim that one node repeats about a block that was final. */
export interface FinalizedClaim {
  /** Index of its URL. */
  readonly url: number;
  readonly hash: Hex;
  /** Since when it has said nothing else, unix ms. */
  readonly sinceMs: number;
}

/** A block that was final and has another hash by the word of some node. */
export interface FinalizedDispute {
  readonly blockNumber: number;
  readonly expectedHash: Hex;
  /** The nodes that have another hash. */
  readonly claims: readonly FinalizedClaim[];
  /** Indexes of the URLs that gave no answer about the block. */
  readonly silentUrls: readonly number[];
  /** When the chain halts unless a node contradicts before, unix ms. */
  readonly haltsAtMs: number;
}
