import type { Hex } from '../core/hex.js';
import type { WriteBatch, WriteOutcome } from '../model/batch.js';

/** The last finalized block whose messages are all stored. */
export interface ChainCursor {
  readonly height: bigint;
  readonly hash: Hex;
}

/** A message that was stored from a block above the cursor and may still be reorged out. */
export interface UnfinalizedMessage {
  readonly messageId: Hex;
  readonly blockNumber: bigint;
  readonly blockHash: Hex;
}

/** An execution that was stored from a block above the cursor and may still be reorged out. */
export interface UnfinalizedExecution extends UnfinalizedMessage {
  readonly logIndex: number;
}

/** The store behind the watcher of one chain, of the ramps that it reads together: where the watcher stands. */
export interface ChainStore {
  /** @throws RampsApartError when the ramps of this store are not at one block. */
  cursor(): Promise<ChainCursor | null>;
  /** By ramp: the last block such that two nodes have answered for it and for all blocks below it; null: none yet. */
  confirmed(): Promise<ReadonlyMap<Hex, ChainCursor | null>>;
  /** The block at which the chain last halted, and the hash that it was found to have; null when it never did. */
  lastHalt(): Promise<ChainCursor | null>;
  noteHalt(halt: ChainCursor): Promise<void>;
  /**
   * Messages of these OnRamps that are stored (orphaned ones left out) from blocks above `afterBlock`, up to
   * `throughBlock`.
   */
  messagesAbove(afterBlock: bigint, throughBlock?: bigint): Promise<readonly UnfinalizedMessage[]>;
  /** The same of executions, of the OffRamps. */
  executionsAbove(afterBlock: bigint, throughBlock?: bigint): Promise<readonly UnfinalizedExecution[]>;
}

/** Where watchers write to. */
export interface BatchWriter {
  /**
   * Stores the batch in one transaction, its cursors with its records. Resolves once all of it is durable.
   * @throws CursorConflictError (retryable) when another process moved a cursor first: nothing is stored, and the
   * cursors have to be read again. LeaseLostError when another process watches the chain now: nothing is stored.
   */
  insertBatch(batch: WriteBatch): Promise<WriteOutcome>;
}
