import type { Hex } from '../../core/hex.js';
import type { Confirmations } from './finality-view.js';

/** One contract that sends messages (an OnRamp) or executes them (an OffRamp). */
export interface WatchedRamp {
  /** 20 bytes, hex. */
  readonly address: Hex;
  /** First block to read when the store has no cursor for it. */
  readonly startBlock: number;
}

/** One chain to watch. */
export interface WatchedChain {
  /** For logs, errors and metrics. */
  readonly name: string;
  readonly selector: bigint;
  /**
   * Contracts are replaced: several may have sent messages. None has where a chain is read for executions alone. Ramps
   * without a cursor are read from the lowest of their start blocks on, so that a message below the start block of its
   * own OnRamp is taken when the block is read anyway.
   */
  readonly onRamps: readonly WatchedRamp[];
  /** Contracts whose executions are read in the same requests. Default: none. */
  readonly offRamps?: readonly WatchedRamp[];
  readonly confirmations: Confirmations;
  /**
   * Blocks that a final one has above it, whatever the `finalized` tag claims; where no node knows the tag, this
   * depth is finality. Default 0, and as many as `confirmations` when that is a number.
   */
  readonly minFinalityDepth?: number;
  /** How long one node alone must claim that a finalized block changed before the chain halts. Default 15 min. */
  readonly haltAfterMs?: number;
  readonly pollIntervalMs: number;
  /** Most blocks in one request for logs. */
  readonly maxBlockRange: number;
  /** Default true: where there are several URLs, finalized blocks are confirmed by a second one. */
  readonly crossCheck?: boolean;
  /**
   * In a backfill, the blooms of blocks without logs are checked for logs that a node left out, down to that many
   * blocks below the head. Default 100 000: older ones would take a fetched block each. Blocks that are followed are
   * all checked.
   */
  readonly bloomCheckBlocks?: number;
}

/** The default of `bloomCheckBlocks`. */
export const DEFAULT_BLOOM_CHECK_BLOCKS = 100_000;

/** The OnRamps and OffRamps of a chain: each has a cursor of its own. */
export function rampsOf({
  onRamps,
  offRamps = [],
}: Pick<WatchedChain, 'onRamps' | 'offRamps'>): readonly WatchedRamp[] {
  return [...onRamps, ...offRamps];
}

/** The chain with those of its ramps that are in `ramps`. */
export function withRamps(chain: WatchedChain, ramps: readonly WatchedRamp[]): WatchedChain {
  const { onRamps, offRamps = [] } = chain;
  const isKept = (ramp: WatchedRamp) => ramps.includes(ramp);
  return { ...chain, onRamps: onRamps.filter(isKept), offRamps: offRamps.filter(isKept) };
}

/** The first block to read of `ramps` when the store has no cursor. */
export function firstBlockOf(ramps: readonly WatchedRamp[]): number {
  return Math.min(...ramps.map(({ startBlock }) => startBlock));
}
