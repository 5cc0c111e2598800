import type { ListedKind, ListedRecords } from '../model/list-kinds.js';
import {
  type Count,
  type CountQuery,
  encodePage,
  type KeyedPage,
  type ListQuery,
  type MessageCountQuery,
  type MessageListQuery,
  type Page,
  type ResolvedListQuery,
  type ResolvedRange,
  resolveListQuery,
  resolveRange,
} from '../model/list-query.js';
import type { StoredMessage, StoredVerifierResult } from '../model/records.js';

/** Lists and counts between storages: a query is resolved, and a place in a list is a key. */
export interface ResolvedLists {
  /** Records in the one order; an empty range is an empty page. */
  list<K extends ListedKind>(kind: K, query: ResolvedListQuery): Promise<KeyedPage<ListedRecords[K]>>;
  count(kind: ListedKind, range: ResolvedRange): Promise<Count>;
}

/** Lists and counts as users of a storage ask for them. */
export interface Lists {
  /** Verifier results by ingestion time; an empty range is an empty page. */
  queryCCVData(query: ListQuery): Promise<Page<StoredVerifierResult>>;
  countCCVData(query: CountQuery): Promise<Count>;
  /** Messages by ingestion time. A list narrowed to contents takes no offset. */
  queryMessages(query: MessageListQuery): Promise<Page<StoredMessage>>;
  countMessages(query: MessageCountQuery): Promise<Count>;
}

/**
 * The face of a storage towards its users: here, and nowhere else, a query is resolved, its cursor read and that of its
 * page made.
 */
export abstract class ListFace implements Lists, ResolvedLists {
  abstract list<K extends ListedKind>(kind: K, query: ResolvedListQuery): Promise<KeyedPage<ListedRecords[K]>>;
  abstract count(kind: ListedKind, range: ResolvedRange): Promise<Count>;

  async queryCCVData(query: ListQuery): Promise<Page<StoredVerifierResult>> {
    return encodePage(await this.list('verifierResult', resolveListQuery(query)));
  }
  async countCCVData(query: CountQuery): Promise<Count> {
    return await this.count('verifierResult', resolveRange(query));
  }
  async queryMessages(query: MessageListQuery): Promise<Page<StoredMessage>> {
    return encodePage(await this.list('message', resolveListQuery(query)));
  }
  async countMessages(query: MessageCountQuery): Promise<Count> {
    return await this.count('message', resolveRange(query));
  }
}

/** The face over lists that are no class. */
export function listFace(lists: ResolvedLists): Lists & ResolvedLists {
  const face = new (class extends ListFace {
    list = lists.list;
    count = lists.count;
  })();
  return {
    list: lists.list,
    count: lists.count,
    queryCCVData: (query) => face.queryCCVData(query),
    countCCVData: (query) => face.countCCVData(query),
    queryMessages: (query) => face.queryMessages(query),
    countMessages: (query) => face.countMessages(query),
  };
}
