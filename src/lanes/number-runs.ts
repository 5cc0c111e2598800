/** Consecutive message numbers that are there, both ends inclusive. */
export interface Run {
  from: bigint;
  through: bigint;
  /** Ingestion time of the message among them that came first, unix ms. */
  earliestMs: number;
}

/** Numbers that are missing between others, both ends inclusive. */
export interface NumberGap {
  readonly fromNumber: bigint;
  readonly throughNumber: bigint;
  /** Ingestion time of the first message above it, unix ms: since then it is known to be missing. */
  readonly sinceMs: number;
}

/** The earliest ingestion time of the messages in a range as far as it is known; null: not of each of them. */
export type EarliestIn = (from: bigint, through: bigint) => number | null;

/** A set of message numbers as runs: as large as it has gaps. */
export class NumberRuns {
  readonly #runs: Run[];

  constructor(runs: readonly Run[] = []) {
    this.#runs = runs.map((run) => ({ ...run }));
  }

  get runs(): readonly Readonly<Run>[] {
    return this.#runs;
  }

  /** The lowest number; null: there is none. */
  get first(): bigint | null {
    return this.#runs[0]?.from ?? null;
  }

  get highest(): bigint | null {
    return this.#runs.at(-1)?.through ?? null;
  }

  /** The last number before the first gap. */
  get contiguous(): bigint | null {
    return this.#runs[0]?.through ?? null;
  }

  has(number: bigint): boolean {
    const run = this.#runs[this.#below(number)];
    return run !== undefined && run.through >= number;
  }

  /** @param ingestedMs when its message came first, unix ms. */
  add(number: bigint, ingestedMs: number): void {
    const at = this.#below(number);
    const run = this.#runs[at];
    if (run && number <= run.through) {
      run.earliestMs = Math.min(run.earliestMs, ingestedMs);
      return;
    }
    const next = this.#runs[at + 1];
    const joinsNext = next?.from === number + 1n;
    if (run && number === run.through + 1n) {
      run.through = joinsNext ? next.through : number;
      run.earliestMs = Math.min(run.earliestMs, ingestedMs, joinsNext ? next.earliestMs : ingestedMs);
      if (joinsNext) this.#runs.splice(at + 1, 1);
    } else if (joinsNext) {
      next.from = number;
      next.earliestMs = Math.min(next.earliestMs, ingestedMs);
    } else this.#runs.splice(at + 1, 0, { from: number, through: number, earliestMs: ingestedMs });
  }

  remove(number: bigint, earliestIn: EarliestIn): void {
    const at = this.#below(number);
    const run = this.#runs[at];
    if (!run || run.through < number) return;
    const part = (from: bigint, through: bigint): Run[] =>
      from > through ? [] : [{ from, through, earliestMs: earliestIn(from, through) ?? run.earliestMs }];
    this.#runs.splice(at, 1, ...part(run.from, number - 1n), ...part(number + 1n, run.through));
  }

  /** Another message has a number from now on. */
  renew(number: bigint, earliestIn: EarliestIn): void {
    const run = this.#runs[this.#below(number)];
    if (run && run.through >= number) run.earliestMs = earliestIn(run.from, run.through) ?? run.earliestMs;
  }

  /** How many numbers are missing. */
  missing(): bigint {
    let missing = 0n;
    for (let at = 1; at < this.#runs.length; at += 1)
      missing += (this.#runs[at]?.from ?? 0n) - (this.#runs[at - 1]?.through ?? 0n) - 1n;
    return missing;
  }

  get gapCount(): number {
    return Math.max(0, this.#runs.length - 1);
  }

  /** The gaps in the order of their numbers. */
  gaps(): NumberGap[] {
    const gaps: NumberGap[] = [];
    let sinceMs = Number.POSITIVE_INFINITY;
    for (let at = this.#runs.length - 1; at > 0; at -= 1) {
      const [below, above] = [this.#runs[at - 1], this.#runs[at]];
      if (!below || !above) break;
      sinceMs = Math.min(sinceMs, above.earliestMs);
      gaps.push({ fromNumber: below.through + 1n, throughNumber: above.from - 1n, sinceMs });
    }
    return gaps.reverse();
  }

  /** Index of the last run that begins at or below a number; -1: there is none. Most numbers are the highest. */
  #below(number: bigint): number {
    let [low, high] = [0, this.#runs.length];
    const last = this.#runs[high - 1];
    if (last && last.from <= number) return high - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#runs[middle]?.from ?? 0n) <= number) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
