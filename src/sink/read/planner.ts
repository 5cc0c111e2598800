import type { Common } from '../../core/common.js';
import type { Coverage } from '../../model/coverage.js';
import type { Storage } from '../../storage/storage.js';
import { type Backend, type Candidate, candidateOf } from '../backend.js';
import { lostCommits } from '../follow/lost-commits.js';
import { type Explanation, explainSlices, plainMs } from './explain.js';
import { type PlannedSlice, planSlices } from './query-plan.js';
import type { ReadFloor } from './read-floor.js';

/** What an answer has to be, whichever part of its range is planned. */
export interface Requirement {
  /** End of the whole range, unix ms; `Infinity`: everything committed until now. */
  readonly endMs: number;
  /** A follower that has not come this far is not asked. */
  readonly minPosition: bigint;
  /** The records change where they are, and an old state of them will not do. */
  readonly mustBeUpToDate: boolean;
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
 * Backends that lacked a range although a plan had them answer, each with that plan: such a backend is asked only once its
 * coverage, or that of the leader which helps it, is another, and after all others, so that it is not overtaken again.
 */
export type Lacking = ReadonlyMap<Backend, Plan>;

const NO_BACKENDS: ReadonlySet<Backend> = new Set();
export const NOTHING_LACKING: Lacking = new Map();

/** Plans which backends answer for a range, from what each covers at that moment. */
export class Planner {
  readonly #backends: readonly Backend[];
  readonly #leader: Storage;
  readonly #floor: ReadFloor;
  readonly #common: Common;
  readonly #maxStalenessMs: number;

  constructor(parts: {
    readonly backends: readonly Backend[];
    readonly leader: Storage;
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

  /** What each backend can be asked right now, in configured order. */
  candidates(
    { endMs, minPosition, mustBeUpToDate }: Requirement,
    nowMs = this.#common.clock.nowMs(),
  ): readonly Candidate[] {
    const leader = this.#leader.coverage();
    const canAmend = this.#leader.movesAfter !== undefined && this.#leader.changedMessages !== undefined;
    const moment = {
      ...{ nowMs, endMs, floor: this.#floor, minPosition, maxStalenessMs: this.#maxStalenessMs },
      changedPosition: mustBeUpToDate ? leader.throughPosition : leader.movePosition,
      amendsAfter: canAmend ? leader.afterPosition : null,
      ...{ lost: lostCommits(this.#backends), mustBeUpToDate },
    };
    return this.#backends.map((backend) => candidateOf(backend, moment));
  }

  /** Plans [startMs, endMs], both inclusive unix ms: the range asked or a part of it, without the backends that failed. */
  plan(
    required: Requirement,
    { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
    failed = NO_BACKENDS,
    lacking = NOTHING_LACKING,
  ): Plan {
    const nowMs = this.#common.clock.nowMs();
    const candidates = this.candidates(required, nowMs);
    const slices = planSlices(startMs, endMs, this.#inOrder(candidates, failed, lacking));
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

  #inOrder(candidates: readonly Candidate[], failed: ReadonlySet<Backend>, lacking: Lacking): readonly Candidate[] {
    if (failed.size === 0 && lacking.size === 0) return candidates;
    const working = candidates.filter(({ backend }) => !failed.has(backend));
    const last = working.filter(({ backend }) => {
      const before = lacking.get(backend);
      return before !== undefined && this.#hasMoved(backend, before);
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
