import { outlineOfMessage, outlineOfResult } from '../../../model/outlines.js';
import {
  CONFLICTING_KINDS,
  type MessageBody,
  type MessageOrigin,
  type MessageStatus,
  type SignatureVerdict,
  type StoredConflict,
  type StoredMessage,
  type StoredQuarantineEntry,
  type StoredSourceCursor,
  type StoredVerifierResult,
} from '../../../model/records.js';
import { MESSAGE_STATUSES, STATUS_CODES } from '../../../model/status.js';
import { SIGNATURE_VERDICTS } from '../../../protocol/records.js';
import type { Row } from '../connection/statement.js';
import { toBigint, toBoolean, toBytes, toHex, toHexOrNull, toNumber, toText } from './columns.js';
import { unpackBody } from './message-body.js';

/** Columns of `messages m` and `message_bodies b`, as `decodeMessage` takes them. */
export const MESSAGE_COLUMNS = `m.message_id, m.ingestion_ms, m.position, m.status, m.orphaned, m.block_number,
  m.block_hash, m.block_timestamp_ms, m.transaction_hash, m.log_index, b.first_ms, b.body`;

/** Columns of `verifier_results r` and `message_bodies b`, as `decodeResult` takes them. */
export const RESULT_COLUMNS = `r.message_id, r.ingestion_ms, r.position, r.verifier_source, r.verifier_dest, r.ccv_data,
  r.attestation_ms, r.verifier_name, r.orphaned, b.first_ms, b.body, r.verdict, r.verdict_block`;

/**
 * The columns of `columns` that can be large, only while the rows before hold less than `maxBytes`: beyond, a row is
 * decoded as an outline. `order`: that of the rows.
 */
export function boundedColumns(columns: string, { order, maxBytes }: { order: string; maxBytes: string }): string {
  const large = columns.match(LARGE_COLUMNS) ?? [];
  const size = large.map((column) => `octet_length(${column})`).join(' + ');
  const before = `coalesce(sum(${size}) OVER (ORDER BY ${order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)`;
  return columns.replace(LARGE_COLUMNS, (column) => `CASE WHEN ${before} < ${maxBytes} THEN ${column} END`);
}

/** The columns of `columns`; one that can be large is null where it holds more than `maxBytes`. */
export function smallColumns(columns: string, maxBytes: number | string): string {
  return columns.replace(
    LARGE_COLUMNS,
    (column) => `CASE WHEN octet_length(${column}) <= ${maxBytes} THEN ${column} END`,
  );
}

const NO_BODY: MessageBody = {
  encodedMessage: new Uint8Array(0),
  messageCCVAddresses: [],
  messageExecutorAddress: '0x',
};

const LARGE_COLUMNS = /\b(?:r\.ccv_data|b\.body)\b/g;

/** Columns of `source_cursors s`, as `decodeCursorRow` takes them. */
export const CURSOR_COLUMNS = 's.source_id, s.height, s.hash, s.position';

/** Columns of `quarantine q`, as `decodeQuarantine` takes them. */
export const QUARANTINE_COLUMNS =
  'q.source_id, q.key, q.reason, q.detail, q.raw, q.message_id, q.ingestion_ms, q.position';

/** Columns of `conflicts k`, as `decodeConflict` takes them. */
export const CONFLICT_COLUMNS = `k.record, k.message_id, k.verifier_source, k.verifier_dest, k.stored_hash,
  k.received_hash, k.ingestion_ms, k.position`;

/** The fields of a row from `at` on as a message. */
export function decodeMessage(row: Row, at: number): StoredMessage {
  const body = row[at + 11];
  const { encodedMessage, messageCCVAddresses, messageExecutorAddress } =
    body == null ? NO_BODY : unpackBody(toBytes(body));
  const message = {
    messageId: toHex(row[at]),
    encodedMessage,
    messageCCVAddresses,
    messageExecutorAddress,
    origin: decodeOrigin(row, at + 5),
    status: decodeStatus(toNumber(row[at + 3])),
    ingestionMs: toNumber(row[at + 1]),
    position: toBigint(row[at + 2]),
    firstMs: toNumber(row[at + 10]),
    orphaned: toBoolean(row[at + 4]),
  };
  return body == null ? outlineOfMessage(message) : message;
}

/** The fields from `at` on: block number, block hash, block timestamp, transaction hash, log index. */
export function decodeOrigin(row: Row, at: number): MessageOrigin | null {
  if (row[at] == null) return null;
  return {
    blockNumber: toBigint(row[at]),
    blockHash: toHex(row[at + 1]),
    blockTimestampMs: toNumber(row[at + 2]),
    transactionHash: toHex(row[at + 3]),
    logIndex: toNumber(row[at + 4]),
  };
}

export function decodeStatus(code: number): MessageStatus {
  const status = MESSAGE_STATUSES.find((each) => STATUS_CODES[each] === code);
  if (!status) throw new TypeError(`the database holds an unknown message status: ${code}`);
  return status;
}

/** The fields of a row from `at` on as a verifier result. `body`: the id's, when the caller has unpacked it already. */
export function decodeResult(row: Row, at: number, body?: MessageBody): StoredVerifierResult {
  // large columns may be left out one by one; the record is then an outline, which has neither
  const ccvData = body === undefined && row[at + 10] == null ? null : row[at + 5];
  const { encodedMessage, messageCCVAddresses, messageExecutorAddress } =
    ccvData == null ? NO_BODY : (body ?? unpackBody(toBytes(row[at + 10])));
  // every field in one literal: reading records put together from parts takes five times as long
  const result = {
    messageId: toHex(row[at]),
    verifierSourceAddress: toHex(row[at + 3]),
    verifierDestAddress: toHex(row[at + 4]),
    encodedMessage,
    messageCCVAddresses,
    messageExecutorAddress,
    ccvData: ccvData == null ? NO_BODY.encodedMessage : toBytes(ccvData),
    attestationMs: toNumber(row[at + 6]),
    verifierName: toText(row[at + 7]),
    verdict: decodeVerdict(row, at + 11),
    ingestionMs: toNumber(row[at + 1]),
    position: toBigint(row[at + 2]),
    firstMs: toNumber(row[at + 9]),
    orphaned: toBoolean(row[at + 8]),
  };
  return ccvData == null ? outlineOfResult(result) : result;
}

/** The fields from `at` on: verdict, block of the committee's configuration. */
export function decodeVerdict(row: Row, at: number): SignatureVerdict | null {
  if (row[at] == null) return null;
  const verdict = SIGNATURE_VERDICTS[toNumber(row[at])];
  if (!verdict) throw new TypeError(`the database holds an unknown verdict: ${row[at]}`);
  return { verdict, configBlock: toBigint(row[at + 1]) };
}

function decodeConflictingKind(code: number): StoredConflict['record'] {
  const kind = CONFLICTING_KINDS[code];
  if (!kind) throw new TypeError(`the database holds a conflict of an unknown kind of record: ${code}`);
  return kind;
}

export function decodeCursorRow(row: Row, at: number): StoredSourceCursor {
  return {
    sourceId: toText(row[at]),
    height: toBigint(row[at + 1]),
    hash: toHexOrNull(row[at + 2]),
    position: toBigint(row[at + 3]),
  };
}

export function decodeQuarantine(row: Row, at: number): StoredQuarantineEntry {
  return {
    sourceId: toText(row[at]),
    key: toText(row[at + 1]),
    reason: toText(row[at + 2]),
    detail: toText(row[at + 3]),
    raw: toBytes(row[at + 4]),
    messageId: toHexOrNull(row[at + 5]),
    ingestionMs: toNumber(row[at + 6]),
    position: toBigint(row[at + 7]),
  };
}

export function decodeConflict(row: Row, at: number): StoredConflict {
  return {
    record: decodeConflictingKind(toNumber(row[at])),
    messageId: toHex(row[at + 1]),
    verifierSourceAddress: toHex(row[at + 2]),
    verifierDestAddress: toHex(row[at + 3]),
    storedHash: toHex(row[at + 4]),
    receivedHash: toHex(row[at + 5]),
    ingestionMs: toNumber(row[at + 6]),
    position: toBigint(row[at + 7]),
  };
}
