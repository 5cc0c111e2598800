import { createContentsTest } from '../../model/contents-filter.js';
import type { ResolvedListQuery, ResolvedRange } from '../../model/list-query.js';
import { compareOrderKeys, messageOrderKey, type OrderKey } from '../../model/order.js';
import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import type { Lane } from '../../protocol/message.js';
import { mergeSpans, type Span } from './merge.js';
import { SortedList } from './sorted-list.js';

/** Records that a scan for contents takes at once. */
const SCAN_STEP = 1024;

/** The lists of one kind of record: all, by lane, and those that a reorg took out of both. */
export class RecordIndex<T extends StoredMessage | StoredVerifierResult> {
  readonly #newList: () => SortedList<T, OrderKey>;
  readonly #keyOf: (record: T) => OrderKey;
  readonly #listed: SortedList<T, OrderKey>;
  readonly #orphaned: SortedList<T, OrderKey>;
  /** By the interned lane; a lane without listed records has no list. */
  readonly #lanes = new Map<Lane, SortedList<T, OrderKey>>();

  constructor(compare: (record: T, key: OrderKey) => number, keyOf: (record: T) => OrderKey) {
    this.#keyOf = keyOf;
    this.#newList = () => new SortedList(compare, keyOf);
    this.#listed = this.#newList();
    this.#orphaned = this.#newList();
  }

  /** Records in the lists or orphaned. */
  get size(): number {
    return this.#listed.length + this.#orphaned.length;
  }

  /** The lowest ingestion time of all records; undefined without any. */
  oldestMs(): number | undefined {
    const [listed, orphaned] = [this.#listed.at(0)?.ingestionMs, this.#orphaned.at(0)?.ingestionMs];
    return listed === undefined || orphaned === undefined ? (listed ?? orphaned) : Math.min(listed, orphaned);
  }

  /** Takes in a record in place of its state before, if it had one. */
  change(old: T | undefined, record: T, lane: Lane): void {
    if (old?.ingestionMs === record.ingestionMs && old.orphaned === record.orphaned) {
      for (const list of this.#listsOf(record, lane)) list.replace(record);
      return;
    }
    if (old) for (const list of this.#listsOf(old, lane)) list.delete(old);
    for (const list of this.#listsOf(record, lane)) list.add(record);
    if (old && this.#lanes.get(lane)?.length === 0) this.#lanes.delete(lane);
  }

  /** One page, and whether more comes after it. */
  page(query: ResolvedListQuery): { readonly items: readonly T[]; readonly more: boolean } {
    if (query.contents !== null) return this.#passing(query, createContentsTest(query.contents));
    const spans = this.#spans(query, query.after);
    const total = lengthOf(spans);
    if (query.offset >= total) return { items: [], more: false };
    const [only] = spans;
    if (spans.length === 1 && only) {
      const from = only.from + query.offset;
      return {
        items: only.list.slice(from, Math.min(only.to, from + query.limit)),
        more: total - query.offset > query.limit,
      };
    }
    const rest = query.offset === 0 ? spans : this.#skip(spans, query.offset);
    return { items: mergeSpans(rest, query.limit, this.#keyOf), more: total - query.offset > query.limit };
  }

  count(range: ResolvedRange): number {
    if (range.contents !== null) {
      const passes = createContentsTest(range.contents);
      let count = 0;
      for (const { list, from, to } of this.#spans(range, null))
        for (let at = from; at < to; at += 1) {
          const record = list.at(at);
          if (record && passes(record.encodedMessage)) count += 1;
        }
      return count;
    }
    return lengthOf(this.#spans(range, null));
  }

  /** Records are told in common order and passed over one by one: contents have no index here. */
  #passing(query: ResolvedListQuery, passes: (encodedMessage: Uint8Array) => boolean) {
    const items: T[] = [];
    for (let after = query.after; ; ) {
      const { items: next, more } = this.page({ ...query, contents: null, offset: 0, limit: SCAN_STEP, after });
      for (const record of next) {
        if (!passes(record.encodedMessage)) continue;
        if (items.length === query.limit) return { items, more: true };
        else items.push(record);
      }
      const last = next.at(-1);
      if (!more || last === undefined) return { items, more: false };
      after = this.#keyOf(last);
    }
  }

  /** How many records have an ingestion time at or below `ms`. */
  countThrough(ms: number): number {
    return this.#listed.lowerBound(timeKey(ms + 1)) + this.#orphaned.lowerBound(timeKey(ms + 1));
  }

  /** The records with an ingestion time at or below `ms`. */
  through(ms: number): T[] {
    const end = timeKey(ms + 1);
    return [
      ...this.#listed.slice(0, this.#listed.lowerBound(end)),
      ...this.#orphaned.slice(0, this.#orphaned.lowerBound(end)),
    ];
  }

  /** Forgets the records with an ingestion time at or below `ms`. */
  dropThrough(ms: number): void {
    const end = timeKey(ms + 1);
    this.#listed.shift(this.#listed.lowerBound(end));
    this.#orphaned.shift(this.#orphaned.lowerBound(end));
    for (const [lane, list] of this.#lanes) {
      list.shift(list.lowerBound(end));
      if (list.length === 0) this.#lanes.delete(lane);
    }
  }

  #listsOf(record: T, lane: Lane): readonly SortedList<T, OrderKey>[] {
    if (record.orphaned) return [this.#orphaned];
    let list = this.#lanes.get(lane);
    if (!list) {
      list = this.#newList();
      this.#lanes.set(lane, list);
    }
    return [this.#listed, list];
  }

  /** The parts of the fewest lists that hold exactly the range. */
  #spans(range: ResolvedRange, after: OrderKey | null): Span<T>[] {
    const spans: Span<T>[] = [];
    for (const list of this.#admitted(range)) {
      const start = list.lowerBound(timeKey(range.startMs));
      const from = after ? Math.max(start, list.upperBound(after)) : start;
      const to = range.endMs === Number.POSITIVE_INFINITY ? list.length : list.lowerBound(timeKey(range.endMs + 1));
      if (from < to) spans.push({ list, from, to });
    }
    return spans;
  }

  #admitted(range: ResolvedRange): readonly SortedList<T, OrderKey>[] {
    const { sourceChainSelectors: sources, destChainSelectors: dests } = range;
    if (sources === null && dests === null) return [this.#listed];
    const lists: SortedList<T, OrderKey>[] = [];
    for (const [lane, list] of this.#lanes)
      if (
        (sources === null || sources.has(lane.sourceChainSelector)) &&
        (dests === null || dests.has(lane.destChainSelector))
      )
        lists.push(list);
    return lists.length === this.#lanes.size ? [this.#listed] : lists;
  }

  /**
   * The spans without their first `offset` records in common order. The records of all lanes are in one list, so the
   * first record to keep is found there by bisection: how many of the spans' records lie before it is known in
   * logarithmic time.
   */
  #skip(spans: readonly Span<T>[], offset: number): Span<T>[] {
    const before = (key: OrderKey): Span<T>[] =>
      spans.map(({ list, from, to }) => ({ list, from, to: Math.min(to, Math.max(from, list.lowerBound(key))) }));
    let low = 0;
    let high = this.#listed.length;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const record = this.#listed.at(middle);
      if (record !== undefined && lengthOf(before(this.#keyOf(record))) <= offset) low = middle;
      else high = middle - 1;
    }
    const first = this.#listed.at(low);
    if (first === undefined) return [];
    const skipped = before(this.#keyOf(first));
    return spans
      .map(({ list, to }, i) => ({ list, from: skipped[i]?.to ?? to, to }))
      .filter(({ from, to }) => from < to);
  }
}

/** The index of the messages. */
export function createMessageIndex(): RecordIndex<StoredMessage> {
  return new RecordIndex(compareMessage, messageOrderKey);
}

/** The index of the verifier results. */
export function createResultIndex(): RecordIndex<StoredVerifierResult> {
  return new RecordIndex<StoredVerifierResult>(compareOrderKeys, (result) => result);
}

/** Where a message stands to a key. */
export function compareMessage(message: StoredMessage, key: OrderKey): number {
  if (message.ingestionMs !== key.ingestionMs) return message.ingestionMs - key.ingestionMs;
  if (message.messageId !== key.messageId) return message.messageId < key.messageId ? -1 : 1;
  return key.verifierSourceAddress === '0x' && key.verifierDestAddress === '0x' ? 0 : -1;
}

/** Below every record of that time, above every record before it. */
export function timeKey(ms: number): OrderKey {
  return { ingestionMs: ms, messageId: '0x', verifierSourceAddress: '0x', verifierDestAddress: '0x' };
}

function lengthOf(spans: readonly { readonly from: number; readonly to: number }[]): number {
  let length = 0;
  for (const { from, to } of spans) length += to - from;
  return length;
}
