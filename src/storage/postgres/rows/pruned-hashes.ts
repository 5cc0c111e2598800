import { PRUNED_HASH_BYTES } from '../../../model/commit/pruned-hashes.js';

/** `originHash` in SQL, over a row `m` of messages. */
export const ORIGIN_HASH = `substr(sha256(convert_to(concat_ws('|', m.block_number, encode(m.block_hash, 'hex'),
  m.block_timestamp_ms, encode(m.transaction_hash, 'hex'), m.log_index), 'UTF8')), 1, ${PRUNED_HASH_BYTES})`;

/** `ccvHash` in SQL, over a row `r` of verifier results. */
export const CCV_HASH = `substr(sha256(r.ccv_data), 1, ${PRUNED_HASH_BYTES})`;

/** Identity of a pruned result, over the columns of `alias`. Source addresses have at most 255 bytes. */
export function prunedIdentity(alias: string): string {
  return `substr(sha256(${alias}.message_id || set_byte('\\x00'::bytea, 0, length(${alias}.verifier_source))
    || ${alias}.verifier_source || ${alias}.verifier_dest), 1, 20)`;
}
