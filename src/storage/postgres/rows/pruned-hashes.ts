import { createHash } from 'node:crypto';
import type { Hex } from '../../../core/hex.js';
import type { MessageOrigin } from '../../../model/records.js';

/** Bytes of a hash that tells one payload or origin from another. */
const HASH_BYTES = 16;

/** What is left of the `ccvData` of a pruned result. */
export function ccvHash(ccvData: Uint8Array): Hex {
  return shortHash(ccvData);
}

/** What is left of the origin of a pruned message. `ORIGIN_HASH` is the same in SQL. */
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

/** Over a row `m` of messages. */
export const ORIGIN_HASH = `substr(sha256(convert_to(concat_ws('|', m.block_number, encode(m.block_hash, 'hex'),
  m.block_timestamp_ms, encode(m.transaction_hash, 'hex'), m.log_index), 'UTF8')), 1, ${HASH_BYTES})`;

/** Over a row `r` of verifier results. */
export const CCV_HASH = `substr(sha256(r.ccv_data), 1, ${HASH_BYTES})`;

/** Identity of a pruned result, over the columns of `alias`. Source addresses have at most 255 bytes. */
export function prunedIdentity(alias: string): string {
  return `substr(sha256(${alias}.message_id || set_byte('\\x00'::bytea, 0, length(${alias}.verifier_source))
    || ${alias}.verifier_source || ${alias}.verifier_dest), 1, 20)`;
}

function shortHash(bytes: Uint8Array): Hex {
  return `0x${createHash('sha256')
    .update(bytes)
    .digest('hex')
    .slice(0, 2 * HASH_BYTES)}`;
}
