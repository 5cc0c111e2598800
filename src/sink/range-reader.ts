import type { Common } from '../core/common.js';
import { CoverageGapError } from '../storage/errors.js';
import { type ResolvedRange, resolveListQuery, resolveRange } from '../storage/list-query.js';
import type { Count, CountQuery, ListQuery, Page, Storage } from '../storage/storage.js';
import { AmendedLists } from './amended-lists.js';
import { type Backend, type Candidate, candidateOf } from './backend.js';
import { type Explanation, explainSlices, plainMs } from './explain.js';
import type { ListKind } from './list-kind.js';
import { lookAgain } from './look-again.js';
import { findTear, mergedAsOf } from './merge.js';
import { type Attempt, type ListSource, readCount, readPage, type Walk } from './page-reader.js';
import { type PlannedSlice, planSlices } from './query-plan.js';
import type { ReadFloor } from './read-floor.js';
import { type SinkMetrics, shapeOf } from './sink-metrics.js';
import { type Slice, walkSlices } from './slice-walk.js';
import { succeedsWithin } from './within.js';

const MAX_ATTEMPTS = 6;

interface Plan {
  readonly nowMs: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly candidates: readonly Candidate[];
  readonly slices: readonly PlannedSlice<Candidate>[];
}

/** Answers lists and counts over all backends as if they were one. */
export class RangeReader {
  readonly #backends: readonly Backend[];
  readonly #leader: Storage;
  readonly #floor: ReadFloor;
  readonly #common: Common;
  readonly #metrics: SinkMetrics;
  readonly #maxStalenessMs: number;
  readonly #catchUpWaitMs: number;

  constructor(parts: {
    readonly backends: readonly Backend[];
    readonly leader: Storage;
    readonly floor: ReadFloor;
    readonly common: Common;
    readonly metrics: SinkMetrics;
    readonly maxStalenessMs: number;
    readonly catchUpWaitMs: number;
  }) {
    this.#backends = parts.backends;
    this.#leader = parts.leader;
    this.#floor = parts.floor;
    this.#common = parts.common;
    this.#metrics = parts.metrics;
    this.#maxStalenessMs = parts.maxStalenessMs;
    this.#catchUpWaitMs = parts.catchUpWaitMs;
  }

  async page<T extends { readonly position: bigint; readonly ingestionMs: number }>(
    kind: ListKind<T>,
    query: ListQuery,
  ): Promise<Page<T>> {
    const resolved = resolveListQuery(query);
    const startMs = Math.max(resolved.startMs, resolved.after?.ingestionMs ?? 0);
    const { value, parts } = await this.#answer({ ...resolved, startMs }, kind.changesInPlace, (walk) =>
      readPage(resolved, kind.keyOf, kind.identityOf, (slice) => this.#listOf(kind, slice), walk),
    );
    this.#floor.showed(value.items);
    return { ...value, asOf: parts.length > 0 ? mergedAsOf(parts) : this.#emptyAsOf() };
  }

  async count<T extends { readonly position: bigint; readonly ingestionMs: number }>(
    kind: ListKind<T>,
    query: CountQuery,
  ): Promise<Count> {
    const resolved = resolveRange(query);
    const { value, parts } = await this.#answer(resolved, false, (walk) =>
      readCount(resolved, (slice) => this.#listOf(kind, slice), walk),
    );
    return { count: value, asOf: parts.length > 0 ? mergedAsOf(parts) : this.#emptyAsOf() };
  }

  /** How `query` would be answered right now. */
  explain(query: ListQuery): Explanation {
    const resolved = resolveListQuery(query);
    const startMs = Math.max(resolved.startMs, resolved.after?.ingestionMs ?? 0);
    return this.#explainPlan(this.#plan({ ...resolved, startMs }, this.#floor.movePosition, false));
  }

  /** What each backend can be asked right now, in configured order. */
  candidates(): readonly Candidate[] {
    return this.#candidates(this.#common.clock.nowMs(), Number.POSITIVE_INFINITY, this.#floor.movePosition, false);
  }

  #listOf<T extends { readonly position: bigint; readonly ingestionMs: number }>(
    kind: ListKind<T>,
    { candidate: { backend, amended, coverage } }: Slice,
  ): ListSource<T> {
    if (amended) return new AmendedLists(kind, backend.storage, this.#leader, coverage);
    return {
      query: (query) => kind.query(backend.storage, query),
      count: (query) => kind.count(backend.storage, query),
    };
  }

  /**
   * Attempts until the parts fit together. Whoever stands below a tear is left out of the next attempt, and waited for
   * when nobody else can answer.
   */
  async #answer<V>(
    range: ResolvedRange,
    mustBeUpToDate: boolean,
    attempt: (walk: Walk) => Promise<Attempt<V>>,
  ): Promise<Attempt<V>> {
    let minPosition = 0n;
    for (let attempts = 1; ; attempts += 1) {
      const floorPosition = mustBeUpToDate ? this.#floor.position : this.#floor.movePosition;
      const plan = this.#plan(range, minPosition > floorPosition ? minPosition : floorPosition, mustBeUpToDate);
      const used: Candidate[] = [];
      try {
        const answer = await attempt((visit) =>
          walkSlices(plan.slices, plan.candidates, this.#common.log, (slice) => {
            used.push(slice.candidate);
            return visit(slice);
          }),
        );
        const tear = findTear(answer.parts);
        const isLast = attempts >= MAX_ATTEMPTS;
        if (tear === null && (isLast || !answer.hadSuperseded)) {
          if (answer.parts.length > 0) this.#floor.answered(mergedAsOf(answer.parts));
          this.#metrics.query(shapeOf(used.map((candidate) => candidate.backend.tier)));
          return answer;
        }
        if (isLast) throw tornError(plan, attempts);
        minPosition = tear ?? minPosition;
        this.#metrics.replanned();
      } catch (thrown) {
        const isGap = thrown instanceof CoverageGapError;
        if (isGap && attempts < MAX_ATTEMPTS && (await this.#mayHaveNoGapNow(plan))) continue;
        if (isGap) this.#metrics.query('gap');
        throw thrown;
      }
    }
  }

  #plan(range: ResolvedRange, minPosition: bigint, mustBeUpToDate: boolean): Plan {
    const nowMs = this.#common.clock.nowMs();
    // ingestion times are never negative
    const startMs = Math.max(0, range.startMs);
    const candidates = this.#candidates(nowMs, range.endMs, minPosition, mustBeUpToDate);
    const plan = {
      nowMs,
      startMs,
      endMs: range.endMs,
      candidates,
      slices: planSlices(startMs, range.endMs, candidates),
    };
    if (this.#common.log.isLevelEnabled('debug')) this.#common.log.debug(this.#explainPlan(plan), 'query planned');
    return plan;
  }

  #candidates(nowMs: number, endMs: number, minPosition: bigint, mustBeUpToDate: boolean): readonly Candidate[] {
    const leader = this.#leader.coverage();
    const canAmend = this.#leader.movesAfter !== undefined && this.#leader.changedMessages !== undefined;
    const moment = {
      ...{ nowMs, endMs, floor: this.#floor, minPosition, maxStalenessMs: this.#maxStalenessMs },
      changedPosition: mustBeUpToDate ? leader.throughPosition : leader.movePosition,
      amendsAfter: canAmend ? leader.afterPosition : null,
    };
    return this.#backends.map((backend) => candidateOf(backend, moment));
  }

  async #mayHaveNoGapNow(plan: Plan): Promise<boolean> {
    if (hasMoved(plan)) return true;
    await lookAgain(this.#backends, this.#common.clock, this.#catchUpWaitMs);
    return hasMoved(plan) || (await this.#catchUp(plan));
  }

  /** Waits for those that are held back by no more than being late. False when there is nobody to wait for. */
  async #catchUp(plan: Plan): Promise<boolean> {
    const late = plan.candidates.flatMap(({ limit, admitted, backend: { follower } }) =>
      limit !== null && admitted !== null && follower !== null && follower.state !== 'failing' ? [follower] : [],
    );
    if (late.length === 0) return false;
    const anyone = Promise.any(late.map((follower) => follower.confirm()));
    return await succeedsWithin(this.#common.clock, this.#catchUpWaitMs, anyone);
  }

  #explainPlan(plan: Plan): Explanation {
    return {
      nowMs: plan.nowMs,
      startMs: plan.startMs,
      endMs: plainMs(plan.endMs),
      floorPosition: String(this.#floor.position),
      slices: explainSlices(plan.slices, plan.candidates),
    };
  }

  /** Of an answer that needed nobody. */
  #emptyAsOf(): Count['asOf'] {
    return { position: this.#floor.position, movePosition: this.#floor.movePosition };
  }
}

/** Somebody's coverage is no longer what the plan was made from: another plan may have no gap. */
function hasMoved({ candidates }: Plan): boolean {
  return candidates.some(({ backend, coverage }) => {
    const { afterMs, throughMs } = backend.storage.coverage();
    return afterMs !== coverage.afterMs || throughMs !== coverage.throughMs;
  });
}

function tornError(plan: Plan, attempts: number): CoverageGapError {
  return new CoverageGapError({ kind: 'time', startMs: plan.startMs, endMs: plan.endMs }, 'sink', {
    details: { why: 'records kept moving between the backends while they were read', attempts },
  });
}
