import type { Hex } from '../core/hex.js';
import type { Confirmations } from './finality-view.js';

/** One chain to watch. */
export interface WatchedChain {
  /** For logs, errors and metrics. */
  readonly name: string;
  readonly selector: bigint;
  /** 20 bytes, hex. */
  readonly onRampAddress: Hex;
  /** First block to read when the store has no cursor. */
  readonly startBlock: number;
  readonly confirmations: Confirmations;
  /**
   * Blocks that a final one has above it, whatever the `finalized` tag claims; where no node knows the tag, this depth is
   * finality. Default 0, and as many as `confirmations` when that is a number.
   */
  readonly minFinalityDepth?: number;
  /** How long one node alone must claim that a finalized block changed before the chain halts. Default 15 min. */
  readonly haltAfterMs?: number;
  readonly pollIntervalMs: number;
  /** Most blocks in one request for logs. */
  readonly maxBlockRange: number;
  /**
   * In a backfill, the blooms of blocks without logs are checked for logs that a node left out, down to that many blocks
   * below the head. Default 100 000: older ones would take a fetched block each. Blocks that are followed are all checked.
   */
  readonly bloomCheckBlocks?: number;
}
