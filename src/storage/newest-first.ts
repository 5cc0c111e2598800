import type { AsOf } from '../model/coverage.js';
import { LIST_KINDS, type ListedKind, type ListedRecords } from '../model/list-kinds.js';
import type { KeyedPage, ResolvedRange } from '../model/list-query.js';
import { compareOrderKeys, type OrderKey } from '../model/order.js';
import { CoverageGapError } from '../model/storage-errors.js';
import type { ResolvedLists } from './list-face.js';

/** A page from the end of a list towards its start. */
export interface NewestFirstQuery extends ResolvedRange {
  readonly limit: number;
  /** The page begins in front of this key; null: at the end of the range. */
  readonly before: OrderKey | null;
  /** The time of asking, unix ms: where the search begins when the range is open. */
  readonly nowMs: number;
}

/** The first window that is looked at; each that holds nothing makes the next one wider. */
const FIRST_WINDOW_MS = 60_000;
const WIDER = 16;
/** Records of a page that are read at once. */
const READ_STEP = 1_000;
const ATTEMPTS = 5;

/**
 * A page in the reverse of the one order, put together from counts and pages in order: so it is exact wherever lists
 * are, and needs nothing of a storage but them. Windows of time are counted backwards, widened where they are empty and
 * narrowed where they hold much more than the page takes. A quiet time is passed over without filters. Records that
 * moved between two of these reads make it begin again.
 * @throws CoverageGapError when records keep moving, and as the lists do.
 */
export async function listNewestFirst<K extends ListedKind>(
  lists: ResolvedLists,
  kind: K,
  query: NewestFirstQuery,
): Promise<KeyedPage<ListedRecords[K]>> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const page = await new BackwardRead(lists, kind, query).page();
    if (page !== null) return page;
  }
  const { startMs, endMs } = query;
  throw new CoverageGapError({ kind: 'time', startMs, endMs }, 'newest first', {
    details: { why: 'records kept moving while they were read' },
  });
}

const UNFILTERED = { sourceChainSelectors: null, destChainSelectors: null, contents: null } as const;

function isFiltered({ sourceChainSelectors, destChainSelectors, contents }: ResolvedRange): boolean {
  return sourceChainSelectors !== null || destChainSelectors !== null || contents !== null;
}

class BackwardRead<K extends ListedKind> {
  readonly #lists: ResolvedLists;
  readonly #kind: K;
  readonly #query: NewestFirstQuery;
  /** Newest first, at most one more than the page takes. */
  readonly #found: ListedRecords[K][] = [];
  readonly #states: AsOf[] = [];

  constructor(lists: ResolvedLists, kind: K, query: NewestFirstQuery) {
    this.#lists = lists;
    this.#kind = kind;
    this.#query = query;
  }

  /** Null: records moved between two reads. */
  async page(): Promise<KeyedPage<ListedRecords[K]> | null> {
    const { before, startMs, endMs } = this.#query;
    if (before === null) await this.#readDownFrom(endMs);
    else if (before.ingestionMs > endMs) return await this.#beginAtEnd();
    else if (before.ingestionMs >= startMs) {
      await this.#takeWindow(before.ingestionMs, before.ingestionMs);
      await this.#readDownFrom(before.ingestionMs - 1);
    }
    const asOf = this.#asOf();
    if (asOf === null) return null;
    const { limit } = this.#query;
    const items = this.#found.slice(0, limit);
    const last = items.at(-1);
    return { items, next: this.#found.length > limit && last ? this.#keyOf(last) : null, asOf };
  }

  async #beginAtEnd(): Promise<KeyedPage<ListedRecords[K]> | null> {
    return await new BackwardRead(this.#lists, this.#kind, { ...this.#query, before: null }).page();
  }

  async #readDownFrom(lastMs: number): Promise<void> {
    const { startMs, nowMs } = this.#query;
    let endMs = lastMs;
    let widthMs = FIRST_WINDOW_MS;
    // the start of a window that holds more than the page takes, and whether it began with a gap
    let crowdedMs = Number.POSITIVE_INFINITY;
    let isUneven = false;
    let skipsQuiet = isFiltered(this.#query);
    while (this.#wanted > 0 && endMs >= startMs) {
      const fromMs = Math.max(startMs, Math.min(endMs, nowMs) - widthMs + 1);
      const count = await this.#count({ ...this.#query, startMs: fromMs, endMs });
      if (count === 0 && skipsQuiet) {
        skipsQuiet = false;
        endMs = await this.#skipQuiet(fromMs - 1);
        continue;
      }
      if (count > 4 * this.#wanted && fromMs < Math.min(endMs, nowMs)) {
        const share = isUneven ? 0.5 : (2 * this.#wanted) / count;
        widthMs = Math.max(1, Math.floor((Math.min(endMs, nowMs) - fromMs + 1) * share));
        crowdedMs = fromMs;
        continue;
      }
      if (count > 0) await this.#takeWindow(fromMs, endMs);
      endMs = fromMs - 1;
      // halves find the records of a crowded window that begins with a gap, wherever they are
      isUneven ||= count === 0 && crowdedMs <= endMs;
      if (count === 0 && crowdedMs <= endMs) widthMs = Math.ceil((endMs - crowdedMs + 1) / 2);
      else widthMs *= count === 0 ? WIDER : 2;
    }
  }

  /**
   * The end of the last minute through `lastMs` in which any record is listed. A wide window behind a quiet time costs
   * as many rows as it holds when it is counted with filters, and next to nothing without them.
   */
  async #skipQuiet(lastMs: number): Promise<number> {
    const { startMs } = this.#query;
    const isQuiet = async (fromMs: number, throughMs: number) =>
      (await this.#count({ ...UNFILTERED, startMs: fromMs, endMs: throughMs })) === 0;
    let endMs = lastMs;
    let fromMs = lastMs + 1;
    for (let widthMs = FIRST_WINDOW_MS; endMs >= startMs; widthMs *= WIDER) {
      fromMs = Math.max(startMs, endMs - widthMs + 1);
      if (!(await isQuiet(fromMs, endMs))) break;
      endMs = fromMs - 1;
    }
    while (endMs - fromMs >= FIRST_WINDOW_MS) {
      const middleMs = Math.ceil((fromMs + endMs) / 2);
      if (await isQuiet(middleMs, endMs)) endMs = middleMs - 1;
      else fromMs = middleMs;
    }
    return endMs;
  }

  async #count(range: ResolvedRange): Promise<number> {
    const { count, asOf } = await this.#lists.count(this.#kind, range);
    this.#states.push(asOf);
    return count;
  }

  /** Takes the last records of a window that are wanted. */
  async #takeWindow(startMs: number, endMs: number): Promise<void> {
    const { before } = this.#query;
    const wanted = this.#wanted;
    let last: ListedRecords[K][] = [];
    for (let after: OrderKey | null = null; ; ) {
      const range = { ...this.#query, startMs, endMs };
      const page: KeyedPage<ListedRecords[K]> = await this.#lists.list(this.#kind, {
        ...range,
        ...{ limit: READ_STEP, offset: 0, after, maxBytes: Number.POSITIVE_INFINITY },
      });
      this.#states.push(page.asOf);
      const inFront = page.items.filter((item) => before === null || compareOrderKeys(this.#keyOf(item), before) < 0);
      last = [...last, ...inFront].slice(-wanted);
      if (page.next === null || inFront.length < page.items.length) break;
      after = page.next;
    }
    this.#found.push(...last.reverse());
  }

  /** One record more than asked tells whether there are more. */
  get #wanted(): number {
    return this.#query.limit + 1 - this.#found.length;
  }

  #keyOf(item: ListedRecords[K]): OrderKey {
    return LIST_KINDS[this.#kind].keyOf(item);
  }

  /** The least advanced of the states read; null when records moved after it. */
  #asOf(): AsOf | null {
    let lowest: AsOf | null = null;
    let movePosition = 0n;
    for (const state of this.#states) {
      if (lowest === null || state.position < lowest.position) lowest = state;
      if (state.movePosition > movePosition) movePosition = state.movePosition;
    }
    if (lowest === null) return { position: 0n, movePosition: 0n };
    return movePosition > lowest.position ? null : { position: lowest.position, movePosition };
  }
}
