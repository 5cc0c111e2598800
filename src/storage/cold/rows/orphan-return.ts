import type { Change, ExecutionOrphaning } from '../../../model/batch.js';
import {
  logIdentity,
  logOf,
  messageAsResult,
  messageIdentity,
  type ResultIdentity,
  resultIdentity,
} from '../../../model/identity.js';
import { CONFLICTING_KINDS } from '../../../model/records.js';
import type { ColumnValue } from '../parquet/columns.js';
import type { RowGroupData } from '../parquet/row-group-reader.js';
import { cellsOf, oneOf } from './cells.js';

/** The change of a record that a reorg can take away, and bring back. */
export type RecordChange = Extract<Change, { kind: 'message' | 'verifierResult' | 'execution' }>;

/** The record that is back, by its identity. */
type Returned =
  | { readonly of: 'message' | 'verifierResult'; readonly record: ResultIdentity }
  | { readonly of: 'execution'; readonly record: ExecutionOrphaning };

/** The return of an orphaned record to its table: its row there has the same position. */
export type OrphanReturn = { readonly kind: 'return'; readonly position: bigint } & Returned;

/** The return of a record by its change. */
export function returnOf({ kind, position, record }: RecordChange): OrphanReturn {
  switch (kind) {
    case 'message':
      return { kind: 'return', position, of: kind, record: messageAsResult(record.messageId) };
    case 'verifierResult': {
      const { messageId, verifierSourceAddress, verifierDestAddress } = record;
      return { kind: 'return', position, of: kind, record: { messageId, verifierSourceAddress, verifierDestAddress } };
    }
    case 'execution':
      return { kind: 'return', position, of: kind, record: logOf(record) };
  }
}

/** The identity of the record that is back. */
export function returnedIdentity({ of, record }: OrphanReturn): string {
  switch (of) {
    case 'message':
      return messageIdentity(record);
    case 'verifierResult':
      return resultIdentity(record);
    case 'execution':
      return logIdentity(record);
  }
}

/** The cells of a return in the ledger. */
export function returnCells({ of, record }: OrphanReturn): Readonly<Record<string, ColumnValue>> {
  const cells = { message_id: record.messageId, record: of };
  return of === 'execution'
    ? { ...cells, block_hash: record.blockHash, log_index: BigInt(record.logIndex) }
    : {
        ...cells,
        verifier_source_address: record.verifierSourceAddress,
        verifier_dest_address: record.verifierDestAddress,
      };
}

/** Reads returns of orphaned records. */
export function returns(data: RowGroupData): (row: number) => Returned {
  const cells = cellsOf(data);
  const kind = cells.text('record');
  const messageId = cells.hex('message_id');
  const verifierSourceAddress = cells.hex('verifier_source_address');
  const verifierDestAddress = cells.hex('verifier_dest_address');
  const blockHash = cells.hex('block_hash');
  const logIndex = cells.number('log_index');
  return (row) => {
    const of = oneOf(CONFLICTING_KINDS, kind(row));
    return of === 'execution'
      ? { of, record: { messageId: messageId(row), blockHash: blockHash(row), logIndex: logIndex(row) } }
      : {
          of,
          record: {
            messageId: messageId(row),
            verifierSourceAddress: verifierSourceAddress(row),
            verifierDestAddress: verifierDestAddress(row),
          },
        };
  };
}
