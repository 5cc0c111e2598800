import { logIdentity, resultIdentity } from '../../../model/identity.js';
import { outlineOfMessage, outlineOfResult } from '../../../model/outlines.js';
import type { StoredExecution, StoredMessage, StoredVerifierResult } from '../../../model/records.js';
import { EXECUTION_ROWS } from '../rows/executions.js';
import { MESSAGE_ROWS } from '../rows/messages.js';
import type { RecordChange } from '../rows/orphan-return.js';
import type { ExecutionRowKey, MessageRowKey, RecordKey, RowKey } from '../rows/row-kind.js';
import type { NamedTable } from '../rows/table-name.js';
import { VERIFIER_RESULT_ROWS } from '../rows/verifier-results.js';
import type { TableRows } from './file-reader.js';

/** A table of records: one row each in its present state, none while it is orphaned. */
export interface RecordTable<T, K extends RecordKey> extends TableRows<T, K> {
  readonly table: NamedTable;
  readonly kind: RecordChange['kind'];
  /** Tells a row from others of the table, whatever its state. */
  identityOf(key: K): string;
  /** The change of which a record is the outcome. */
  changeOf(record: T): RecordChange;
}

/** A table whose records a list shows. */
export interface ListTable<T, K extends RowKey> extends RecordTable<T, K> {
  /** The outline of a record, from its key alone. */
  outlineOf(key: K): T;
}

export const MESSAGE_TABLE: ListTable<StoredMessage, MessageRowKey> = {
  ...{ table: 'messages', kind: 'message', rows: MESSAGE_ROWS, identityOf: resultIdentity },
  changeOf: (record) => ({ kind: 'message', position: record.position, record }),
  outlineOf: ({ messageId, ingestionMs, position, firstMs, status }) =>
    outlineOfMessage({ messageId, ingestionMs, position, firstMs, orphaned: false, status, origin: null }),
};
export const RESULT_TABLE: ListTable<StoredVerifierResult, RowKey> = {
  ...{ table: 'verifier_results', kind: 'verifierResult', rows: VERIFIER_RESULT_ROWS, identityOf: resultIdentity },
  changeOf: (record) => ({ kind: 'verifierResult', position: record.position, record }),
  outlineOf: ({ messageId, verifierSourceAddress, verifierDestAddress, ingestionMs, position, firstMs }) =>
    outlineOfResult({
      ...{ messageId, verifierSourceAddress, verifierDestAddress },
      ...{ ingestionMs, position, firstMs, orphaned: false },
    }),
};
export const EXECUTION_TABLE: RecordTable<StoredExecution, ExecutionRowKey> = {
  ...{ table: 'executions', kind: 'execution', rows: EXECUTION_ROWS },
  identityOf: logIdentity,
  changeOf: (record) => ({ kind: 'execution', position: record.position, record }),
};

/** For work that is the same for every record. */
export const RECORD_TABLES: Readonly<Record<NamedTable, RecordTable<RecordChange['record'], RecordKey>>> = {
  messages: MESSAGE_TABLE,
  verifier_results: RESULT_TABLE,
  executions: EXECUTION_TABLE,
};
