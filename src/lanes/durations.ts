/** Durations as an answer tells them; a percentile of none is null. */
export interface Durations {
  readonly count: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
}

/** Steps for each doubling: a percentile is off by 4.5 % at most. */
const STEPS = 8;
/** Durations up to 2^36 ms, two years; longer ones count as that. */
const MAX_STEP = 36 * STEPS;
const GROWTH = 8;

/** Counts of durations by their logarithm. Memory goes by the spread of the durations, not by their number. */
export class DurationHistogram {
  #base = 0;
  #counts = new Uint32Array(0);

  static from([base, counts]: readonly [number, readonly number[]]): DurationHistogram {
    const histogram = new DurationHistogram();
    histogram.#base = base;
    histogram.#counts = Uint32Array.from(counts);
    return histogram;
  }

  toJSON(): [number, number[]] {
    return [this.#base, [...this.#counts]];
  }

  /** @param sign -1 takes back one that was added. */
  add(durationMs: number, sign: 1 | -1): void {
    const step = durationMs < 1 ? 0 : Math.min(MAX_STEP, 1 + Math.floor(Math.log2(durationMs) * STEPS));
    let at = step - this.#base;
    if (at < 0 || at >= this.#counts.length) at = this.#growTo(step);
    const count = this.#counts[at] ?? 0;
    if (sign > 0 || count > 0) this.#counts[at] = count + sign;
  }

  addTo(sum: DurationSum): void {
    if (this.#counts.length > 0) sum.add(this.#base, this.#counts);
  }

  #growTo(step: number): number {
    const isEmpty = this.#counts.length === 0;
    const from = Math.floor((isEmpty ? step : Math.min(step, this.#base)) / GROWTH) * GROWTH;
    const through = isEmpty ? step : Math.max(step, this.#base + this.#counts.length - 1);
    const grown = new Uint32Array(Math.ceil((through + 1 - from) / GROWTH) * GROWTH);
    if (!isEmpty) grown.set(this.#counts, this.#base - from);
    this.#counts = grown;
    this.#base = from;
    return step - from;
  }
}

/** The sum of several histograms. */
export class DurationSum {
  readonly #counts = new Float64Array(MAX_STEP + GROWTH + 1);
  #count = 0;

  /** `counts`: of the steps from `base` on. */
  add(base: number, counts: Uint32Array): void {
    const sums = this.#counts;
    for (let at = 0; at < counts.length; at += 1) {
      const count = counts[at] ?? 0;
      if (count === 0) continue;
      sums[base + at] = (sums[base + at] ?? 0) + count;
      this.#count += count;
    }
  }

  addSum(other: DurationSum): void {
    if (other.#count === 0) return;
    const sums = this.#counts;
    for (let step = 0; step < sums.length; step += 1) sums[step] = (sums[step] ?? 0) + (other.#counts[step] ?? 0);
    this.#count += other.#count;
  }

  durations(): Durations {
    return { count: this.#count, p50Ms: this.#at(0.5), p95Ms: this.#at(0.95), p99Ms: this.#at(0.99) };
  }

  #at(share: number): number | null {
    let left = Math.ceil(share * this.#count);
    if (left === 0) return null;
    const step = this.#counts.findIndex((count) => {
      left -= count;
      return left <= 0;
    });
    return step === 0 ? 0 : Math.round(2 ** ((step - 0.5) / STEPS));
  }
}
