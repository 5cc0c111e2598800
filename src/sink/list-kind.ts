import { messageOrderKey, type OrderKey } from '../storage/order.js';
import type { StoredMessage, StoredVerifierResult } from '../storage/records.js';
import type { Count, CountQuery, ListQuery, Page, Storage } from '../storage/storage.js';

/** The two kinds of record that are listed, under one face. */
export interface ListKind<T> {
  /** Listed records change where they are, so that a late backend would show an old state of them. */
  readonly changesInPlace: boolean;
  query(storage: Storage, query: ListQuery): Promise<Page<T>>;
  count(storage: Storage, query: CountQuery): Promise<Count>;
  keyOf(record: T): OrderKey;
  identityOf(record: T): string;
}

export const verifierResults: ListKind<StoredVerifierResult> = {
  changesInPlace: false,
  query: (storage, query) => storage.queryCCVData(query),
  count: (storage, query) => storage.countCCVData(query),
  keyOf: (record) => record,
  identityOf: (record) => `${record.messageId} ${record.verifierSourceAddress} ${record.verifierDestAddress}`,
};

export const messages: ListKind<StoredMessage> = {
  changesInPlace: true,
  query: (storage, query) => storage.queryMessages(query),
  count: (storage, query) => storage.countMessages(query),
  keyOf: messageOrderKey,
  identityOf: (record) => record.messageId,
};
