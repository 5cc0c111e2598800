import type { Hex } from '../core/hex.js';
import type { NewMessage } from '../protocol/records.js';

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

/** A log that failed a check. */
export interface QuarantinedLog {
  /** `<block hash>:<log index>`. */
  readonly key: string;
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
  readonly cursor: (ChainCursor & { readonly expectedHeight: bigint | null }) | null;
}

/** What the watcher of one chain needs of the store behind it. */
export interface ChainStore {
  cursor(): Promise<ChainCursor | null>;
  /** The block at which the chain last halted, and the hash that it was found to have; null when it never did. */
  lastHalt(): Promise<ChainCursor | null>;
  noteHalt(halt: ChainCursor): Promise<void>;
  /** Messages of this chain that are stored (orphaned ones left out) from blocks above `afterBlock`. */
  messagesAbove(afterBlock: bigint): Promise<readonly UnfinalizedMessage[]>;
  /** Resolves once everything is durable. */
  commit(progress: ChainProgress): Promise<void>;
}
