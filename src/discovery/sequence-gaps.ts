/** Consecutive sequences without an entry when they were passed. */
interface Gap {
  readonly from: bigint;
  readonly to: bigint;
  /** On the monotonic clock. */
  readonly passedMs: number;
}

/**
 * The gaps that a reader of sequences has passed a short while ago. An aggregator draws a sequence before its entry
 * commits, so an entry can appear below others that were read already; it can only appear in a gap.
 */
export class SequenceGaps {
  readonly #window: bigint;
  /** Rising, by sequence and so by time. */
  #gaps: Gap[] = [];

  /** @param window sequences below the highest that was read; lower gaps are not remembered. */
  constructor(window: bigint) {
    this.#window = window;
  }

  /** Consecutive missing sequences count as one. */
  get count(): number {
    return this.#gaps.length;
  }

  /** The sequences `from` to `to` were passed; they lie above all that were passed before. Empty when `from > to`. */
  pass(from: bigint, to: bigint, nowMs: number): void {
    if (from <= to) this.#gaps.push({ from, to, passedMs: nowMs });
  }

  /** The entry of this sequence is stored. */
  fill(sequence: bigint): void {
    const at = this.#firstReaching(sequence);
    const gap = this.#gaps[at];
    if (gap === undefined || gap.from > sequence) return;
    const rest = [
      { ...gap, to: sequence - 1n },
      { ...gap, from: sequence + 1n },
    ].filter(({ from, to }) => from <= to);
    this.#gaps.splice(at, 1, ...rest);
  }

  has(sequence: bigint): boolean {
    const gap = this.#gaps[this.#firstReaching(sequence)];
    return gap !== undefined && gap.from <= sequence;
  }

  /** The lowest missing sequence at or above this one; null: none. */
  next(sequence: bigint): bigint | null {
    const gap = this.#gaps[this.#firstReaching(sequence)];
    if (gap === undefined) return null;
    return gap.from < sequence ? sequence : gap.from;
  }

  /** The lowest sequence that was passed at or after a time; null: none. */
  lowest(passedMs: number): bigint | null {
    return this.#gaps.find((gap) => gap.passedMs >= passedMs)?.from ?? null;
  }

  /** Forgets gaps below the window; `highest` is the highest sequence that was read. */
  bound(highest: bigint): void {
    const least = highest - this.#window;
    this.#gaps = this.#gaps.slice(this.#firstReaching(least));
    const [first] = this.#gaps;
    if (first !== undefined && first.from < least) this.#gaps[0] = { ...first, from: least };
  }

  /** Forgets gaps that were passed at or before a time. */
  forget(passedMs: number): void {
    this.#gaps = this.#gaps.filter((gap) => gap.passedMs > passedMs);
  }

  clear(): void {
    this.#gaps = [];
  }

  /** The index of the first gap that ends at or above a sequence; the length: none does. */
  #firstReaching(sequence: bigint): number {
    let low = 0;
    let high = this.#gaps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const gap = this.#gaps[middle];
      if (gap !== undefined && gap.to < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
