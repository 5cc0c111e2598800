import { outlineOfMessage, outlineOfResult } from '../../../model/outlines.js';
import type { StoredMessage, StoredVerifierResult } from '../../../model/records.js';
import { MESSAGE_ROWS } from '../rows/messages.js';
import type { MessageRowKey, RowKey, RowKind } from '../rows/row-kind.js';
import type { TableName } from '../rows/table-name.js';
import { VERIFIER_RESULT_ROWS } from '../rows/verifier-results.js';

/** A list of one kind: its table and how its rows are read. */
export interface ListTable<T, K extends RowKey> {
  readonly table: TableName;
  readonly rows: RowKind<T, K>;
  /** The outline of a record, from its key alone. */
  outlineOf(key: K): T;
}

export const MESSAGE_TABLE: ListTable<StoredMessage, MessageRowKey> = {
  table: 'messages',
  rows: MESSAGE_ROWS,
  outlineOf: ({ messageId, ingestionMs, position, firstMs, status }) =>
    outlineOfMessage({ messageId, ingestionMs, position, firstMs, orphaned: false, status, origin: null }),
};
export const RESULT_TABLE: ListTable<StoredVerifierResult, RowKey> = {
  table: 'verifier_results',
  rows: VERIFIER_RESULT_ROWS,
  outlineOf: ({ messageId, verifierSourceAddress, verifierDestAddress, ingestionMs, position, firstMs }) =>
    outlineOfResult({
      ...{ messageId, verifierSourceAddress, verifierDestAddress },
      ...{ ingestionMs, position, firstMs, orphaned: false },
    }),
};
