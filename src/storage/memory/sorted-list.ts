const MAX_CHUNK = 1024;

/**
 * A list kept in order of unique keys, made for appends at its end and removals at its start, right for any other:
 * chunks of at most 1024 items with a running count, so that seeking by key or by index takes logarithmic time.
 */
export class SortedList<T, K> {
  readonly #compare: (item: T, key: K) => number;
  readonly #keyOf: (item: T) => K;
  #chunks: T[][] = [];
  /** `#starts[i]` items come before chunk i; right for i below `#startsKnown`. */
  #starts: number[] = [];
  #startsKnown = 0;
  #length = 0;

  /** `compare` is below, at or above 0 as the item's key is below, at or above `key`. */
  constructor(compare: (item: T, key: K) => number, keyOf: (item: T) => K) {
    this.#compare = compare;
    this.#keyOf = keyOf;
  }

  get length(): number {
    return this.#length;
  }

  /** Adds an item whose key is not in the list. */
  add(item: T): void {
    const key = this.#keyOf(item);
    const tail = this.#chunks.at(-1);
    const last = tail?.at(-1);
    if (tail === undefined || last === undefined || this.#compare(last, key) < 0) this.#append(tail, item);
    else this.#insert(item, key);
    this.#length += 1;
  }

  /** Removes the item with this key; false when there is none. */
  delete(item: T): boolean {
    const key = this.#keyOf(item);
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index];
    if (!chunk) return false;
    const at = this.#within(chunk, key);
    const found = chunk[at];
    if (found === undefined || this.#compare(found, key) !== 0) return false;
    chunk.splice(at, 1);
    this.#length -= 1;
    this.#forgetStartsAfter(index);
    if (chunk.length < MAX_CHUNK / 4) this.#shrink(index);
    return true;
  }

  /** Puts `item` in the place of the item with the same key, which must be there. */
  replace(item: T): void {
    const key = this.#keyOf(item);
    const chunk = this.#chunks[this.#chunkOf(key)];
    if (chunk) chunk[this.#within(chunk, key)] = item;
  }

  /** Index of the first item at or above `key`; the length when all are below. */
  lowerBound(key: K): number {
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index];
    return chunk ? this.#startOf(index) + this.#within(chunk, key) : this.#length;
  }

  /** Index of the first item above `key`. */
  upperBound(key: K): number {
    const index = this.lowerBound(key);
    const item = this.at(index);
    return item !== undefined && this.#compare(item, key) === 0 ? index + 1 : index;
  }

  at(index: number): T | undefined {
    const chunk = this.#chunkAt(index);
    return this.#chunks[chunk]?.[index - this.#startOf(chunk)];
  }

  /** The items from index `from` to before index `to`. */
  slice(from: number, to: number): T[] {
    const items: T[] = [];
    let index = this.#chunkAt(from);
    let offset = from - this.#startOf(index);
    for (let chunk = this.#chunks[index]; chunk && items.length < to - from; chunk = this.#chunks[index]) {
      const end = Math.min(chunk.length, offset + to - from - items.length);
      for (let i = offset; i < end; i += 1) items.push(chunk[i] as T);
      index += 1;
      offset = 0;
    }
    return items;
  }

  /** Removes the first `count` items and returns them. */
  shift(count: number): T[] {
    const removed = this.slice(0, Math.min(count, this.#length));
    let left = removed.length;
    let whole = 0;
    for (let chunk = this.#chunks[whole]; chunk && chunk.length <= left; chunk = this.#chunks[whole]) {
      left -= chunk.length;
      whole += 1;
    }
    if (whole > 0) this.#chunks.splice(0, whole);
    const first = this.#chunks[0];
    // slice instead of splice: the rest gets memory of its own size
    if (first && left > 0) this.#chunks[0] = first.slice(left);
    this.#length -= removed.length;
    this.#startsKnown = 0;
    this.#starts.length = this.#chunks.length;
    return removed;
  }

  #append(tail: T[] | undefined, item: T): void {
    if (tail && tail.length < MAX_CHUNK) tail.push(item);
    else this.#chunks.push([item]);
  }

  #insert(item: T, key: K): void {
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index] ?? [];
    chunk.splice(this.#within(chunk, key), 0, item);
    this.#forgetStartsAfter(index);
    if (chunk.length > MAX_CHUNK) {
      const half = chunk.length >>> 1;
      this.#chunks.splice(index, 1, chunk.slice(0, half), chunk.slice(half));
    }
  }

  /** Joins a chunk that has become small with a neighbour, so that stragglers do not hold a chunk each. */
  #shrink(index: number): void {
    const chunk = this.#chunks[index] ?? [];
    if (chunk.length === 0) {
      this.#chunks.splice(index, 1);
      this.#forgetStartsAfter(index - 1);
      return;
    }
    const at = index + 1 < this.#chunks.length ? index : index - 1;
    const [left, right] = [this.#chunks[at], this.#chunks[at + 1]];
    if (!left || !right || left.length + right.length > MAX_CHUNK / 2) return;
    this.#chunks.splice(at, 2, left.concat(right));
    this.#forgetStartsAfter(at);
  }

  /** Index of the first chunk whose last item is at or above `key`; the number of chunks when there is none. */
  #chunkOf(key: K): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const last = this.#chunks[middle]?.at(-1);
      if (last !== undefined && this.#compare(last, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #within(chunk: readonly T[], key: K): number {
    let low = 0;
    let high = chunk.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(chunk[middle] as T, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Index of the chunk that holds the item number `index`. */
  #chunkAt(index: number): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#startOf(middle) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #startOf(index: number): number {
    for (let i = this.#startsKnown; i <= index; i += 1)
      this.#starts[i] = i === 0 ? 0 : (this.#starts[i - 1] ?? 0) + (this.#chunks[i - 1]?.length ?? 0);
    this.#startsKnown = Math.max(this.#startsKnown, index + 1);
    return this.#starts[index] ?? 0;
  }

  #forgetStartsAfter(index: number): void {
    this.#startsKnown = Math.min(this.#startsKnown, index + 1);
  }
}
