import { createHash } from 'node:crypto';
import type { Hex } from '../../core/hex.js';
import type { MessageOrigin } from '../records.js';

/** Bytes of a hash that tells one payload or origin from another. */
export const PRUNED_HASH_BYTES = 16;

/** The rest of the `ccvData` of a pruned result. */
export function ccvHash(ccvData: Uint8Array): Hex {
  return shortHash(ccvData);
}

/** The rest of the origin of a pruned message. */
export function originHash({
  blockNumber,
  blockHash,
  blockTimestampMs,
  transactionHash,
  logIndex,
}: MessageOrigin): Hex {
  const text = [blockNumber, blockHash.slice(2), blockTimestampMs, transactionHash.slice(2), logIndex].join('|');
  return shortHash(Buffer.from(text));
}

function shortHash(bytes: Uint8Array): Hex {
  return `0x${createHash('sha256')
    .update(bytes)
    .digest('hex')
    .slice(0, 2 * PRUNED_HASH_BYTES)}`;
}
