import { InvalidArgumentError, toError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { CoverageGapError } from '../storage/errors.js';
import type { Candidate } from './backend.js';
import { codeOf } from './errors.js';
import { whyNot } from './explain.js';
import { type PlannedSlice, planSlices } from './query-plan.js';

/** A slice that somebody answers for. */
export interface Slice extends PlannedSlice<Candidate> {
  readonly candidate: Candidate;
}

interface Pending {
  readonly slice: PlannedSlice<Candidate>;
  readonly passedOver: ReadonlySet<Candidate>;
}

const NOBODY: ReadonlySet<Candidate> = new Set();

/**
 * Visits the slices of a range in order of time until `visit` returns false. A backend that fails for its slice is
 * passed over: the slice is planned anew over the others. One that lacks part of the slice after all stays in use for
 * the slices after it, any other failure takes it out of this walk. `visit` must leave nothing behind when it throws.
 * @throws CoverageGapError for the first slice that nobody answers, with the last failure as its cause.
 */
export async function walkSlices(
  slices: readonly PlannedSlice<Candidate>[],
  candidates: readonly Candidate[],
  log: Logger,
  visit: (slice: Slice) => Promise<boolean>,
): Promise<void> {
  const failed = new Set<Candidate>();
  let lastFailure: Error | undefined;
  const pending: Pending[] = slices.map((slice) => ({ slice, passedOver: NOBODY }));
  for (let next = pending.shift(); next; next = pending.shift()) {
    const { slice, passedOver } = next;
    const { candidate } = slice;
    const planAnew = (without: ReadonlySet<Candidate>) => {
      const rest = candidates.filter((each) => !without.has(each) && !failed.has(each));
      const again = planSlices(slice.startMs, slice.endMs, rest);
      pending.unshift(...again.map((each) => ({ slice: each, passedOver: without })));
    };
    if (candidate === null) throw gapError(slice, candidates, lastFailure);
    if (failed.has(candidate)) {
      planAnew(passedOver);
      continue;
    }
    try {
      if (!(await visit({ ...slice, candidate }))) return;
    } catch (thrown) {
      if (thrown instanceof InvalidArgumentError) throw thrown;
      lastFailure = toError(thrown);
      const told = { backend: candidate.backend.name, code: codeOf(thrown), err: lastFailure };
      if (thrown instanceof CoverageGapError) log.debug(told, 'backend passed over');
      else {
        failed.add(candidate);
        log.warn(told, 'backend passed over');
      }
      planAnew(new Set([...passedOver, candidate]));
    }
  }
}

function gapError(
  slice: PlannedSlice<Candidate>,
  candidates: readonly Candidate[],
  cause: Error | undefined,
): CoverageGapError {
  return new CoverageGapError({ kind: 'time', startMs: slice.startMs, endMs: slice.endMs }, 'sink', {
    ...(cause === undefined ? {} : { cause }),
    details: {
      backends: candidates.map((each) => ({ backend: each.backend.name, why: whyNot(each, slice) ?? 'failed' })),
    },
  });
}
