import { assertNever } from '../../../core/errors.js';
import type { Change } from '../../../model/batch.js';
import { identityOfChange } from '../../../model/identity.js';
import { type ColumnValue, column } from '../parquet/columns.js';
import { ParquetFormatError } from '../parquet/parquet-format-error.js';
import type { RowGroupData } from '../parquet/row-group-reader.js';
import { cellsOf } from './cells.js';
import type { RowKind } from './row-kind.js';

/** Changes of cursors, quarantined input and conflicts. */
export type LedgerChange = Extract<Change, { kind: 'cursor' | 'quarantine' | 'conflict' }>;

/** The key of a ledger row: it is found and superseded by it. */
export interface LedgerRowKey {
  readonly kind: LedgerChange['kind'];
  readonly position: bigint;
  /** Tells a record from others of its kind; of rows with one identity the highest position holds. */
  readonly identity: string;
}

const KEY_COLUMNS = [
  column('position', 'int64', { statistics: true, deltas: true }),
  column('kind', 'string', { statistics: true }),
  column('identity', 'string'),
];

const COLUMNS = [
  ...KEY_COLUMNS,
  column('ingestion_ms', 'int64', { statistics: true, deltas: true, nullable: true }),
  column('source_id', 'string', { nullable: true }),
  column('height', 'int64', { nullable: true }),
  column('hash', 'string', { nullable: true }),
  column('key', 'string', { nullable: true }),
  column('reason', 'string', { nullable: true }),
  column('detail', 'string', { nullable: true }),
  column('raw', 'binary', { nullable: true }),
  column('message_id', 'string', { nullable: true }),
  column('record', 'string', { nullable: true }),
  column('verifier_source_address', 'string', { nullable: true }),
  column('verifier_dest_address', 'string', { nullable: true }),
  column('stored_hash', 'string', { nullable: true }),
  column('received_hash', 'string', { nullable: true }),
];

const EMPTY: Readonly<Record<string, ColumnValue>> = Object.fromEntries(COLUMNS.map(({ name }) => [name, null]));

/** Ledger rows, ordered by position. Columns that a kind does not have are null. */
export const LEDGER_ROWS: RowKind<LedgerChange, LedgerRowKey> = {
  table: 'ledger',
  columns: COLUMNS,
  keyColumns: KEY_COLUMNS,

  encode(change, key) {
    const cells: Readonly<Record<string, ColumnValue>> = { ...EMPTY, ...cellsByName(change), ...key };
    return COLUMNS.map(({ name }) => cells[name] ?? null);
  },

  sizeOf: (change) =>
    change.kind === 'quarantine' ? change.record.raw.length + change.record.detail.length + 200 : 300,

  records(data) {
    const key = keys(data);
    const cursor = cursors(data);
    const quarantine = quarantineEntries(data);
    const conflict = conflicts(data);
    return (row) => {
      const { kind, position } = key(row);
      switch (kind) {
        case 'cursor':
          return { kind, position, record: cursor(row) };
        case 'quarantine':
          return { kind, position, record: quarantine(row) };
        case 'conflict':
          return { kind, position, record: conflict(row) };
        default:
          return assertNever(kind, 'kind of ledger row');
      }
    };
  },

  keys,
  keyOf,
  compare: (a, b) => (a.position < b.position ? -1 : a.position > b.position ? 1 : 0),
  indexedId: () => null,
  listedLane: () => null,
};

function keyOf(change: LedgerChange): LedgerRowKey {
  return { kind: change.kind, position: change.position, identity: ledgerIdentity(identityOfChange(change)) };
}

/** An identity as rows have it: its parts as a JSON text. */
export function ledgerIdentity(identity: string): string {
  return JSON.stringify(identity.split('\0'));
}

function cellsByName({ kind, record }: LedgerChange): Readonly<Record<string, ColumnValue>> {
  switch (kind) {
    case 'cursor':
      return { source_id: record.sourceId, height: record.height, hash: record.hash };
    case 'quarantine':
      return {
        ingestion_ms: BigInt(record.ingestionMs),
        source_id: record.sourceId,
        key: record.key,
        reason: record.reason,
        detail: record.detail,
        raw: record.raw,
        message_id: record.messageId,
      };
    case 'conflict':
      return {
        ingestion_ms: BigInt(record.ingestionMs),
        message_id: record.messageId,
        record: record.record,
        verifier_source_address: record.verifierSourceAddress,
        verifier_dest_address: record.verifierDestAddress,
        stored_hash: record.storedHash,
        received_hash: record.receivedHash,
      };
    default:
      return assertNever(kind, 'kind of ledger row');
  }
}

function keys(data: RowGroupData): (row: number) => LedgerRowKey {
  const cells = cellsOf(data);
  const kind = cells.text('kind');
  const position = cells.bigint('position');
  const identity = cells.text('identity');
  return (row) => ({ kind: toKind(kind(row)), position: position(row), identity: identity(row) });
}

function cursors(data: RowGroupData) {
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

function quarantineEntries(data: RowGroupData) {
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

function conflicts(data: RowGroupData) {
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
    record: toRecordKind(record(row)),
    messageId: messageId(row),
    verifierSourceAddress: verifierSourceAddress(row),
    verifierDestAddress: verifierDestAddress(row),
    storedHash: storedHash(row),
    receivedHash: receivedHash(row),
    ingestionMs: ingestionMs(row),
    position: position(row),
  });
}

function toKind(text: string): LedgerChange['kind'] {
  if (text === 'cursor' || text === 'quarantine' || text === 'conflict') return text;
  throw new ParquetFormatError(`a ledger row has the unknown kind ${text}`);
}

function toRecordKind(text: string): 'message' | 'verifierResult' {
  if (text === 'message' || text === 'verifierResult') return text;
  throw new ParquetFormatError(`a conflict is of the unknown record ${text}`);
}
