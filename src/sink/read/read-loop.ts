import { InvalidArgumentError, toError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { CoverageGapError } from '../../model/storage-errors.js';
import type { Backend, Candidate } from '../backend.js';
import { lostCommits } from '../follow/lost-commits.js';
import { codeOf } from '../sink-errors.js';
import { whyNot } from './explain.js';
import type { Need, Plan, SlicePlanner } from './planner.js';
import type { PlannedSlice } from './query-plan.js';

/** Parts of one walk that are planned anew because somebody lacked what it seemed to cover. */
const MAX_REPLANS = 12;

/** A slice that somebody answers for. */
export interface Slice extends PlannedSlice<Candidate> {
  readonly candidate: Candidate;
}

interface Pending {
  readonly slice: PlannedSlice<Candidate>;
  readonly plan: Plan;
  readonly lacking: ReadonlyMap<Backend, Plan>;
}

/** A range to walk, and by what. */
export interface Journey {
  readonly planner: SlicePlanner;
  readonly need: Need;
  /** Unix ms, inclusive. */
  readonly startMs: number;
  /** Backends that failed, for other reasons than a gap, are added: one that hangs is waited for once by each answer. */
  readonly failed: Set<Backend>;
  readonly log: Logger;
}

/**
 * Visits the slices of a range in order of time until `visit` returns false. What was visited stays visited: a slice whose
 * backend fails is planned anew over what is covered by then. A backend that fails is asked no more; one that lacks a part
 * after all, because it was pruned or has evicted since it was planned, stays in use. `visit` must leave nothing behind
 * when it throws.
 * @throws CoverageGapError for the first slice that nobody answers, with the last failure as its cause.
 */
export async function walkSlices(journey: Journey, visit: (slice: Slice) => Promise<boolean>): Promise<void> {
  const { planner, need, failed, log } = journey;
  let lastFailure: Error | undefined;
  let replans = 0;
  const pending: Pending[] = [];
  const putFirst = (plan: Plan, lacking: Pending['lacking']) =>
    pending.unshift(...plan.slices.map((slice) => ({ slice, plan, lacking })));
  putFirst(planner.plan(need, journey.startMs, need.endMs, { failed, lacking: new Map() }), new Map());

  for (let next = pending.shift(); next; next = pending.shift()) {
    const { slice, plan, lacking } = next;
    const { candidate, startMs, endMs } = slice;
    if (candidate === null) {
      replans += 1;
      const again =
        replans > MAX_REPLANS ? null : await planner.planWithoutGap(need, startMs, endMs, { failed, lacking });
      if (again === null) throw gapError(next, lastFailure);
      putFirst(again, lacking);
      continue;
    }
    const { backend } = candidate;
    if (failed.has(backend)) {
      putFirst(planner.plan(need, startMs, endMs, { failed, lacking }), lacking);
      continue;
    }
    try {
      if (!(await visit({ ...slice, candidate }))) return;
    } catch (thrown) {
      if (thrown instanceof InvalidArgumentError) throw thrown;
      lastFailure = toError(thrown);
      const told = { backend: backend.name, code: codeOf(thrown), err: lastFailure };
      const isGap = thrown instanceof CoverageGapError;
      if (isGap) log.debug(told, 'backend passed over');
      else log.warn(told, 'backend passed over');
      if (!isGap) failed.add(backend);
      else if (++replans > MAX_REPLANS) throw gapError(next, lastFailure);
      const lackingNow = isGap ? new Map([...lacking, [backend, plan]]) : lacking;
      putFirst(planner.plan(need, startMs, endMs, { failed, lacking: lackingNow }), lackingNow);
    }
  }
}

function gapError({ slice, plan }: Pending, failure: Error | undefined): CoverageGapError {
  const lost = lostCommits(plan.candidates.map(({ backend }) => backend))?.error;
  const cause = failure ?? lost;
  return new CoverageGapError({ kind: 'time', startMs: slice.startMs, endMs: slice.endMs }, 'sink', {
    ...(cause === undefined ? {} : { cause }),
    ...(lost === undefined ? {} : { remedy: lost.remedy }),
    details: {
      backends: plan.candidates.map((each) => ({ backend: each.backend.name, why: whyNot(each, slice) ?? 'failed' })),
    },
  });
}
