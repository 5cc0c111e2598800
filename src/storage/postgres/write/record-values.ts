import type { Hex } from '../../../core/hex.js';
import type { Replacement } from '../../../model/batch.js';
import type { MovedRecord } from '../../../model/commit/stamp-commit.js';
import { readContents } from '../../../model/contents-filter.js';
import { conflictIdentity, quarantineIdentity } from '../../../model/identity.js';
import { readLane } from '../../../model/payload.js';
import {
  CONFLICTING_KINDS,
  type MessageBody,
  type StoredConflict,
  type StoredMessage,
  type StoredQuarantineEntry,
  type StoredSourceCursor,
  type StoredVerifierResult,
} from '../../../model/records.js';
import { STATUS_CODES } from '../../../model/status.js';
import { SIGNATURE_VERDICTS } from '../../../protocol/records.js';
import {
  bigintArray,
  booleanArray,
  bytesArray,
  hexArray,
  smallintArray,
  textArray,
  writtenArray,
} from '../rows/binary-arrays.js';
import { fromMessageNumber, fromSelector } from '../rows/columns.js';
import { hashIdentity } from '../rows/identity-hash.js';
import { bodySizeBytes, writeBody } from '../rows/message-body.js';

/*
 * Records as the parameters of the statements in `record-statements.ts`: an array a column.
 */

/** A message body with its id and hash. */
export interface BodyRow {
  readonly messageId: Hex;
  readonly firstMs: number;
  readonly hash: Hex;
  readonly content: MessageBody;
}

export function bodyValues(rows: readonly BodyRow[]): Buffer[] {
  return [
    hexArray(rows.map((row) => row.messageId)),
    bigintArray(rows.map((row) => row.firstMs)),
    hexArray(rows.map((row) => row.hash)),
    writtenArray(
      rows.map((row) => row.content),
      bodySizeBytes,
      writeBody,
    ),
  ];
}

export function messageValues(rows: readonly StoredMessage[]): Buffer[] {
  const contents = rows.map((row) => readContents(row.encodedMessage));
  return [
    hexArray(rows.map((row) => row.messageId)),
    ...laneValues(rows),
    bigintArray(rows.map((row) => row.ingestionMs)),
    bigintArray(rows.map((row) => row.position)),
    smallintArray(rows.map((row) => STATUS_CODES[row.status])),
    booleanArray(rows.map((row) => row.orphaned)),
    bigintArray(rows.map((row) => row.origin?.blockNumber ?? null)),
    hexArray(rows.map((row) => row.origin?.blockHash ?? null)),
    bigintArray(rows.map((row) => row.origin?.blockTimestampMs ?? null)),
    hexArray(rows.map((row) => row.origin?.transactionHash ?? null)),
    bigintArray(rows.map((row) => row.origin?.logIndex ?? null)),
    bytesArray(contents.map((each) => each.sender)),
    bytesArray(contents.map((each) => each.receiver)),
    bytesArray(contents.map((each) => each.token)),
    bigintArray(contents.map((each) => fromMessageNumber(each.messageNumber))),
  ];
}

export function resultValues(rows: readonly StoredVerifierResult[]): Buffer[] {
  return [
    hexArray(rows.map((row) => row.messageId)),
    hexArray(rows.map((row) => row.verifierSourceAddress)),
    hexArray(rows.map((row) => row.verifierDestAddress)),
    ...laneValues(rows),
    bigintArray(rows.map((row) => row.ingestionMs)),
    bigintArray(rows.map((row) => row.position)),
    bigintArray(rows.map((row) => row.attestationMs)),
    booleanArray(rows.map((row) => row.orphaned)),
    textArray(rows.map((row) => row.verifierName)),
    bytesArray(rows.map((row) => row.ccvData)),
    smallintArray(rows.map((row) => row.verdict && SIGNATURE_VERDICTS.indexOf(row.verdict.verdict))),
    bigintArray(rows.map((row) => row.verdict?.configBlock ?? null)),
  ];
}

export function moveValues(rows: readonly MovedRecord[]): Buffer[] {
  const records = rows.map((row) => row.record);
  const isResult = (record: MovedRecord['record']): record is StoredVerifierResult => 'ccvData' in record;
  return [
    bigintArray(records.map((record) => record.position)),
    smallintArray(records.map((record) => (isResult(record) ? 1 : 0))),
    hexArray(records.map((record) => record.messageId)),
    hexArray(records.map((record) => (isResult(record) ? record.verifierSourceAddress : '0x'))),
    hexArray(records.map((record) => (isResult(record) ? record.verifierDestAddress : '0x'))),
    ...laneValues(records),
    bigintArray(rows.map((row) => row.oldMs)),
  ];
}

function laneValues(rows: readonly { readonly encodedMessage: Uint8Array }[]): Buffer[] {
  const lanes = rows.map((row) => readLane(row.encodedMessage));
  return [
    bigintArray(lanes.map((lane) => fromSelector(lane.sourceChainSelector))),
    bigintArray(lanes.map((lane) => fromSelector(lane.destChainSelector))),
  ];
}

export function quarantineValues(rows: readonly StoredQuarantineEntry[]): Buffer[] {
  return [
    hexArray(rows.map((row) => hashIdentity(quarantineIdentity(row)))),
    textArray(rows.map((row) => row.sourceId)),
    textArray(rows.map((row) => row.key)),
    textArray(rows.map((row) => row.reason)),
    textArray(rows.map((row) => row.detail)),
    bytesArray(rows.map((row) => row.raw)),
    hexArray(rows.map((row) => row.messageId)),
    bigintArray(rows.map((row) => row.ingestionMs)),
    bigintArray(rows.map((row) => row.position)),
  ];
}

export function conflictValues(rows: readonly StoredConflict[]): Buffer[] {
  return [
    hexArray(rows.map((row) => hashIdentity(conflictIdentity(row)))),
    smallintArray(rows.map((row) => CONFLICTING_KINDS.indexOf(row.record))),
    hexArray(rows.map((row) => row.messageId)),
    hexArray(rows.map((row) => row.verifierSourceAddress)),
    hexArray(rows.map((row) => row.verifierDestAddress)),
    hexArray(rows.map((row) => row.storedHash)),
    hexArray(rows.map((row) => row.receivedHash)),
    bigintArray(rows.map((row) => row.ingestionMs)),
    bigintArray(rows.map((row) => row.position)),
  ];
}

export function replacementValues(rows: readonly Replacement[], replacedMs: number): Buffer[] {
  return [
    bigintArray(rows.map((row) => row.replay)),
    hexArray(rows.map((row) => row.messageId)),
    hexArray(rows.map((row) => row.old.verifierSourceAddress)),
    hexArray(rows.map((row) => row.old.verifierDestAddress)),
    hexArray(rows.map((row) => row.storedHash)),
    hexArray(rows.map((row) => row.receivedHash)),
    bigintArray(rows.map((row) => row.old.attestationMs)),
    textArray(rows.map((row) => row.old.verifierName)),
    bytesArray(rows.map((row) => row.old.ccvData)),
    bigintArray(rows.map(() => replacedMs)),
  ];
}

export function cursorValues(rows: readonly StoredSourceCursor[]): Buffer[] {
  return [
    textArray(rows.map((row) => row.sourceId)),
    bigintArray(rows.map((row) => row.height)),
    hexArray(rows.map((row) => row.hash)),
    bigintArray(rows.map((row) => row.position)),
  ];
}
