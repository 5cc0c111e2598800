import type { Hex } from '../../core/hex.js';
import type { FinalizedDispute } from '../finalized-dispute.js';
import type { BloomWorth } from '../logs/log-bloom.js';
import type { RpcUrlStatus } from '../rpc/endpoint-order.js';
import type { FinalityBasis } from './finality-view.js';

/**
 * `starting` until the first answer, then `backfilling` while finalized blocks are far ahead, else `following`.
 * `halted` when a finalized block changed; `stopped` when the watcher was told to end.
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
  /** The basis of finality; null before the first answer. */
  readonly finality: FinalityBasis | null;
  /** For people: why the chain cannot be indexed as configured, and the setting to change; null when it can. */
  readonly problem: string | null;
  /** False when nothing of the chain is ever read as configured. */
  readonly isReadable: boolean;
  /** A finalized block has another hash by the word of one node: nothing is read meanwhile. */
  readonly dispute: FinalizedDispute | null;
  readonly reorgs: number;
  readonly orphaned: number;
  readonly quarantined: number;
  readonly messages: number;
  readonly executions: number;
  /** Null again as soon as something succeeds, unless the chain is halted. */
  readonly lastError: { readonly code: string; readonly message: string; readonly atMs: number } | null;
  readonly crossCheck: CrossCheckStatus;
  readonly rpc: readonly RpcUrlStatus[];
}

/** How far the silence of the nodes is confirmed. */
export interface CrossCheckStatus {
  /**
   * `on`: finalized blocks are confirmed by a second URL · `off`: by `CrossCheck = false` · `oneUrl`: there is no
   * second URL, and nothing vouches for its answers.
   */
  readonly state: 'on' | 'off' | 'oneUrl';
  /** Two URLs have answered for this block and all below it. */
  readonly confirmedBlock: number | null;
  /** Finalized blocks that only one URL has answered for, or that were answered for by URLs found lying. */
  readonly unconfirmedBlocks: number;
  /** Requests sent to confirm blocks, since the process began. */
  readonly requests: number;
  /** Logs that only the second URL told, since the process began. */
  readonly foundLogs: number;
  /** Indexes of the URLs that left out logs, since the process began. */
  readonly lyingUrls: readonly number[];
  /** Whether the blooms of blocks tell of a log that was left out. */
  readonly blooms: BloomWorth;
}

/** How one OnRamp or OffRamp of a chain stands. */
export interface RampStatus {
  readonly address: Hex;
  readonly startBlock: number;
  /** `catchingUp`: it was added later, and is read up to the others' cursor before it joins them. */
  readonly state: 'watched' | 'catchingUp';
  /** The last finalized block whose records of this ramp are all stored. */
  readonly through: number | null;
  /** False when there is no contract at the address; null while no node has told. */
  readonly hasCode: boolean | null;
  /** Why it cannot catch up. */
  readonly lastError: string | null;
}

/** How a chain with all its OnRamps and OffRamps stands. */
export interface ChainSourceStatus extends ChainStatus {
  /** The EIP-155 chain id that every node must have; null until it is known. */
  readonly chainId: number | null;
  readonly onRamps: readonly RampStatus[];
  readonly offRamps: readonly RampStatus[];
}

/** How far a backfill is. */
export interface BackfillProgress {
  readonly chain: string;
  readonly blocksDone: number;
  readonly blocksTotal: number;
  /** Messages, executions and quarantined logs so far. */
  readonly events: number;
  readonly elapsedMs: number;
  readonly blocksPerSecond: number;
  readonly eventsPerSecond: number;
  /** At the rate so far; null before there is one. */
  readonly remainingMs: number | null;
}
