import { hash } from 'node:crypto';
import { assertNever } from '../../core/errors.js';
import type { Change } from '../../model/batch.js';
import type { LogPlace, MessageBody, Stamp } from '../../model/records.js';
import type { Lane } from '../../protocol/message.js';

/*
 * A record in one spelling, whichever storage tells it: u8 kind, then its fields in a fixed order. A number is 8 bytes
 * (an IEEE double, which holds every number of records exactly), a position or height an i64, a text or byte string has
 * its u32 length before it. A field that can be null has a byte before it: 0 null, 1 not.
 */

const KIND_CODES: Readonly<Record<Change['kind'], number>> = {
  message: 0,
  verifierResult: 1,
  cursor: 2,
  quarantine: 3,
  conflict: 4,
  execution: 5,
};

/** Where records are put together: nothing of it outlives a call. */
let scratch = Buffer.allocUnsafeSlow(16_384);
let at = 0;

/**
 * The bytes of a change: kind, identity, position, times and contents. They are overwritten by the next call.
 * @param filed the lane under which the storage lists the record, where that is not the lane in its bytes.
 */
function canonicalBytes(change: Change, filed: Lane | null = null): Buffer {
  at = 0;
  byte(KIND_CODES[change.kind]);
  bigint(change.position);
  writeFields(change);
  if (filed !== null) {
    text(`filed ${filed.sourceChainSelector} ${filed.destChainSelector}`);
  }
  return scratch.subarray(0, at);
}

/** sha256 of `canonicalBytes`. */
export function hashOfRecord(change: Change, filed: Lane | null = null): Buffer {
  return hash('sha256', canonicalBytes(change, filed), 'buffer');
}

function writeFields(change: Change): void {
  switch (change.kind) {
    case 'message': {
      const { record } = change;
      text(record.messageId);
      writeBody(record);
      writeStamp(record);
      text(record.status);
      nullable(record.origin, writePlace);
      return;
    }
    case 'verifierResult': {
      const { record } = change;
      text(record.messageId);
      text(record.verifierSourceAddress);
      text(record.verifierDestAddress);
      writeBody(record);
      writeStamp(record);
      bytes(record.ccvData);
      number(record.attestationMs);
      text(record.verifierName);
      nullable(record.verdict, ({ verdict, configBlock }) => {
        text(verdict);
        bigint(configBlock);
      });
      return;
    }
    case 'execution': {
      const { record } = change;
      text(record.messageId);
      for (const number64 of [record.sourceChainSelector, record.destChainSelector, record.messageNumber])
        bigint(BigInt.asIntN(64, number64));
      text(record.offRamp);
      text(record.state);
      bytes(record.returnData);
      writePlace(record.place);
      number(record.ingestionMs);
      byte(record.orphaned ? 1 : 0);
      return;
    }
    case 'cursor': {
      const { record } = change;
      text(record.sourceId);
      bigint(record.height);
      nullable(record.hash, text);
      return;
    }
    case 'quarantine': {
      const { record } = change;
      for (const field of [record.sourceId, record.key, record.reason, record.detail]) text(field);
      bytes(record.raw);
      nullable(record.messageId, text);
      number(record.ingestionMs);
      return;
    }
    case 'conflict': {
      const { record } = change;
      for (const field of [record.record, record.messageId, record.verifierSourceAddress]) text(field);
      for (const field of [record.verifierDestAddress, record.storedHash, record.receivedHash]) text(field);
      number(record.ingestionMs);
      return;
    }
    default:
      assertNever(change, 'kind of change');
  }
}

function writeBody({ encodedMessage, messageCCVAddresses, messageExecutorAddress }: MessageBody): void {
  bytes(encodedMessage);
  number(messageCCVAddresses.length);
  for (const address of messageCCVAddresses) text(address);
  text(messageExecutorAddress);
}

function writeStamp({ ingestionMs, firstMs, orphaned }: Stamp): void {
  number(ingestionMs);
  number(firstMs);
  byte(orphaned ? 1 : 0);
}

function writePlace({ blockNumber, blockHash, blockTimestampMs, transactionHash, logIndex }: LogPlace): void {
  bigint(blockNumber);
  text(blockHash);
  number(blockTimestampMs);
  text(transactionHash);
  number(logIndex);
}

function room(sizeBytes: number): void {
  if (at + sizeBytes <= scratch.length) return;
  const grown = Buffer.allocUnsafeSlow(2 * (at + sizeBytes));
  scratch.copy(grown, 0, 0, at);
  scratch = grown;
}

function byte(value: number): void {
  room(1);
  scratch[at] = value;
  at += 1;
}

function number(value: number): void {
  room(8);
  at = scratch.writeDoubleBE(value, at);
}

function bigint(value: bigint): void {
  room(8);
  at = scratch.writeBigInt64BE(value, at);
}

function text(value: string): void {
  // a UTF-16 unit has at most three bytes in UTF-8
  room(4 + 3 * value.length);
  const written = scratch.write(value, at + 4);
  scratch.writeUInt32BE(written, at);
  at += 4 + written;
}

function bytes(value: Uint8Array): void {
  room(4 + value.length);
  scratch.writeUInt32BE(value.length, at);
  scratch.set(value, at + 4);
  at += 4 + value.length;
}

function nullable<T>(value: T | null, write: (value: T) => void): void {
  byte(value === null ? 0 : 1);
  if (value !== null) write(value);
}
