import type { Common } from '../../core/common.js';
import type { Coverage } from '../../model/coverage.js';
import type { Interval } from '../../model/read-conditions.js';
import type { BackendStorage } from '../../storage/backend-storage.js';
import { type Backend, type Candidate, candidateOf } from '../backend.js';
import { lostCommits } from '../follow/lost-commits.js';
import { type Explanation, explainSlices, plainMs } from './explain.js';
import type { ReadFloor } from './read-floor.js';

/** A part of a range and the backend that answers for it. */
export interface PlannedSlice<C> {
  /** Unix ms, inclusive. */
  readonly startMs: number;
  /** Unix ms, inclusive; `Infinity`: everything committed until now. */
  readonly endMs: number;
  /** Null: no backend can answer. */
  readonly candidate: C | null;
}

/** The requirements of an answer, the same for every part of its range. */
export interface Requirement {
  /** End of the whole range, unix ms; `Infinity`: everything committed until now. */
  readonly endMs: number;
  /** A follower that has not come this far is not asked. */
  readonly minPosition: bigint;
  /** The records change where they are, and an old state of them will not do. */
  readonly mustBeUpToDate: boolean;
  /** The records are found by their contents: a backend without an index of them is asked after all others. */
  readonly byContents: boolean;
}

/** The backends that answer for a range, as of one moment. */
export interface Plan {
  readonly nowMs: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly candidates: readonly Candidate[];
  readonly slices: readonly PlannedSlice<Candidate>[];
  /** The leader's coverage then. */
  readonly leader: Coverage;
}

/**
 * Backends that did not tell a range although a plan had them answer: they are asked after all others. One that lacked
 * it has that plan, and is asked only once its coverage, or that of the leader which helps it, is another. One that was
 * overtaken has null.
 */
export type Lacking = ReadonlyMap<Backend, Plan | null>;

const NO_BACKENDS: ReadonlySet<Backend> = new Set();
export const NOTHING_LACKING: Lacking = new Map();

/** Plans which backends answer for a range, by the coverage of each at that moment. */
export class Planner {
  readonly #backends: readonly Backend[];
  readonly #leader: BackendStorage;
  readonly #floor: ReadFloor;
  readonly #common: Common;
  readonly #maxStalenessMs: number;

  constructor(parts: {
    readonly backends: readonly Backend[];
    readonly leader: BackendStorage;
    readonly floor: ReadFloor;
    readonly common: Common;
    readonly maxStalenessMs: number;
  }) {
    this.#backends = parts.backends;
    this.#leader = parts.leader;
    this.#floor = parts.floor;
    this.#common = parts.common;
    this.#maxStalenessMs = parts.maxStalenessMs;
  }

  /** The backends and the ranges that each answers for right now, in configured order. */
  candidates(
    { endMs, minPosition, mustBeUpToDate }: Requirement,
    nowMs = this.#common.clock.nowMs(),
  ): readonly Candidate[] {
    const leader = this.#leader.coverage();
    const moment = {
      ...{ nowMs, endMs, floor: this.#floor, minPosition, maxStalenessMs: this.#maxStalenessMs },
      changedPosition: mustBeUpToDate ? leader.throughPosition : leader.movePosition,
      amendsAfter: this.#leader.prunable ? leader.afterPosition : null,
      ...{ lost: lostCommits(this.#backends), mustBeUpToDate },
    };
    return this.#backends.map((backend) => candidateOf(backend, moment));
  }

  /** Plans [startMs, endMs], inclusive unix ms: the range asked or a part of it, without the backends that failed. */
  plan(
    required: Requirement,
    { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
    failed = NO_BACKENDS,
    lacking = NOTHING_LACKING,
  ): Plan {
    const nowMs = this.#common.clock.nowMs();
    const candidates = this.candidates(required, nowMs);
    const slices = planSlices(startMs, endMs, this.#inOrder(candidates, required, failed, lacking));
    const plan = { nowMs, startMs, endMs, candidates, slices, leader: this.#leader.coverage() };
    if (this.#common.log.isLevelEnabled('debug')) this.#common.log.debug(this.explain(plan), 'query planned');
    return plan;
  }

  /** The plan as plain data. */
  explain({ nowMs, startMs, endMs, slices, candidates }: Plan): Explanation {
    return {
      ...{ nowMs, startMs, endMs: plainMs(endMs), floorPosition: String(this.#floor.position) },
      slices: explainSlices(slices, candidates),
    };
  }

  #inOrder(
    all: readonly Candidate[],
    { byContents }: Requirement,
    failed: ReadonlySet<Backend>,
    lacking: Lacking,
  ): readonly Candidate[] {
    const isScanned = ({ backend }: Candidate) => backend.storage.kind === 'window';
    const candidates = byContents ? [...all.filter((each) => !isScanned(each)), ...all.filter(isScanned)] : all;
    if (failed.size === 0 && lacking.size === 0) return candidates;
    const working = candidates.filter(({ backend }) => !failed.has(backend));
    const last = working.filter(({ backend }) => {
      const before = lacking.get(backend);
      return before === null || (before !== undefined && this.#hasMoved(backend, before));
    });
    return [...working.filter(({ backend }) => !lacking.has(backend)), ...last];
  }

  #hasMoved(backend: Backend, { candidates, leader }: Plan): boolean {
    const before = candidates.find((each) => each.backend === backend)?.coverage;
    return !isSame(backend.storage.coverage(), before) || !isSame(this.#leader.coverage(), leader);
  }
}

function isSame(a: Coverage, b: Coverage | undefined): boolean {
  return a.afterMs === b?.afterMs && a.throughMs === b.throughMs;
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

/** The candidate that answers the whole range, when none before it has a part of it: the usual case, without cuts. */
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
