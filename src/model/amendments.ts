import type { Hex } from '../core/hex.js';
import type { Lane } from '../protocol/message.js';
import type { AsOf } from './coverage.js';
import type { OrderKey } from './order.js';
import type { StoredMessage } from './records.js';

/** A record that was listed at `key` until a later change took it out of the lists or moved it in time. */
export interface Move {
  readonly record: 'message' | 'verifierResult';
  readonly key: OrderKey;
  readonly lane: Lane;
}

/** The moves that amend a list of a storage at an earlier position, at most `MAX_MOVES`. */
export interface Moves {
  /** Records listed up to a time at the position asked about, and now no longer at that place. */
  readonly moves: readonly Move[];
  readonly asOf: AsOf;
}

/** Outlines of the messages that changed after the position asked about, orphaned ones too, in their present state. */
export interface ChangedMessages {
  readonly messages: readonly StoredMessage[];
  readonly asOf: AsOf;
}

/** More moves than this are too many to correct a list by: a `CoverageGapError` until the tier has caught up. */
export const MAX_MOVES = 10_000;

/** The question about moves. */
export interface MovesQuery {
  readonly afterPosition: bigint;
  /** Only moves away from times up to and including this; the asker's last commit at `afterPosition` at most. */
  readonly throughMs: number;
}

/** The question about messages. */
export interface ChangedMessagesQuery {
  readonly afterPosition: bigint;
  readonly messageIds: readonly Hex[];
}
