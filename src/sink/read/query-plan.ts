import type { Interval } from '../../model/read-conditions.js';

/** A part of a range and who answers for it. */
export interface PlannedSlice<C> {
  /** Unix ms, inclusive. */
  readonly startMs: number;
  /** Unix ms, inclusive; `Infinity`: everything committed until now. */
  readonly endMs: number;
  /** Null: nobody can answer. */
  readonly candidate: C | null;
}

/**
 * Cuts [startMs, endMs] where any candidate's usable times begin or end, and gives each piece to the first candidate
 * that can answer all of it. The slices are disjoint, ascending and cover the whole range; neighbours with the same
 * candidate are one slice. An empty range has no slices.
 */
export function planSlices<C extends { readonly usable: Interval | null }>(
  startMs: number,
  endMs: number,
  candidates: readonly C[],
): readonly PlannedSlice<C>[] {
  if (startMs > endMs) return [];
  const whole = coversAlone(startMs, endMs, candidates);
  if (whole !== null) return [{ startMs, endMs, candidate: whole }];
  const starts = cuts(startMs, endMs, candidates);
  const slices: PlannedSlice<C>[] = [];
  starts.forEach((sliceStartMs, index) => {
    const next = starts[index + 1];
    const sliceEndMs = next === undefined ? endMs : next - 1;
    const candidate = candidates.find((each) => includes(each.usable, sliceStartMs, sliceEndMs)) ?? null;
    const previous = slices.at(-1);
    if (previous && previous.candidate === candidate)
      slices[slices.length - 1] = { startMs: previous.startMs, endMs: sliceEndMs, candidate };
    else slices.push({ startMs: sliceStartMs, endMs: sliceEndMs, candidate });
  });
  return slices;
}

/** The candidate that answers the whole range, no other before it having any part of it: the usual case, without cuts. */
function coversAlone<C extends { readonly usable: Interval | null }>(
  startMs: number,
  endMs: number,
  candidates: readonly C[],
): C | null {
  for (const candidate of candidates) {
    const { usable } = candidate;
    if (usable === null || usable.toMs < startMs || usable.fromMs > endMs) continue;
    return includes(usable, startMs, endMs) ? candidate : null;
  }
  return null;
}

/** Where slices begin: the start of the range, and every time in it at which a candidate begins or has just ended. */
function cuts(startMs: number, endMs: number, candidates: readonly { readonly usable: Interval | null }[]): number[] {
  const starts = new Set([startMs]);
  for (const { usable } of candidates) {
    if (usable === null) continue;
    for (const cutMs of [usable.fromMs, usable.toMs + 1]) if (cutMs > startMs && cutMs <= endMs) starts.add(cutMs);
  }
  // with an open end the time after an open interval is the end itself
  starts.delete(Number.POSITIVE_INFINITY);
  return [...starts].sort((a, b) => a - b);
}

function includes(interval: Interval | null, startMs: number, endMs: number): boolean {
  return interval !== null && interval.fromMs <= startMs && endMs <= interval.toMs;
}
