import type { MessageOrigin } from '../../../model/records.js';
import { ccvHash, originHash } from '../rows/pruned-hashes.js';
import type { MessageState, ResultState } from './write-state.js';

/** True when a result of this `ccvData` is the stored one. Of a pruned one, hashes are compared. */
export function isStoredPayload(ccvData: Uint8Array, { result, prunedCcvHash }: ResultState): boolean {
  return prunedCcvHash === null ? sameBytes(result.ccvData, ccvData) : prunedCcvHash === ccvHash(ccvData);
}

/** True when the stored message is from this place. Of a pruned one, hashes are compared. */
export function isStoredOrigin(origin: MessageOrigin, { pruned, origin: known }: MessageState): boolean {
  return pruned === null ? sameOrigin(origin, known) : pruned.originHash === originHash(origin);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

function sameOrigin(a: MessageOrigin, b: MessageOrigin | null): boolean {
  return (
    b !== null &&
    a.blockNumber === b.blockNumber &&
    a.blockHash === b.blockHash &&
    a.blockTimestampMs === b.blockTimestampMs &&
    a.transactionHash === b.transactionHash &&
    a.logIndex === b.logIndex
  );
}
