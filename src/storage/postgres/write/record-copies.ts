import { readContents } from '../../../model/contents-filter.js';
import type { StoredMessage, StoredVerifierResult } from '../../../model/records.js';
import { STATUS_CODES } from '../../../model/status.js';
import { SIGNATURE_VERDICTS } from '../../../protocol/records.js';
import type { Namespace } from '../connection/namespace.js';
import type { CopyCall } from '../connection/transaction.js';
import { fromMessageNumber } from '../rows/columns.js';
import { type CopyWriter, copyMessages } from '../rows/copy-writer.js';
import { bodySizeBytes, writeBody } from '../rows/message-body.js';
import { MESSAGE_COLUMNS, RESULT_COLUMNS } from './record-statements.js';
import type { BodyRow } from './record-values.js';

/** Makes the copies of rows that are not there yet. No rows make no call. */
export interface RecordCopies {
  bodies(rows: readonly BodyRow[]): readonly CopyCall[];
  messages(rows: readonly StoredMessage[]): readonly CopyCall[];
  results(rows: readonly StoredVerifierResult[]): readonly CopyCall[];
}

/** Bytes of a row's lengths, numbers, ids and hashes, and of addresses of the usual length, with room to spare. */
const FIXED_BYTES = 512;

export function createRecordCopies(namespace: Namespace): RecordCopies {
  const copyOf =
    <T>(
      table: string,
      columns: string,
      mostBytes: (row: T) => number,
      write: (writer: CopyWriter, row: T) => void,
    ): ((rows: readonly T[]) => readonly CopyCall[]) =>
    (rows) => {
      const text = `COPY ${namespace.schema}.${table} (${columns}) FROM STDIN (FORMAT binary)`;
      return rows.length === 0 ? [] : [{ copy: text, messages: copyMessages(rows, mostBytes, write) }];
    };
  return {
    bodies: copyOf(
      'message_bodies',
      'message_id, first_ms, body_hash, body',
      (row: BodyRow) => FIXED_BYTES + bodySizeBytes(row.content),
      writeBodyRow,
    ),
    // the addresses are parts of the encoded message
    messages: copyOf(
      'messages',
      MESSAGE_COLUMNS,
      (row: StoredMessage) => FIXED_BYTES + (row.origin?.transactionHash.length ?? 0) + row.encodedMessage.length,
      writeMessageRow,
    ),
    results: copyOf('verifier_results', RESULT_COLUMNS, mostResultBytes, writeResultRow),
  };
}

function writeBodyRow(writer: CopyWriter, row: BodyRow): void {
  writer.row(4);
  writer.hex(row.messageId);
  writer.integer(row.firstMs);
  writer.hex(row.hash);
  writer.written(bodySizeBytes(row.content), (buffer, at) => writeBody(buffer, at, row.content));
}

function writeMessageRow(writer: CopyWriter, row: StoredMessage): void {
  const { origin, encodedMessage } = row;
  const contents = readContents(encodedMessage);
  writer.row(16);
  writer.hex(row.messageId);
  writeLane(writer, encodedMessage);
  writer.integer(row.ingestionMs);
  writer.bigint(row.position);
  writer.smallint(STATUS_CODES[row.status]);
  writer.boolean(row.orphaned);
  if (origin === null) for (let field = 0; field < 5; field += 1) writer.null();
  else {
    writer.bigint(origin.blockNumber);
    writer.hex(origin.blockHash);
    writer.integer(origin.blockTimestampMs);
    writer.hex(origin.transactionHash);
    writer.integer(origin.logIndex);
  }
  writer.bytes(contents.sender);
  writer.bytes(contents.receiver);
  if (contents.token === null) writer.null();
  else writer.bytes(contents.token);
  writer.bigint(fromMessageNumber(contents.messageNumber));
}

function mostResultBytes(row: StoredVerifierResult): number {
  const addressBytes = row.verifierSourceAddress.length + row.verifierDestAddress.length;
  return FIXED_BYTES + addressBytes + 3 * row.verifierName.length + row.ccvData.length;
}

function writeResultRow(writer: CopyWriter, row: StoredVerifierResult): void {
  const { verdict } = row;
  writer.row(13);
  writer.hex(row.messageId);
  writer.hex(row.verifierSourceAddress);
  writer.hex(row.verifierDestAddress);
  writeLane(writer, row.encodedMessage);
  writer.integer(row.ingestionMs);
  writer.bigint(row.position);
  writer.integer(row.attestationMs);
  writer.boolean(row.orphaned);
  writer.text(row.verifierName);
  writer.bytes(row.ccvData);
  if (verdict === null) {
    writer.null();
    writer.null();
  } else {
    writer.smallint(SIGNATURE_VERDICTS.indexOf(verdict.verdict));
    writer.bigint(verdict.configBlock);
  }
}

/** A selector's bytes in the message are those of its column: big-endian, two's complement. */
function writeLane(writer: CopyWriter, encodedMessage: Uint8Array): void {
  writer.bytes(encodedMessage.subarray(1, 9));
  writer.bytes(encodedMessage.subarray(9, 17));
}
