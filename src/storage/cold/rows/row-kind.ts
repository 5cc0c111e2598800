import type { Hex } from '../../../core/hex.js';
import type { OrderKey } from '../../../model/order.js';
import type { MessageStatus } from '../../../model/records.js';
import type { Lane } from '../../../protocol/message.js';
import type { ColumnSpec, ColumnValue } from '../parquet/columns.js';
import type { RowGroupData } from '../parquet/row-group-reader.js';
import type { TermKind } from './index-terms.js';

/** The key of a record's row: it is found, filtered and replaced by it. */
export interface RecordKey extends Lane {
  readonly messageId: Hex;
  readonly ingestionMs: number;
  readonly position: bigint;
  /** The lowest ingestion time that the record may have had. */
  readonly firstMs: number;
}

/** The key of a row that a list shows: it is ordered by it. */
export interface RowKey extends RecordKey, OrderKey {}

/** The key of an execution's row. */
export interface ExecutionRowKey extends RecordKey {
  readonly blockNumber: bigint;
  readonly logIndex: number;
  readonly blockHash: Hex;
}

/** The key of a message's row. */
export interface MessageRowKey extends RowKey {
  readonly status: MessageStatus;
  /** Null when the message was not read from the chain. */
  readonly blockNumber: bigint | null;
  readonly logIndex: number | null;
}

/** The conversion of one kind's records to rows of Parquet and back, value by value. */
export interface RowKind<T, K> {
  /** Folder of its table. */
  readonly table: string;
  /** Columns in file order; those that keys are read from come first. */
  readonly columns: readonly ColumnSpec[];
  /** The columns that `records` needs. The others say the same again, for people. */
  readonly recordColumns: readonly ColumnSpec[];
  /** The columns that `keys` needs. */
  readonly keyColumns: readonly ColumnSpec[];
  /** The cells of a record whose key is `key`, in the order of `columns`. */
  encode(record: T, key: K): ColumnValue[];
  /** About how many bytes a record takes before compression. */
  sizeOf(record: T): number;
  /** Reads records from `recordColumns` of a row group. They share no memory with it. */
  records(data: RowGroupData): (row: number) => T;
  /** Reads keys from the key columns of a row group. */
  keys(data: RowGroupData): (row: number) => K;
  keyOf(record: T): K;
  /** The one order of the rows of a file: below, at or above 0. */
  compare(a: K, b: K): number;
  /** The id that an index finds rows by; null for kinds and rows without one. */
  indexedId(key: K): Hex | null;
  /** The kinds of terms that an index finds rows by as well. */
  readonly termKinds: readonly TermKind[];
  /** The terms of a record whose key is `key`, of those kinds. */
  termsOf(record: T, key: K): readonly string[];
  /** `laneName` of a row; null for kinds without lists. */
  listedLane(key: K): string | null;
}

/** A lane as file statistics name it: `<source selector>-<dest selector>`. */
export function laneName({ sourceChainSelector, destChainSelector }: Lane): string {
  return `${sourceChainSelector}-${destChainSelector}`;
}

/** A time in microseconds, as columns of timestamps have it. */
export function microsOf(ms: number): bigint {
  return BigInt(ms) * 1000n;
}

/** The day of an ingestion time, UTC, as a partition is named: `2026-11-20`. */
export function dayOf(ingestionMs: number): string {
  return new Date(Math.min(Math.max(ingestionMs, 0), LAST_NAMEABLE_MS)).toISOString().slice(0, 10);
}

/** Years have four digits. */
const LAST_NAMEABLE_MS = Date.UTC(9999, 11, 31);
