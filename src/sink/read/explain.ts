import type { Coverage } from '../../model/coverage.js';
import { describeCondition, type Interval } from '../../model/read-conditions.js';
import type { Candidate } from '../backend.js';

/** `Coverage` as plain data: positions as decimal strings, no end as null. */
export interface PlainCoverage {
  readonly afterMs: number;
  readonly throughMs: number | null;
  readonly afterPosition: string;
  readonly throughPosition: string;
  readonly movePosition: string;
}

/** One slice of an explained query. Times in unix ms, inclusive; no end as null. */
export interface ExplainedSlice {
  readonly startMs: number;
  readonly endMs: number | null;
  /** The backend that answers; null: none does, and the query fails with a coverage gap. */
  readonly backend: string | null;
  readonly condition: string | null;
  readonly coverage: PlainCoverage | null;
  /** The others, in configured order, and why they do not answer. */
  readonly others: readonly { readonly backend: string; readonly why: string }[];
}

/** How a Sink would answer a query right now; survives `JSON.stringify`. */
export interface Explanation {
  readonly nowMs: number;
  readonly startMs: number;
  readonly endMs: number | null;
  /** No backend below this position is asked about the present. */
  readonly floorPosition: string;
  readonly slices: readonly ExplainedSlice[];
}

/** The plan as plain data. */
export function explainSlices(
  slices: readonly { readonly startMs: number; readonly endMs: number; readonly candidate: Candidate | null }[],
  candidates: readonly Candidate[],
): readonly ExplainedSlice[] {
  return slices.map((slice) => ({
    startMs: slice.startMs,
    endMs: plainMs(slice.endMs),
    backend: slice.candidate?.backend.name ?? null,
    condition: slice.candidate === null ? null : describeCondition(slice.candidate.backend.condition),
    coverage: slice.candidate === null ? null : plainCoverage(slice.candidate.coverage),
    others: candidates
      .filter((each) => each !== slice.candidate)
      .map((each) => ({ backend: each.backend.name, why: whyNot(each, slice) ?? 'later in order' })),
  }));
}

/** The reason why a candidate does not answer for a slice; null when it does. */
export function whyNot(
  candidate: Candidate,
  slice: { readonly startMs: number; readonly endMs: number },
): string | null {
  const { admitted, usable, coverage, limit, backend } = candidate;
  if (usable !== null && includes(usable, slice)) return null;
  if (admitted === null || !includes(admitted, slice)) return `condition ${describeCondition(backend.condition)}`;
  if (!includes({ fromMs: coverage.afterMs + 1, toMs: coverage.throughMs }, slice))
    return `complete only for times above ${coverage.afterMs} through ${plainMs(coverage.throughMs) ?? 'now'}`;
  switch (limit) {
    case 'starting':
      return 'has not started to follow yet';
    case 'behind':
      return `behind: stands at position ${coverage.throughPosition}`;
    case 'stale':
      return 'not known to be current';
    case 'lost':
      return 'lacks commits that another backend holds, or holds them and is not known to hold all others';
    case null:
      return 'cannot be used';
  }
}

/** `coverage` as plain data. */
export function plainCoverage(coverage: Coverage): PlainCoverage {
  return {
    afterMs: coverage.afterMs,
    throughMs: plainMs(coverage.throughMs),
    afterPosition: String(coverage.afterPosition),
    throughPosition: String(coverage.throughPosition),
    movePosition: String(coverage.movePosition),
  };
}

/** A time as plain data: null for no end. */
export function plainMs(ms: number): number | null {
  return Number.isFinite(ms) ? ms : null;
}

function includes(interval: Interval, slice: { readonly startMs: number; readonly endMs: number }): boolean {
  return interval.fromMs <= slice.startMs && slice.endMs <= interval.toMs;
}
