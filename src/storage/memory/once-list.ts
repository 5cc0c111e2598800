/** Records that are stored once by identity, in position order: conflicts and quarantined input. */
export class OnceList<T extends { readonly position: bigint; readonly ingestionMs: number }> {
  readonly #identityOf: (record: T) => string;
  #records: T[] = [];
  readonly #known = new Set<string>();

  constructor(identityOf: (record: T) => string) {
    this.#identityOf = identityOf;
  }

  get size(): number {
    return this.#records.length;
  }

  oldestMs(): number | undefined {
    return this.#records[0]?.ingestionMs;
  }

  /** How many records have an ingestion time at or below `ms`. */
  countThrough(ms: number): number {
    return this.#firstWhere((record) => record.ingestionMs > ms);
  }

  has(identity: string): boolean {
    return this.#known.has(identity);
  }

  /** Adds a record above all others in position. */
  add(record: T): void {
    this.#known.add(this.#identityOf(record));
    this.#records.push(record);
  }

  after(position: bigint, limit: number): readonly T[] {
    const from = this.#firstWhere((record) => record.position > position);
    return this.#records.slice(from, from + limit);
  }

  through(ms: number): readonly T[] {
    return this.#records.slice(0, this.countThrough(ms));
  }

  dropThrough(ms: number): void {
    const dropped = this.through(ms);
    for (const record of dropped) this.#known.delete(this.#identityOf(record));
    if (dropped.length > 0) this.#records = this.#records.slice(dropped.length);
  }

  /** `matches` must be false up to some record and true from there on. */
  #firstWhere(matches: (record: T) => boolean): number {
    let low = 0;
    let high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (matches(this.#records[middle] as T)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
