/** A record as an answer shows it. */
export interface ShownRecord {
  readonly id: string;
  readonly ingestionMs: number;
  /** Everything of it that never changes, as one kind of answer spells it; null: in another kind. */
  readonly text: string | null;
  /** Only a message's goes on, from 0. */
  readonly status: number;
}

/** A page of a list: the question and the answer. */
export interface ShownPage {
  readonly startMs: number;
  /** Null: everything that there is. */
  readonly endMs: number | null;
  readonly offset: number;
  readonly limit: number;
  readonly records: readonly ShownRecord[];
  /** When it was asked, on the clock of this process. */
  readonly askedMs: number;
  /** Records that the one who answers has shown before: it does not go back behind them. */
  readonly floor: number;
}

/** A list as its clients have come to know it: its beginning, in its order, without gaps. */
export class KnownList {
  readonly records: ShownRecord[] = [];
  readonly #staleMs: number;
  readonly #index = new Map<string, number>();
  /** How long the list was at which times, rising. */
  readonly #lengths: { readonly atMs: number; readonly length: number }[] = [];
  readonly #succeededMs = new Map<string, number>();

  /** @param staleMs the age of the oldest state that an answer may be of. */
  constructor(staleMs: number) {
    this.#staleMs = staleMs;
  }

  indexOf(id: string): number | undefined {
    return this.#index.get(id);
  }

  /** Records that every answer to a question of this time has. */
  leastAt(askedMs: number, floor: number): number {
    return Math.max(floor, this.#lengthAt(askedMs - this.#staleMs));
  }

  /** Records with a time below this one. */
  before(ms: number): number {
    let [low, high] = [0, this.records.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.records[middle] as ShownRecord).ingestionMs < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Holds a page against everything shown before, and learns of it. @returns the fault, or null. */
  learn(page: ShownPage, nowMs: number): string | null {
    const { startMs, endMs, offset, limit, records, askedMs, floor } = page;
    const begin = this.before(startMs) + offset;
    if (records.length > limit) return `${records.length} records of ${limit}`;
    if (begin > this.records.length) return records.length > 0 ? `begins at ${begin}, unknown` : null;
    for (const [place, record] of records.entries()) {
      const fault = this.#meet(begin + place, record, page, nowMs);
      if (fault !== null) return fault;
    }
    if (records.length === limit) return null;
    const ends = endMs === null ? Number.POSITIVE_INFINITY : this.before(endMs + 1);
    // the time of a range that ends below what was shown is closed
    const isClosed = endMs !== null && endMs <= (this.records[this.#lengthAt(askedMs) - 1]?.ingestionMs ?? -1);
    const least = isClosed ? this.#lengthAt(askedMs) : this.leastAt(askedMs, floor);
    const missing = Math.min(least, ends) - (begin + records.length);
    return missing > 0 ? `${missing} records are missing behind the ${records.length} from ${begin}` : null;
  }

  #meet(index: number, record: ShownRecord, { startMs, endMs, askedMs }: ShownPage, nowMs: number): string | null {
    const { id, ingestionMs, text, status } = record;
    if (ingestionMs < startMs || (endMs !== null && ingestionMs > endMs)) return `${id} of ${ingestionMs} is outside`;
    const known = this.records[index];
    if (!known) return this.#append(record, nowMs);
    if (known.id !== id) return `${id} of ${ingestionMs} where ${known.id} of ${known.ingestionMs} was, at ${index}`;
    if (text !== null && known.text !== null && known.text !== text) return `${id} was ${known.text}, and is ${text}`;
    if (known.text === null) this.records[index] = record;
    const since = this.#succeededMs.get(id);
    if (status === 0 && since !== undefined && since < askedMs - this.#staleMs) return `${id} is no success any more`;
    if (status !== 0 && since === undefined) this.#succeededMs.set(id, nowMs);
    return null;
  }

  #append(record: ShownRecord, nowMs: number): string | null {
    const last = this.records.at(-1);
    const known = this.#index.get(record.id);
    if (known !== undefined) return `${record.id} is at ${known} and again at ${this.records.length}`;
    if (
      last &&
      (record.ingestionMs < last.ingestionMs || (record.ingestionMs === last.ingestionMs && record.id <= last.id))
    )
      return `${record.id} of ${record.ingestionMs} appears behind ${last.id} of ${last.ingestionMs}`;
    this.#index.set(record.id, this.records.length);
    this.records.push(record);
    if (record.status !== 0) this.#succeededMs.set(record.id, nowMs);
    const length = { atMs: nowMs, length: this.records.length };
    if (this.#lengths.at(-1)?.atMs === nowMs) this.#lengths[this.#lengths.length - 1] = length;
    else this.#lengths.push(length);
    return null;
  }

  #lengthAt(atMs: number): number {
    let [low, high] = [0, this.#lengths.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lengths[middle]?.atMs ?? 0) < atMs) low = middle + 1;
      else high = middle;
    }
    return this.#lengths[low - 1]?.length ?? 0;
  }
}
