import { SequenceGaps } from './sequence-gaps.js';

/** Most late entries commit this soon after their gap was passed. */
const RECENT_MS = 3_000;

/** How gaps are looked at. */
export interface GapLookSettings {
  /** The first sequence of all. */
  readonly since: bigint;
  /** Sequences below the cursor within which late entries are looked for. */
  readonly overlap: bigint;
  /** Time for which they are looked for after a gap was passed. */
  readonly overlapMs: number;
  readonly pollIntervalMs: number;
  /** The monotonic clock. */
  nowMs(): number;
}

/**
 * Says which gaps are read again: the recent ones with each poll, all of them each quarter of `overlapMs`. A gap is
 * forgotten after a look at all that began `overlapMs` after it was passed, or when the cursor is `overlap` beyond it.
 */
export class GapLooks {
  readonly gaps: SequenceGaps;
  readonly #settings: GapLookSettings;
  /** The look that is under way or was the last. `at`: its place, where it is one at all gaps. */
  #look = { beganMs: 0, height: 0n, at: 0n };
  /** A look at all gaps is under way. */
  #isWhole = false;
  #nextWholeMs = 0;
  #isOwed = false;

  constructor(settings: GapLookSettings) {
    this.#settings = settings;
    this.gaps = new SequenceGaps(settings.overlap);
  }

  /** Age of a gap that is read again with each poll, ms; also the silence after which all are. */
  get recentMs(): number {
    return Math.max(RECENT_MS, 2 * this.#settings.pollIntervalMs);
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** All gaps are to be looked at before the cursor leaves them behind. */
  get isOwed(): boolean {
    return this.#isOwed;
  }

  /** Whatever was missing may have come since the last look: one at all gaps begins with the next. */
  owe(): void {
    this.#isOwed = true;
    this.#isWhole = false;
    this.#nextWholeMs = this.#settings.nowMs();
  }

  /** Each sequence of the window below `height` may have an entry by now that was not read. */
  expectAll(height: bigint): void {
    const { since, overlap, nowMs } = this.#settings;
    const isNearSince = height - overlap < since;
    this.gaps.clear();
    this.gaps.pass(isNearSince ? since : height - overlap, height - 1n, nowMs());
    this.owe();
  }

  /** Begins a look, or goes on with one at all gaps. @returns the first sequence to read; null: none. */
  begin(height: bigint): bigint | null {
    const { overlapMs, nowMs } = this.#settings;
    const beganMs = nowMs();
    this.gaps.bound(height);
    if (!this.#isWhole && beganMs >= this.#nextWholeMs) {
      this.#isWhole = true;
      this.#nextWholeMs = beganMs + overlapMs / 4;
      this.#look = { beganMs, height, at: 0n };
    }
    this.#look.height = height;
    return this.#isWhole ? this.#next(this.#look.at) : this.#below(this.gaps.lowest(beganMs - this.recentMs));
  }

  /** The entries through this sequence have been read. @returns the next sequence to read; null: none. */
  read(through: bigint): bigint | null {
    this.#look.at = through + 1n;
    return this.#next(through + 1n);
  }

  /** Nothing is left to read. */
  end(): void {
    if (!this.#isWhole) return;
    this.gaps.forget(this.#look.beganMs - this.#settings.overlapMs);
    this.#isWhole = false;
    this.#isOwed = false;
  }

  #next(sequence: bigint): bigint | null {
    return this.#below(this.gaps.next(sequence));
  }

  #below(sequence: bigint | null): bigint | null {
    return sequence !== null && sequence < this.#look.height ? sequence : null;
  }
}
