import type { Hex } from '../core/hex.js';
import type { FinalityBasis } from './finality-view.js';
import type { FinalizedDispute } from './finalized-dispute.js';
import type { RpcUrlStatus } from './rpc-client.js';

/**
 * `starting` until the first answer, then `backfilling` while finalized blocks are far ahead, else `following`. `halted`
 * when a finalized block changed; `stopped` when the watcher was told to end.
 */
export type ChainState = 'starting' | 'backfilling' | 'following' | 'halted' | 'stopped';

/** How a watcher stands. Block numbers are safe integers; null before they are known. */
export interface ChainStatus {
  readonly chain: string;
  readonly selector: bigint;
  readonly state: ChainState;
  readonly head: number | null;
  readonly safe: number | null;
  readonly finalized: number | null;
  /** The last block whose messages are stored, final or not. */
  readonly processed: number | null;
  /** As stored: the last finalized block whose messages are all stored. */
  readonly cursor: { readonly height: number; readonly hash: Hex } | null;
  /** Blocks between the head and `processed`. */
  readonly lagBlocks: number | null;
  /** Age of the block `processed`. */
  readonly lagMs: number | null;
  /** What makes a block final; null before the first answer. */
  readonly finality: FinalityBasis | null;
  /** Why the chain cannot be indexed as configured, and what to configure instead; null when it can. */
  readonly problem: string | null;
  /** False when nothing of the chain is ever read as configured. */
  readonly isReadable: boolean;
  /** A finalized block has another hash by the word of one node: nothing is read meanwhile. */
  readonly dispute: FinalizedDispute | null;
  readonly reorgs: number;
  readonly orphaned: number;
  readonly quarantined: number;
  readonly messages: number;
  /** Null again as soon as something succeeds, unless the chain is halted. */
  readonly lastError: { readonly code: string; readonly message: string; readonly atMs: number } | null;
  readonly rpc: readonly RpcUrlStatus[];
}

/** How far a backfill is. */
export interface BackfillProgress {
  readonly chain: string;
  readonly blocksDone: number;
  readonly blocksTotal: number;
  /** Messages and quarantined logs so far. */
  readonly events: number;
  readonly elapsedMs: number;
  readonly blocksPerSecond: number;
  readonly eventsPerSecond: number;
  /** At the rate so far; null before there is one. */
  readonly remainingMs: number | null;
}
