import { messageIdentity, resultIdentity } from './identity.js';
import { messageOrderKey, type OrderKey } from './order.js';
import { outlineOfMessage, outlineOfResult } from './outlines.js';
import type { StoredMessage, StoredVerifierResult } from './records.js';

/** The records that are listed, by the name of their kind. */
export interface ListedRecords {
  readonly message: StoredMessage;
  readonly verifierResult: StoredVerifierResult;
}

export type ListedKind = keyof ListedRecords;

/** The differences between the lists of the two kinds of record. */
export interface ListKind<T> {
  /** Listed records change where they are, so that a late storage would show an old state of them. */
  readonly changesInPlace: boolean;
  keyOf(record: T): OrderKey;
  identityOf(record: T): string;
  outlineOf(record: T): T;
}

/** The kinds of listed record. */
export const LIST_KINDS: { readonly [K in ListedKind]: ListKind<ListedRecords[K]> } = {
  message: {
    changesInPlace: true,
    keyOf: messageOrderKey,
    identityOf: messageIdentity,
    outlineOf: outlineOfMessage,
  },
  verifierResult: {
    changesInPlace: false,
    keyOf: (result) => result,
    identityOf: resultIdentity,
    outlineOf: outlineOfResult,
  },
};
