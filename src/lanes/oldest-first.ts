import { LRUCache } from 'lru-cache';

/** Values by key, the last that were set: the oldest go first. */
export class RecentlyTold<V extends object | string> {
  readonly #values: LRUCache<string, V>;

  constructor(most: number, values: readonly (readonly [string, V])[] = []) {
    this.#values = new LRUCache({ max: most });
    for (const [key, value] of values) this.#values.set(key, value);
  }

  get(key: string): V | undefined {
    return this.#values.peek(key);
  }

  set(key: string, value: V): void {
    this.#values.set(key, value);
  }

  delete(key: string): void {
    this.#values.delete(key);
  }

  toJSON(): [string, V][] {
    return [...this.#values.rkeys()].flatMap((key): [string, V][] => {
      const value = this.get(key);
      return value === undefined ? [] : [[key, value]];
    });
  }
}

/** A set in the order in which its members came; beyond its bound the oldest is let go, and told. */
export class OldestFirst<K extends object | string> {
  readonly #members: LRUCache<K, true>;

  constructor(most: number, letGo: (member: K) => unknown) {
    this.#members = new LRUCache({
      max: most,
      disposeAfter: (_, member, reason) => {
        if (reason === 'evict') letGo(member);
      },
    });
  }

  get size(): number {
    return this.#members.size;
  }

  /** The oldest first. */
  keys(): Iterable<K> {
    return this.#members.rkeys();
  }

  add(member: K): void {
    if (!this.#members.has(member)) this.#members.set(member, true);
  }

  delete(member: K): void {
    this.#members.delete(member);
  }
}
