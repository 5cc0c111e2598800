import type { LaneBoard } from './lane-board.js';
import { isVerified } from './open-message.js';

/** How many messages of a board are in which state. */
export interface MessageTotals {
  /** Those that lists show, by their numbers. */
  readonly total: bigint;
  /** A verification is waited for. */
  readonly processing: bigint;
  /** Verified. */
  readonly success: bigint;
  /** Given up. */
  readonly timeout: bigint;
  /** A reorg removed them, up to 100 000. */
  readonly orphaned: bigint;
}

export function messageTotals(board: LaneBoard): MessageTotals {
  let [total, processing, timeout] = [0n, 0n, 0n];
  for (const { onRamps } of board.lanes())
    for (const { numbers } of onRamps.values())
      if (numbers.first !== null && numbers.highest !== null)
        total += numbers.highest - numbers.first + 1n - numbers.missing();
  for (const open of board.openMessages()) {
    if (open.message === null || isVerified(open)) continue;
    if (open.status === 'timeout') timeout += 1n;
    else processing += 1n;
  }
  return { total, processing, success: total - processing - timeout, timeout, orphaned: BigInt(board.orphaned) };
}
