const CHUNK = 1024;

interface Chunk<T> {
  readonly items: (T | undefined)[];
  live: number;
}

/**
 * Items by position. Positions are dense, so an item is found by arithmetic; a chunk of 1024 positions whose items have
 * all moved on or been evicted is released.
 */
export class PositionLog<T extends { readonly position: bigint }> {
  readonly #chunks = new Map<number, Chunk<T>>();

  /** Puts `item` at its position, in place of `old` at the position that one had. */
  move(old: T | undefined, item: T): void {
    if (old) this.delete(old);
    const position = Number(item.position);
    const index = Math.floor(position / CHUNK);
    let chunk = this.#chunks.get(index);
    if (!chunk) {
      chunk = { items: new Array<T | undefined>(CHUNK).fill(undefined), live: 0 };
      this.#chunks.set(index, chunk);
    }
    chunk.items[position % CHUNK] = item;
    chunk.live += 1;
  }

  delete(item: T): void {
    const position = Number(item.position);
    const index = Math.floor(position / CHUNK);
    const chunk = this.#chunks.get(index);
    if (chunk?.items[position % CHUNK] === undefined) return;
    chunk.items[position % CHUNK] = undefined;
    chunk.live -= 1;
    if (chunk.live === 0) this.#chunks.delete(index);
  }

  /** The items with positions in (afterPosition, throughPosition], in order, at most `limit`. */
  range(afterPosition: bigint, throughPosition: bigint, limit: number): T[] {
    const found: T[] = [];
    const last = Number(throughPosition);
    for (let position = Number(afterPosition) + 1; position <= last && found.length < limit; ) {
      const index = Math.floor(position / CHUNK);
      const chunk = this.#chunks.get(index);
      const end = Math.min(last, (index + 1) * CHUNK - 1);
      for (; chunk && position <= end && found.length < limit; position += 1) {
        const item = chunk.items[position % CHUNK];
        if (item !== undefined) found.push(item);
      }
      if (!chunk) position = end + 1;
    }
    return found;
  }
}
