import type { Move } from '../../model/amendments.js';
import type { AsOf, Coverage } from '../../model/coverage.js';
import type { Count, CountQuery, ListQuery, Page } from '../../model/list-query.js';
import { type ResolvedListQuery, type ResolvedRange, resolveListQuery, resolveRange } from '../../model/list-query.js';
import { compareOrderKeys, encodeCursor, type OrderKey } from '../../model/order.js';
import { withContents } from '../../model/outlines.js';
import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { CoverageGapError } from '../../model/storage-errors.js';
import type { Storage } from '../../storage/storage.js';
import type { ListKind } from './list-kind.js';
import type { ListSource } from './slice-reading.js';

/** The leader may move records, and the lagging storage may move on, between two reads: then all is read anew. */
const MAX_ATTEMPTS = 5;

/**
 * The lists of a storage that stands at an earlier position Q, as they are at the leader's position P. For times up to
 * the last commit at Q the two differ exactly in
 * - records that were listed at Q and have since left the lists or moved in time: the leader's moves after Q. Whatever
 *   moved got a time above Q's, so nothing comes into these times, and of a record that moved twice only the first move
 *   left a time up to Q's;
 * - messages that changed where they are: the leader has them, because all that changed after Q is above its floor.
 * So: what moved is left out, and every place after it counts that much less; what changed is replaced.
 */
export class AmendedLists<T extends StoredMessage | StoredVerifierResult> implements ListSource<T> {
  readonly #kind: ListKind<T>;
  readonly #lagging: Storage;
  readonly #leader: Storage;
  #standsAt: bigint;

  constructor(kind: ListKind<T>, lagging: Storage, leader: Storage, coverage: Coverage) {
    this.#kind = kind;
    this.#lagging = lagging;
    this.#leader = leader;
    this.#standsAt = coverage.throughPosition;
  }

  async query(query: ListQuery): Promise<Page<T>> {
    const resolved = resolveListQuery(query);
    return await this.#repeat(resolved, async (gone, asOf) => await this.#page(query, resolved, gone, asOf));
  }

  async count(query: CountQuery): Promise<Count> {
    return await this.#repeat(resolveRange(query), async (gone, asOf) => {
      const { count, asOf: readAt } = await this.#kind.count(this.#lagging, query);
      return this.#isStill(readAt) ? { count: count - gone.length, asOf } : null;
    });
  }

  /** `read` is given the keys of what is gone from the range, in order, and says null when it has to be done anew. */
  async #repeat<A>(
    range: ResolvedRange,
    read: (gone: readonly OrderKey[], asOf: AsOf) => Promise<A | null>,
  ): Promise<A> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const { gone, asOf } = await this.#gone(range);
      const answer = await read(gone, asOf);
      if (answer !== null) return answer;
    }
    throw new CoverageGapError({ kind: 'time', startMs: range.startMs, endMs: range.endMs }, this.#lagging.name, {
      details: { why: 'records kept moving while they were read' },
    });
  }

  /** What has left the range since, in order; more and more for as long as the lagging storage stands still. */
  async #gone(range: ResolvedRange): Promise<{ readonly gone: readonly OrderKey[]; readonly asOf: AsOf }> {
    const afterPosition = this.#standsAt;
    const told = await this.#leader.movesAfter?.({ afterPosition, throughMs: range.endMs });
    if (!told) throw new CoverageGapError({ kind: 'position', afterPosition }, `storage ${this.#leader.name}`);
    const left = told.moves.filter((move) => move.record === this.#kind.record && isIn(range, move));
    return { gone: left.map(({ key }) => key).sort(compareOrderKeys), asOf: told.asOf };
  }

  async #page(
    query: ListQuery,
    resolved: ResolvedListQuery,
    gone: readonly OrderKey[],
    asOf: AsOf,
  ): Promise<Page<T> | null> {
    const { limit, offset, after } = resolved;
    const ahead = after === null ? gone : gone.filter((key) => compareOrderKeys(key, after) > 0);
    // as many more as could have to be left out
    const page = await this.#kind.query(this.#lagging, { ...query, limit: limit + ahead.length });
    if (!this.#isStill(page.asOf)) return null;
    const left = new Set(ahead.map(encodeCursor));
    const kept: T[] = [];
    let isMore = page.nextCursor !== null;
    let before = 0;
    page.items.forEach((item, index) => {
      const key = this.#kind.keyOf(item);
      while (before < ahead.length && compareOrderKeys(ahead[before] ?? key, key) < 0) before += 1;
      if (left.has(encodeCursor(key))) return;
      const place = offset + index - before;
      if (place >= offset + limit) isMore = true;
      else if (place >= offset) kept.push(item);
    });
    const items = await this.#upToDate(kept, asOf, async () => (await this.#gone(resolved)).gone.length > gone.length);
    if (items === null) return null;
    const last = kept.at(-1);
    const nextCursor = isMore && last !== undefined ? encodeCursor(this.#kind.keyOf(last)) : null;
    return { items: items.records, nextCursor, asOf: items.asOf };
  }

  /** Null when something has left the range since the moves were read; what moves elsewhere is no matter. */
  async #upToDate(
    records: readonly T[],
    asOf: AsOf,
    hasMoreGone: () => Promise<boolean>,
  ): Promise<{ readonly records: readonly T[]; readonly asOf: AsOf } | null> {
    if (!this.#kind.changesInPlace || records.length === 0) return { records, asOf };
    const changed = await this.#kind.changedAfter(this.#leader, this.#standsAt, records);
    if (changed.asOf.movePosition !== asOf.movePosition && (await hasMoreGone())) return null;
    const byIdentity = new Map(changed.records.map((record) => [this.#kind.identityOf(record), record]));
    return {
      records: records.map((record) => {
        const state = byIdentity.get(this.#kind.identityOf(record));
        return state === undefined || record.outline ? (state ?? record) : withContents(state, record);
      }),
      asOf: changed.asOf,
    };
  }

  /** False when the lagging storage has moved on; from now on it is taken to stand there. */
  #isStill(readAt: AsOf): boolean {
    if (readAt.position === this.#standsAt) return true;
    this.#standsAt = readAt.position;
    return false;
  }
}

function isIn(range: ResolvedRange, { key, lane }: Move): boolean {
  return (
    key.ingestionMs >= range.startMs &&
    key.ingestionMs <= range.endMs &&
    (range.sourceChainSelectors?.includes(lane.sourceChainSelector) ?? true) &&
    (range.destChainSelectors?.includes(lane.destChainSelector) ?? true)
  );
}
