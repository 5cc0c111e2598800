import { compareOrderKeys, type OrderKey } from '../../model/order.js';
import type { SortedList } from './sorted-list.js';

/** The items of a list from index `from` to before index `to`. */
export interface Span<T> {
  readonly list: SortedList<T, OrderKey>;
  readonly from: number;
  readonly to: number;
}

/** A span being read: its items in blocks, so that a step rarely has to seek. */
interface Head<T> {
  readonly span: Span<T>;
  next: number;
  block: readonly T[];
  at: number;
  item: T;
  key: OrderKey;
}

/** The first `limit` items of the spans in common order: a binary heap over the spans' heads. */
export function mergeSpans<T>(spans: readonly Span<T>[], limit: number, keyOf: (item: T) => OrderKey): T[] {
  const blockSize = Math.max(8, Math.min(256, Math.ceil((2 * limit) / Math.max(1, spans.length))));
  const heap: Head<T>[] = [];
  for (const span of spans) {
    const block = span.list.slice(span.from, Math.min(span.to, span.from + blockSize));
    const [item] = block;
    if (item !== undefined) heap.push({ span, next: span.from + block.length, block, at: 0, item, key: keyOf(item) });
  }
  for (let i = (heap.length >>> 1) - 1; i >= 0; i -= 1) siftDown(heap, i);
  const merged: T[] = [];
  for (let head = heap[0]; head && merged.length < limit; head = heap[0]) {
    merged.push(head.item);
    if (!advance(head, blockSize, keyOf)) {
      const last = heap.pop();
      if (last && last !== head) heap[0] = last;
    }
    siftDown(heap, 0);
  }
  return merged;
}

function advance<T>(head: Head<T>, blockSize: number, keyOf: (item: T) => OrderKey): boolean {
  head.at += 1;
  if (head.at === head.block.length) {
    const { list, to } = head.span;
    head.block = list.slice(head.next, Math.min(to, head.next + blockSize));
    head.next += head.block.length;
    head.at = 0;
  }
  const item = head.block[head.at];
  if (item === undefined) return false;
  head.item = item;
  head.key = keyOf(item);
  return true;
}

function siftDown<T>(heap: Head<T>[], start: number): void {
  let at = start;
  for (;;) {
    const [left, right] = [2 * at + 1, 2 * at + 2];
    let least = at;
    if (isBelow(heap[left], heap[least])) least = left;
    if (isBelow(heap[right], heap[least])) least = right;
    const [head, lower] = [heap[at], heap[least]];
    if (least === at || !head || !lower) return;
    heap[at] = lower;
    heap[least] = head;
    at = least;
  }
}

function isBelow<T>(a: Head<T> | undefined, b: Head<T> | undefined): boolean {
  return a !== undefined && b !== undefined && compareOrderKeys(a.key, b.key) < 0;
}
