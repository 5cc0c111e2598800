import type { Hex } from '../core/hex.js';
import type { NewMessage } from '../protocol/records.js';

/** The last finalized block whose messages are all stored. */
export interface ChainCursor {
  readonly height: bigint;
  readonly hash: Hex;
}

/** A move of a cursor; `expectedHeight` is what the mover last saw. */
export interface ChainCursorMove extends ChainCursor {
  readonly expectedHeight: bigint | null;
}

/** A message that was stored from a block above the cursor and may still be reorged out. */
export interface UnfinalizedMessage {
  readonly messageId: Hex;
  readonly blockNumber: bigint;
  readonly blockHash: Hex;
}

/** A log that failed a check. */
export interface QuarantinedLog {
  /** `<block hash>:<log index>`. */
  readonly key: string;
  /** The contract that emitted it. */
  readonly onRampAddress: Hex;
  readonly reason: string;
  readonly detail: string;
  readonly raw: Uint8Array;
  readonly messageId: Hex | null;
}

/** What one step of the watcher found. Stored whole, in one transaction, or not at all. */
export interface ChainProgress {
  readonly messages: readonly NewMessage[];
  /** Messages whose block is no longer on the chain. */
  readonly orphanings: readonly { readonly messageId: Hex; readonly blockHash: Hex }[];
  readonly quarantine: readonly QuarantinedLog[];
  /** The new cursor; null when only blocks above it were read. */
  readonly cursor: ChainCursorMove | null;
  /** Moves of the last confirmed block. */
  readonly confirmed?: readonly (ChainCursorMove & { readonly onRampAddress: Hex })[];
}

/** What the watcher of one chain needs of the store behind it: that of the OnRamps which it reads together. */
export interface ChainStore {
  /** @throws OnRampsApartError when the OnRamps of this store are not at one block. */
  cursor(): Promise<ChainCursor | null>;
  /** By OnRamp: the last block such that two nodes have answered for it and for all blocks below it; null: none yet. */
  confirmed(): Promise<ReadonlyMap<Hex, ChainCursor | null>>;
  /** The block at which the chain last halted, and the hash that it was found to have; null when it never did. */
  lastHalt(): Promise<ChainCursor | null>;
  noteHalt(halt: ChainCursor): Promise<void>;
  /** Messages of these OnRamps that are stored (orphaned ones left out) from blocks above `afterBlock`, up to `throughBlock`. */
  messagesAbove(afterBlock: bigint, throughBlock?: bigint): Promise<readonly UnfinalizedMessage[]>;
  /** Resolves once everything is durable. */
  commit(progress: ChainProgress): Promise<void>;
}
