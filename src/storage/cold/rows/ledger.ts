import { assertNever } from '../../../core/errors.js';
import type { Hex } from '../../../core/hex.js';
import type { Change } from '../../../model/batch.js';
import { identityOfChange } from '../../../model/identity.js';
import { type ColumnValue, column } from '../parquet/columns.js';
import type { RowGroupData } from '../parquet/row-group-reader.js';
import { cellsOf, oneOf } from './cells.js';
import { EXECUTION_ROWS } from './executions.js';
import { transactionTerms } from './index-terms.js';
import { conflicts, cursors, quarantineEntries } from './ledger-cells.js';
import { MESSAGE_BYTES_COLUMNS, MESSAGE_ROWS } from './messages.js';
import { type OrphanReturn, type RecordChange, returnCells, returnedIdentity, returns } from './orphan-return.js';
import type { RowKind } from './row-kind.js';
import { VERIFIER_RESULT_ROWS } from './verifier-results.js';

/** Changes of cursors, quarantined input and conflicts: records that no list shows. */
export type LedgerChange = Extract<Change, { kind: 'cursor' | 'quarantine' | 'conflict' }>;

/** The rows of the ledger; the change of a record there is that after which a reorg had removed it. */
export type LedgerEntry = LedgerChange | RecordChange | OrphanReturn;

/** The key of a ledger row: it is found and superseded by it. */
export interface LedgerRowKey {
  readonly kind: LedgerEntry['kind'];
  readonly position: bigint;
  /**
   * Tells a record from others of its kind; of rows with one identity the highest position holds. A return has the
   * record's.
   */
  readonly identity: string;
  /** The message id of an orphaned or returned record; null for other kinds. */
  readonly orphanId: Hex | null;
}

const NULLABLE = { nullable: true } as const;

const KEY_COLUMNS = [
  column('position', 'int64', { statistics: true, deltas: true, comment: 'Place in the order of all changes.' }),
  column('kind', 'string', {
    ...{ statistics: true },
    comment:
      'cursor, quarantine, conflict; message, verifierResult, execution: a reorg removed it; return: it is back.',
  }),
  column('identity', 'string', { comment: 'JSON list that tells it from others: the highest position of one counts.' }),
  column('message_id', 'string', { nullable: true, comment: 'Message that it is about.' }),
];

/** The columns of rows that are not of orphaned records. */
export const OWN_COLUMNS = [
  ...KEY_COLUMNS,
  column('ingestion_ms', 'int64', { ...NULLABLE, statistics: true, deltas: true, comment: 'Time of it, unix ms.' }),
  column('source_id', 'string', { ...NULLABLE, comment: 'Source of a cursor or of quarantined input.' }),
  column('height', 'int64', { ...NULLABLE, comment: 'Cursor: block or sequence number up to which it was read.' }),
  column('hash', 'string', { ...NULLABLE, comment: 'Cursor: hash of that block.' }),
  column('key', 'string', { ...NULLABLE, comment: 'Quarantine: name of the input at its source.' }),
  column('reason', 'string', { ...NULLABLE, comment: 'Quarantine: code of the check that it failed.' }),
  column('detail', 'string', { ...NULLABLE, comment: 'Quarantine: explanation.' }),
  column('raw', 'binary', { ...NULLABLE, comment: 'Quarantine: input as it came.' }),
  column('record', 'string', { ...NULLABLE, comment: 'Conflict or return: message, verifierResult or execution.' }),
  column('verifier_source_address', 'string', { ...NULLABLE, comment: 'CCV on the source chain.' }),
  column('verifier_dest_address', 'string', { ...NULLABLE, comment: 'CCV on the destination chain.' }),
  column('stored_hash', 'string', { ...NULLABLE, comment: 'Conflict: hash of the record that stays.' }),
  column('received_hash', 'string', { ...NULLABLE, comment: 'Conflict: hash of the other.' }),
];

/** Columns of orphaned records are those of their tables. */
const ORPHAN_COLUMNS = [
  ...MESSAGE_BYTES_COLUMNS,
  ...VERIFIER_RESULT_ROWS.recordColumns,
  ...EXECUTION_ROWS.recordColumns.map((spec) => ({ ...spec, added: true })),
].filter(
  ({ name }, place, all) =>
    !OWN_COLUMNS.some((own) => own.name === name) && all.findIndex((each) => each.name === name) === place,
);
const COLUMNS = [...OWN_COLUMNS, ...ORPHAN_COLUMNS.map((spec) => ({ ...spec, nullable: true, statistics: false }))];

const EMPTY: Readonly<Record<string, ColumnValue>> = Object.fromEntries(COLUMNS.map(({ name }) => [name, null]));

/** Ledger rows, ordered by position. Columns that a kind does not have are null. */
export const LEDGER_ROWS: RowKind<LedgerEntry, LedgerRowKey> = {
  table: 'ledger',
  columns: COLUMNS,
  recordColumns: COLUMNS,
  keyColumns: KEY_COLUMNS,

  encode(entry, { kind, position, identity }) {
    const cells: Readonly<Record<string, ColumnValue>> = {
      ...EMPTY,
      ...cellsByName(entry),
      ...{ kind, position, identity },
    };
    return COLUMNS.map(({ name }) => cells[name] ?? null);
  },

  sizeOf,

  records(data) {
    const key = keys(data);
    const cursor = cursors(data);
    const quarantine = quarantineEntries(data);
    const conflict = conflicts(data);
    const message = MESSAGE_ROWS.records(data);
    const result = VERIFIER_RESULT_ROWS.records(data);
    const execution = EXECUTION_ROWS.records(data);
    const returned = returns(data);
    return (row) => {
      const { kind, position } = key(row);
      switch (kind) {
        case 'cursor':
          return { kind, position, record: cursor(row) };
        case 'quarantine':
          return { kind, position, record: quarantine(row) };
        case 'conflict':
          return { kind, position, record: conflict(row) };
        case 'message':
          return { kind, position, record: { ...message(row), orphaned: true } };
        case 'verifierResult':
          return { kind, position, record: { ...result(row), orphaned: true } };
        case 'execution':
          return { kind, position, record: { ...execution(row), orphaned: true } };
        case 'return':
          return { kind, position, ...returned(row) };
        default:
          return assertNever(kind, 'kind of ledger row');
      }
    };
  },

  keys,
  keyOf,
  compare: (a, b) => (a.position < b.position ? -1 : a.position > b.position ? 1 : 0),
  indexedId: ({ orphanId }) => orphanId,
  termKinds: ['transaction'],
  termsOf,
  listedLane: () => null,
};

function keyOf(entry: LedgerEntry): LedgerRowKey {
  const { kind, position, record } = entry;
  switch (kind) {
    case 'message':
    case 'verifierResult':
    case 'execution':
      return { kind, position, identity: ledgerIdentity(identityOfChange(entry)), orphanId: record.messageId };
    case 'return':
      return { kind, position, identity: ledgerIdentity(returnedIdentity(entry)), orphanId: record.messageId };
    default:
      return { kind, position, identity: ledgerIdentity(identityOfChange(entry)), orphanId: null };
  }
}

function termsOf({ kind, record }: LedgerEntry): readonly string[] {
  if (kind === 'message') return transactionTerms(record.origin);
  return kind === 'execution' ? transactionTerms(record.place) : [];
}

function sizeOf(entry: LedgerEntry): number {
  switch (entry.kind) {
    case 'quarantine':
      return entry.record.raw.length + entry.record.detail.length + 200;
    case 'message':
      return MESSAGE_ROWS.sizeOf(entry.record);
    case 'verifierResult':
      return VERIFIER_RESULT_ROWS.sizeOf(entry.record);
    case 'execution':
      return EXECUTION_ROWS.sizeOf(entry.record);
    default:
      return 300;
  }
}

/** The cells of a record in some columns of its own table: others may have the name of another kind's. */
function cellsOfRecord<T, K>(
  { columns, recordColumns, encode, keyOf: recordKey }: RowKind<T, K>,
  record: T,
  taken = recordColumns,
) {
  const values = encode(record, recordKey(record));
  const names = new Set(taken.map(({ name }) => name));
  return Object.fromEntries(
    columns.flatMap(({ name }, place) => (names.has(name) ? [[name, values[place] ?? null]] : [])),
  );
}

/** An identity as rows have it: its parts as a JSON text. */
export function ledgerIdentity(identity: string): string {
  return JSON.stringify(identity.split('\0'));
}

function cellsByName(entry: LedgerEntry): Readonly<Record<string, ColumnValue>> {
  const { kind, record } = entry;
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
    case 'message':
      return { ...cellsOfRecord(MESSAGE_ROWS, record, MESSAGE_BYTES_COLUMNS), encoded_message: record.encodedMessage };
    case 'verifierResult':
      return cellsOfRecord(VERIFIER_RESULT_ROWS, record);
    case 'execution':
      return cellsOfRecord(EXECUTION_ROWS, record);
    case 'return':
      return returnCells(entry);
    default:
      return assertNever(kind, 'kind of ledger row');
  }
}

function keys(data: RowGroupData): (row: number) => LedgerRowKey {
  const cells = cellsOf(data);
  const kind = cells.text('kind');
  const position = cells.bigint('position');
  const identity = cells.text('identity');
  const messageId = cells.hexOrNull('message_id');
  return (row) => {
    const found = oneOf(KINDS, kind(row));
    const isOfOrphan = ORPHAN_KINDS.some((each) => each === found);
    return {
      kind: found,
      position: position(row),
      identity: identity(row),
      orphanId: isOfOrphan ? messageId(row) : null,
    };
  };
}

const ORPHAN_KINDS = ['message', 'verifierResult', 'execution', 'return'] as const;
const KINDS = ['cursor', 'quarantine', 'conflict', ...ORPHAN_KINDS] as const;
