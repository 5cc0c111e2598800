import type { Move } from '../../model/amendments.js';
import type { AsOf } from '../../model/coverage.js';
import { resultIdentity } from '../../model/identity.js';
import type { Count, KeyedPage, Page, ResolvedListQuery, ResolvedRange } from '../../model/list-query.js';
import { decodeCursor, encodeCursor, messageOrderKey, type OrderKey } from '../../model/order.js';
import { outlineOfMessage, outlineOfResult } from '../../model/outlines.js';
import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { CoverageGapError } from '../../model/storage-errors.js';
import type { Storage } from '../../storage/storage.js';

/** The two kinds of record that are listed, under one face. */
export interface ListKind<T> {
  readonly record: Move['record'];
  /** Listed records change where they are, so that a late backend would show an old state of them. */
  readonly changesInPlace: boolean;
  list(storage: Storage, query: ResolvedListQuery): Promise<KeyedPage<T>>;
  count(storage: Storage, range: ResolvedRange): Promise<Count>;
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
  list: async (storage, query) => keyed(await storage.queryCCVData(asked(query))),
  count: (storage, range) => storage.countCCVData(askedRange(range)),
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
  list: async (storage, query) => keyed(await storage.queryMessages(asked(query))),
  count: (storage, range) => storage.countMessages(askedRange(range)),
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

function askedRange({ startMs, endMs, sourceChainSelectors, destChainSelectors }: ResolvedRange) {
  return {
    startMs,
    endMs,
    ...(sourceChainSelectors === null ? {} : { sourceChainSelectors }),
    ...(destChainSelectors === null ? {} : { destChainSelectors }),
  };
}

function asked({ limit, offset, after, maxBytes, ...range }: ResolvedListQuery) {
  return {
    ...askedRange(range),
    limit,
    ...(maxBytes === Number.POSITIVE_INFINITY ? {} : { maxBytes }),
    ...(after === null ? { offset } : { cursor: encodeCursor(after) }),
  };
}

function keyed<T>({ items, nextCursor, asOf }: Page<T>): KeyedPage<T> {
  return { items, next: nextCursor === null ? null : decodeCursor(nextCursor), asOf };
}
