import type { Hex } from '../../core/hex.js';
import type { Execution, LogPlace, MessageBody, MessageOrigin } from '../records.js';
import type { PlannedMessage, PlannedResult } from './commit-plan.js';
import type { KnownMessage, KnownResult } from './known.js';
import { ccvHash, originHash } from './pruned-hashes.js';

/** True when both byte strings hold the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && Buffer.compare(a, b) === 0);
}

/** True when two records of one id have the same body. */
export function sameBody(a: MessageBody, b: MessageBody): boolean {
  return (
    a === b ||
    (sameBytes(a.encodedMessage, b.encodedMessage) &&
      a.messageExecutorAddress === b.messageExecutorAddress &&
      sameAddresses(a.messageCCVAddresses, b.messageCCVAddresses))
  );
}

function sameOrigin(a: MessageOrigin | null, b: MessageOrigin | null): boolean {
  return a === null || b === null ? a === b : samePlace(a, b);
}

/** True when both are one place on one chain. */
function samePlace(a: LogPlace, b: LogPlace): boolean {
  return (
    a.blockNumber === b.blockNumber &&
    a.blockHash === b.blockHash &&
    a.blockTimestampMs === b.blockTimestampMs &&
    a.transactionHash === b.transactionHash &&
    a.logIndex === b.logIndex
  );
}

/** True when two executions of one identity tell the same. */
export function sameExecution(a: Execution, b: Execution): boolean {
  return (
    a.state === b.state &&
    a.messageNumber === b.messageNumber &&
    a.sourceChainSelector === b.sourceChainSelector &&
    a.destChainSelector === b.destChainSelector &&
    a.offRamp === b.offRamp &&
    sameBytes(a.returnData, b.returnData) &&
    samePlace(a.place, b.place)
  );
}

/** True when a result of this `ccvData` is the stored one. */
export function isStoredPayload(ccvData: Uint8Array, stored: PlannedResult | KnownResult): boolean {
  if ('contents' in stored) return sameBytes(stored.contents.ccvData, ccvData);
  return stored.prunedCcv === undefined ? sameBytes(stored.ccvData, ccvData) : stored.prunedCcv === ccvHash(ccvData);
}

/** True when the stored message is from this place. */
export function isStoredOrigin(origin: MessageOrigin, message: PlannedMessage | KnownMessage): boolean {
  return message.prunedOrigin === undefined
    ? sameOrigin(origin, message.origin)
    : message.prunedOrigin === originHash(origin);
}

function sameAddresses(a: readonly Hex[], b: readonly Hex[]): boolean {
  return a === b || (a.length === b.length && a.every((address, index) => address === b[index]));
}
