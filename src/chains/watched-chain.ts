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
  readonly pollIntervalMs: number;
  /** Most blocks in one request for logs. */
  readonly maxBlockRange: number;
  /** Default true: where there are several URLs, finalized blocks are confirmed by a second one. */
  readonly crossCheck?: boolean;
  /**
   * In a backfill, the blooms of blocks without logs are checked for logs that a node left out, down to that many blocks
   * below the head. Default 100 000: older ones would take a fetched block each. Blocks that are followed are all checked.
   */
  readonly bloomCheckBlocks?: number;
}
