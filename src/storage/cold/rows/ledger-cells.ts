import { CONFLICTING_KINDS } from '../../../model/records.js';
import type { RowGroupData } from '../parquet/row-group-reader.js';
import { cellsOf, oneOf } from './cells.js';

/** Reads cursors. */
export function cursors(data: RowGroupData) {
  const cells = cellsOf(data);
  const sourceId = cells.text('source_id');
  const height = cells.bigint('height');
  const hash = cells.hexOrNull('hash');
  const position = cells.bigint('position');
  return (row: number) => ({
    sourceId: sourceId(row),
    height: height(row),
    hash: hash(row),
    position: position(row),
  });
}

/** Reads quarantined input. */
export function quarantineEntries(data: RowGroupData) {
  const cells = cellsOf(data);
  const sourceId = cells.text('source_id');
  const key = cells.text('key');
  const reason = cells.text('reason');
  const detail = cells.text('detail');
  const raw = cells.bytes('raw');
  const messageId = cells.hexOrNull('message_id');
  const ingestionMs = cells.number('ingestion_ms');
  const position = cells.bigint('position');
  return (row: number) => ({
    sourceId: sourceId(row),
    key: key(row),
    reason: reason(row),
    detail: detail(row),
    raw: raw(row),
    messageId: messageId(row),
    ingestionMs: ingestionMs(row),
    position: position(row),
  });
}

/** Reads conflicts. */
export function conflicts(data: RowGroupData) {
  const cells = cellsOf(data);
  const record = cells.text('record');
  const messageId = cells.hex('message_id');
  const verifierSourceAddress = cells.hex('verifier_source_address');
  const verifierDestAddress = cells.hex('verifier_dest_address');
  const storedHash = cells.hex('stored_hash');
  const receivedHash = cells.hex('received_hash');
  const ingestionMs = cells.number('ingestion_ms');
  const position = cells.bigint('position');
  return (row: number) => ({
    record: oneOf(CONFLICTING_KINDS, record(row)),
    messageId: messageId(row),
    verifierSourceAddress: verifierSourceAddress(row),
    verifierDestAddress: verifierDestAddress(row),
    storedHash: storedHash(row),
    receivedHash: receivedHash(row),
    ingestionMs: ingestionMs(row),
    position: position(row),
  });
}
