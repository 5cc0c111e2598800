import type { Common } from '../../core/common.js';
import type { Coverage } from '../../model/coverage.js';
import type { Storage } from '../../storage/storage.js';
import { type Backend, type Candidate, candidateOf } from '../backend.js';
import { lostCommits } from '../follow/lost-commits.js';
import { succeedsWithin } from '../within.js';
import { type Explanation, explainSlices, plainMs } from './explain.js';
import { lookAgain } from './look-again.js';
import { type PlannedSlice, planSlices } from './query-plan.js';
import type { ReadFloor } from './read-floor.js';

/** What an answer has to be, whichever part of its range is planned. */
export interface Need {
  /** End of the whole range, unix ms; `Infinity`: everything committed until now. */
  readonly endMs: number;
  /** A follower that has not come this far is not asked. */
  readonly minPosition: bigint;
  /** The records change where they are, and an old state of them will not do. */
  readonly mustBeUpToDate: boolean;
}

/** Who answers for a range, as of one moment. */
export interface Plan {
  readonly nowMs: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly candidates: readonly Candidate[];
  readonly slices: readonly PlannedSlice<Candidate>[];
  /** The leader's coverage then. */
  readonly leader: Coverage;
}

/** Who is asked differently from the configured order. */
export interface Passed {
  /** Not asked any more. */
  readonly failed: ReadonlySet<Backend>;
  /**
   * Lacked a part of the range although this plan had it answer: asked only once its coverage, or that of the leader which
   * helps it, is another, and then for no more than what nobody else has, so that it is not overtaken again.
   */
  readonly lacking: ReadonlyMap<Backend, Plan>;
}

const NOBODY: Passed = { failed: new Set(), lacking: new Map() };

/** Plans who answers for a range, from what each backend covers at that moment. */
export class SlicePlanner {
  readonly #backends: readonly Backend[];
  readonly #leader: Storage;
  readonly #floor: ReadFloor;
  readonly #common: Common;
  readonly #maxStalenessMs: number;
  readonly #catchUpWaitMs: number;

  constructor(parts: {
    readonly backends: readonly Backend[];
    readonly leader: Storage;
    readonly floor: ReadFloor;
    readonly common: Common;
    readonly maxStalenessMs: number;
    readonly catchUpWaitMs: number;
  }) {
    this.#backends = parts.backends;
    this.#leader = parts.leader;
    this.#floor = parts.floor;
    this.#common = parts.common;
    this.#maxStalenessMs = parts.maxStalenessMs;
    this.#catchUpWaitMs = parts.catchUpWaitMs;
  }

  /** What each backend can be asked right now, in configured order. */
  candidates({ endMs, minPosition, mustBeUpToDate }: Need, nowMs = this.#common.clock.nowMs()): readonly Candidate[] {
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

  /** Plans [startMs, endMs], both inclusive unix ms, which is all of what is asked or a part of it. */
  plan(need: Need, startMs: number, endMs: number, passed: Passed = NOBODY): Plan {
    const nowMs = this.#common.clock.nowMs();
    const candidates = this.candidates(need, nowMs);
    const slices = planSlices(startMs, endMs, this.#inOrder(candidates, passed));
    const plan = { nowMs, startMs, endMs, candidates, slices, leader: this.#leader.coverage() };
    if (this.#common.log.isLevelEnabled('debug')) this.#common.log.debug(this.explain(plan), 'query planned');
    return plan;
  }

  /**
   * A plan that leaves no gap, as soon as there is one: at once, when those that other processes feed have looked where they
   * stand, or when those that are late have caught up; none of them is waited for longer than the configured time. Null
   * when there is no such plan then either.
   */
  async planWithoutGap(need: Need, startMs: number, endMs: number, passed: Passed): Promise<Plan | null> {
    const planned = () => {
      const plan = this.plan(need, startMs, endMs, passed);
      return plan.slices.every(({ candidate }) => candidate !== null) ? plan : null;
    };
    const now = planned();
    if (now !== null) return now;
    if (lostCommits(this.#backends) !== null) return null;
    const working = this.#backends.filter((backend) => !passed.failed.has(backend));
    await lookAgain(working, this.#common.clock, this.#catchUpWaitMs);
    const looked = planned();
    if (looked !== null) return looked;
    const late = this.candidates(need).filter(({ backend }) => !passed.failed.has(backend));
    return (await this.#catchUp(late)) ? planned() : null;
  }

  /** The plan as plain data. */
  explain({ nowMs, startMs, endMs, slices, candidates }: Plan): Explanation {
    return {
      ...{ nowMs, startMs, endMs: plainMs(endMs), floorPosition: String(this.#floor.position) },
      slices: explainSlices(slices, candidates),
    };
  }

  #inOrder(candidates: readonly Candidate[], { failed, lacking }: Passed): readonly Candidate[] {
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

  /** Waits for those that are held back by no more than being late. False when there is nobody to wait for. */
  async #catchUp(candidates: readonly Candidate[]): Promise<boolean> {
    const late = candidates.flatMap(({ limit, admitted, backend: { follower } }) =>
      limit !== null && admitted !== null && follower !== null && follower.state !== 'failing' ? [follower] : [],
    );
    if (late.length === 0) return false;
    const anyone = Promise.any(late.map((follower) => follower.confirm()));
    return await succeedsWithin(this.#common.clock, this.#catchUpWaitMs, anyone);
  }
}

function isSame(a: Coverage, b: Coverage | undefined): boolean {
  return a.afterMs === b?.afterMs && a.throughMs === b.throughMs;
}
