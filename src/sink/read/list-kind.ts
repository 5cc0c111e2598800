import type { Move } from '../../model/amendments.js';
import type { AsOf } from '../../model/coverage.js';
import { resultIdentity } from '../../model/identity.js';
import type { Count, CountQuery, ListQuery, Page } from '../../model/list-query.js';
import { messageOrderKey, type OrderKey } from '../../model/order.js';
import { outlineOfMessage, outlineOfResult } from '../../model/outlines.js';
import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { CoverageGapError } from '../../model/storage-errors.js';
import type { Storage } from '../../storage/storage.js';

/** The two kinds of record that are listed, under one face. */
export interface ListKind<T> {
  readonly record: Move['record'];
  /** Listed records change where they are, so that a late backend would show an old state of them. */
  readonly changesInPlace: boolean;
  query(storage: Storage, query: ListQuery): Promise<Page<T>>;
  count(storage: Storage, query: CountQuery): Promise<Count>;
  keyOf(record: T): OrderKey;
  identityOf(record: T): string;
  outlineOf(record: T): T;
  /** The present state, as outlines, of those of `records` that changed after a position; only where `changesInPlace`. */
  changedAfter(
    leader: Storage,
    position: bigint,
    records: readonly T[],
  ): Promise<{ readonly records: readonly T[]; readonly asOf: AsOf }>;
}

export const verifierResults: ListKind<StoredVerifierResult> = {
  record: 'verifierResult',
  changesInPlace: false,
  query: (storage, query) => storage.queryCCVData(query),
  count: (storage, query) => storage.countCCVData(query),
  keyOf: (record) => record,
  identityOf: resultIdentity,
  outlineOf: outlineOfResult,
  changedAfter: async (_leader, position) => {
    throw new CoverageGapError({ kind: 'position', afterPosition: position }, 'sink');
  },
};

export const messages: ListKind<StoredMessage> = {
  record: 'message',
  changesInPlace: true,
  query: (storage, query) => storage.queryMessages(query),
  count: (storage, query) => storage.countMessages(query),
  keyOf: messageOrderKey,
  identityOf: (record) => record.messageId,
  outlineOf: outlineOfMessage,
  changedAfter: async (leader, afterPosition, records) => {
    if (!leader.changedMessages)
      throw new CoverageGapError({ kind: 'position', afterPosition }, `storage ${leader.name}`);
    const messageIds = records.map(({ messageId }) => messageId);
    const { messages: changed, asOf } = await leader.changedMessages({ afterPosition, messageIds });
    return { records: changed, asOf };
  },
};
