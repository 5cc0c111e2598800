import type { Move } from '../../model/amendments.js';
import type { AsOf } from '../../model/coverage.js';
import { LIST_KINDS, type ListedKind, type ListedRecords } from '../../model/list-kinds.js';
import type { Count, KeyedPage, ResolvedRange } from '../../model/list-query.js';
import { compareOrderKeys, type OrderKey } from '../../model/order.js';
import { withContents } from '../../model/outlines.js';
import type { PrunableRecord } from '../../storage/backend-storage.js';
import type { Storage } from '../../storage/storage.js';
import type { ListSource } from './merge.js';

/**
 * The lists of a storage that stands at an earlier position Q, as they are at the leader's position P. For times up to
 * the last commit at Q the two differ exactly in
 * - records that were listed at Q and have since left the lists or moved in time: the leader's moves after Q. Whatever
 *   moved got a time above Q's, so nothing comes into these times, and of a record that moved twice only the first move
 *   left a time up to Q's;
 * - messages that changed where they are: the leader has them, because all that changed after Q is above its floor.
 * So records that moved are left out, and each place after one counts one less; records that changed are replaced. A
 * move does not tell contents: in a list narrowed to some, which has no offset, only the records met are left out. When
 * the leader moves records or the storage moves on between two reads, the list is null: a new plan reads both
 * positions.
 */
export function amendedLists<K extends ListedKind>(
  kind: K,
  lagging: Storage,
  leader: PrunableRecord,
  standsAt: bigint,
): ListSource<ListedRecords[K]> {
  type T = ListedRecords[K];
  const { changesInPlace, keyOf, identityOf } = LIST_KINDS[kind];

  /** The keys of records that have left the range since, in order; they grow while the lagging storage stands still. */
  async function readGone(range: ResolvedRange): Promise<{ readonly gone: readonly OrderKey[]; readonly asOf: AsOf }> {
    const told = await leader.movesAfter({ afterPosition: standsAt, throughMs: range.endMs });
    const left = told.moves.filter((move) => move.record === kind && isIn(range, move));
    return { gone: left.map(({ key }) => key).sort(compareOrderKeys), asOf: told.asOf };
  }

  /** Null when something has left the range since the moves were read; a move elsewhere is no matter. */
  async function upToDate(
    records: readonly T[],
    asOf: AsOf,
    hasMoreGone: () => Promise<boolean>,
  ): Promise<{ readonly records: readonly T[]; readonly asOf: AsOf } | null> {
    if (!changesInPlace || records.length === 0) return { records, asOf };
    const messageIds = records.map(({ messageId }) => messageId);
    const changed = await leader.changedMessages({ afterPosition: standsAt, messageIds });
    if (changed.asOf.movePosition !== asOf.movePosition && (await hasMoreGone())) return null;
    const byIdentity = new Map(changed.messages.map((message) => [message.messageId as string, message as T]));
    return {
      records: records.map((record) => {
        const state = byIdentity.get(identityOf(record));
        return state === undefined || record.outline ? (state ?? record) : withContents(state, record);
      }),
      asOf: changed.asOf,
    };
  }

  /** Null when the state moved on between two pages. */
  async function countPages(range: ResolvedRange): Promise<Count | null> {
    let count = 0;
    let asOf: AsOf | null = null;
    for (let after: OrderKey | null = null; ; ) {
      const page: KeyedPage<T> | null = await source.page({ ...range, ...COUNTED_PAGE, after });
      if (page === null || (asOf !== null && page.asOf.movePosition !== asOf.movePosition)) return null;
      asOf ??= page.asOf;
      count += page.items.length;
      if (page.next === null) return { count, asOf };
      after = page.next;
    }
  }

  const source: ListSource<T> = {
    async page(query) {
      const { limit, after } = query;
      const { gone, asOf } = await readGone(query);
      const ahead = after === null ? gone : gone.filter((key) => compareOrderKeys(key, after) > 0);
      // as many more as could have to be left out
      const page = await lagging.list(kind, { ...query, limit: limit + ahead.length });
      if (page.asOf.position !== standsAt) return null;
      const kept: T[] = [];
      let isMore = page.next !== null;
      let before = 0;
      let met = 0;
      for (const [index, item] of page.items.entries()) {
        const key = keyOf(item);
        let goneKey = ahead[before];
        while (goneKey !== undefined && compareOrderKeys(goneKey, key) < 0) goneKey = ahead[++before];
        if (goneKey !== undefined && compareOrderKeys(goneKey, key) === 0) {
          met += 1;
          continue;
        }
        const place = index - (query.contents === null ? before : met);
        if (place >= limit) isMore = true;
        else if (place >= 0) kept.push(item);
      }
      const items = await upToDate(kept, asOf, async () => (await readGone(query)).gone.length > gone.length);
      if (items === null) return null;
      const last = kept.at(-1);
      return {
        items: items.records,
        next: isMore && last !== undefined ? keyOf(last) : null,
        asOf: items.asOf,
      };
    },
    async count(range) {
      const { gone, asOf } = await readGone(range);
      if (range.contents !== null && gone.length > 0) return await countPages(range);
      const { count, asOf: readAt } = await lagging.count(kind, range);
      return readAt.position === standsAt ? { count: count - gone.length, asOf } : null;
    },
  };
  return source;
}

/** A page that is only counted: its records are outlines. */
const COUNTED_PAGE = { limit: 1000, offset: 0, maxBytes: 1 } as const;

function isIn(range: ResolvedRange, { key, lane }: Move): boolean {
  return (
    key.ingestionMs >= range.startMs &&
    key.ingestionMs <= range.endMs &&
    (range.sourceChainSelectors?.has(lane.sourceChainSelector) ?? true) &&
    (range.destChainSelectors?.has(lane.destChainSelector) ?? true)
  );
}
