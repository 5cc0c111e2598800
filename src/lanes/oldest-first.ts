/** Values by key, the last that were set: the oldest go first. */
export class RecentlyTold<V> {
  readonly #values: Map<string, V>;
  readonly #most: number;

  constructor(most: number, values: readonly (readonly [string, V])[] = []) {
    this.#most = most;
    this.#values = new Map(values);
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    this.#values.set(key, value);
    if (this.#values.size <= this.#most) return;
    const [oldest] = this.#values.keys();
    if (oldest !== undefined) this.#values.delete(oldest);
  }

  delete(key: string): void {
    this.#values.delete(key);
  }

  toJSON(): [string, V][] {
    return [...this.#values];
  }
}

/** A set in the order in which its members came; beyond its bound the oldest is let go, and told. */
export class OldestFirst<K> {
  readonly #members = new Set<K>();
  readonly #most: number;
  readonly #letGo: (member: K) => unknown;

  constructor(most: number, letGo: (member: K) => unknown) {
    this.#most = most;
    this.#letGo = letGo;
  }

  get size(): number {
    return this.#members.size;
  }

  keys(): Iterable<K> {
    return this.#members;
  }

  add(member: K): void {
    this.#members.add(member);
    if (this.#members.size <= this.#most) return;
    const [oldest] = this.#members;
    if (oldest === undefined) return;
    this.#members.delete(oldest);
    this.#letGo(oldest);
  }

  delete(member: K): void {
    this.#members.delete(member);
  }
}
