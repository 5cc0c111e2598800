import { DurationHistogram, DurationSum, type Durations } from './durations.js';

const MINUTE_MS = 60_000;
const FIVE_MINUTES_MS = 5 * MINUTE_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The windows of an answer, each up to now. It begins with a whole minute, the longest with whole five minutes. */
export const WINDOWS = ['5m', '1h', '24h'] as const;
export type WindowName = (typeof WINDOWS)[number];
const LENGTH_MS: Readonly<Record<WindowName, number>> = { '5m': FIVE_MINUTES_MS, '1h': HOUR_MS, '24h': DAY_MS };

/** Events of one kind in a window. */
export interface EventFigures {
  readonly count: number;
  readonly durations: Durations;
}

/** The events of one kind in a window, summed up. */
interface WindowSum {
  count: number;
  readonly durations: DurationSum;
}

interface Cell {
  count: number;
  readonly durations: DurationHistogram;
}
/** The cells of a span of time, by kind. */
type Span = Cell[];
type SpanText = readonly [number, readonly (readonly [number, ReturnType<DurationHistogram['toJSON']>])[]];

/** A run of spans of one length, as far back as it is asked for. */
class Spans {
  readonly #spans: Map<number, Span>;
  readonly #kinds: number;
  readonly #sizeMs: number;
  readonly #keptMs: number;

  constructor(kinds: number, sizeMs: number, keptMs: number, text: readonly SpanText[] = []) {
    this.#kinds = kinds;
    this.#sizeMs = sizeMs;
    this.#keptMs = keptMs + sizeMs;
    this.#spans = new Map(
      text.map(([at, cells]) => [
        at,
        cells.map(([count, durations]) => ({ count, durations: DurationHistogram.from(durations) })),
      ]),
    );
  }

  note(kind: number, atMs: number, durationMs: number | null, sign: 1 | -1, newestMs: number): void {
    if (atMs <= newestMs - this.#keptMs) return;
    const at = Math.floor(atMs / this.#sizeMs);
    let span = this.#spans.get(at);
    if (span === undefined) {
      const cut = (newestMs - this.#keptMs) / this.#sizeMs - 1;
      for (const old of this.#spans.keys()) if (old < cut) this.#spans.delete(old);
      span = Array.from({ length: this.#kinds }, () => ({ count: 0, durations: new DurationHistogram() }));
      this.#spans.set(at, span);
    }
    const cell = span[kind];
    if (!cell) return;
    cell.count += sign;
    if (durationMs !== null) cell.durations.add(durationMs, sign);
  }

  get isEmpty(): boolean {
    return ![...this.#spans.values()].some((span) => span.some(({ count }) => count > 0));
  }

  /** The spans that end after `sinceMs`, in any order: all lanes are summed up for one answer. */
  after(sinceMs: number): Span[] {
    const before = sinceMs / this.#sizeMs - 1;
    const found: Span[] = [];
    for (const [at, span] of this.#spans) if (at > before) found.push(span);
    return found;
  }

  /** The spans that end after `sinceMs`, in their order. */
  since(sinceMs: number): { readonly startMs: number; readonly span: Span }[] {
    return [...this.#spans]
      .map(([at, span]) => ({ startMs: at * this.#sizeMs, span }))
      .filter(({ startMs }) => startMs + this.#sizeMs > sinceMs)
      .sort((a, b) => a.startMs - b.startMs);
  }

  toJSON(): SpanText[] {
    return [...this.#spans].map(([at, span]) => [at, span.map(({ count, durations }) => [count, durations.toJSON()])]);
  }
}

/**
 * Events of several kinds, with how long each took, counted by minute for an hour and by five minutes for a day.
 * Memory is bounded, however many there are. An event can be taken back as long as its span is kept.
 */
export class EventWindows {
  readonly #minutes: Spans;
  readonly #fives: Spans;
  readonly #kinds: number;
  /** Sums of windows, good until an event is noted or the next minute begins: pages ask every few seconds. */
  readonly #sums = new Map<WindowName, { readonly minute: number; readonly sums: readonly WindowSum[] }>();

  constructor(kinds: number, text: readonly [readonly SpanText[], readonly SpanText[]] = [[], []]) {
    const [minutes, fives] = text;
    this.#kinds = kinds;
    this.#minutes = new Spans(kinds, MINUTE_MS, HOUR_MS, minutes);
    this.#fives = new Spans(kinds, FIVE_MINUTES_MS, DAY_MS, fives);
  }

  /**
   * @param sign -1 takes back an event that was noted with the same values.
   * @param newestMs the last ingestion time that was seen, unix ms: older spans are forgotten by it.
   */
  note(kind: number, atMs: number, durationMs: number | null, sign: 1 | -1, newestMs: number): void {
    this.#sums.clear();
    this.#minutes.note(kind, atMs, durationMs, sign, newestMs);
    this.#fives.note(kind, atMs, durationMs, sign, newestMs);
  }

  /** The figures of a window, by kind. */
  window(name: WindowName, nowMs: number): EventFigures[] {
    return figuresOf(this.sumsOf(name, nowMs));
  }

  /** The same before percentiles are taken. */
  sumsOf(name: WindowName, nowMs: number): readonly WindowSum[] {
    // all lengths are whole minutes
    const minute = Math.floor(nowMs / MINUTE_MS);
    const known = this.#sums.get(name);
    if (known?.minute === minute) return known.sums;
    const spans = name === '24h' ? this.#fives : this.#minutes;
    const sums = sumOf(spans.after(nowMs - LENGTH_MS[name]), this.#kinds);
    this.#sums.set(name, { minute, sums });
    return sums;
  }

  /** Nothing was noted in the last day. */
  get isEmpty(): boolean {
    return this.#fives.isEmpty;
  }

  /** The figures of each five minutes of the last day that have events. */
  series(nowMs: number): { readonly startMs: number; readonly figures: EventFigures[] }[] {
    return this.#fives
      .since(nowMs - DAY_MS)
      .filter(({ span }) => span.some(({ count }) => count > 0))
      .map(({ startMs, span }) => ({ startMs, figures: figuresOf(sumOf([span], this.#kinds)) }));
  }

  toJSON(): [SpanText[], SpanText[]] {
    return [this.#minutes.toJSON(), this.#fives.toJSON()];
  }
}

/** The figures of several together. */
export function sumOfWindows(
  all: Iterable<EventWindows>,
  kinds: number,
  name: WindowName,
  nowMs: number,
): EventFigures[] {
  const total = sumOf([], kinds);
  for (const windows of all)
    for (const [kind, { count, durations }] of windows.sumsOf(name, nowMs).entries()) {
      const sum = total[kind];
      if (!sum) continue;
      sum.count += count;
      sum.durations.addSum(durations);
    }
  return figuresOf(total);
}

function sumOf(spans: readonly Span[], kinds: number): WindowSum[] {
  return Array.from({ length: kinds }, (_, kind) => {
    const sum: WindowSum = { count: 0, durations: new DurationSum() };
    for (const span of spans) {
      sum.count += span[kind]?.count ?? 0;
      span[kind]?.durations.addTo(sum.durations);
    }
    return sum;
  });
}

function figuresOf(sums: readonly WindowSum[]): EventFigures[] {
  return sums.map(({ count, durations }) => ({ count, durations: durations.durations() }));
}
