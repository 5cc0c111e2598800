import type { Common } from '../../core/common.js';
import type { Count, CountQuery, ListQuery, Page } from '../../model/list-query.js';
import { type ResolvedRange, resolveListQuery, resolveRange } from '../../model/list-query.js';
import { boundedBy } from '../../model/outlines.js';
import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { CoverageGapError } from '../../model/storage-errors.js';
import type { Storage } from '../../storage/storage.js';
import type { Backend, Candidate } from '../backend.js';
import { type SinkMetrics, shapeOf } from '../sink-metrics.js';
import type { Tier } from '../sink-options.js';
import { AmendedLists } from './amended-lists.js';
import type { Explanation } from './explain.js';
import type { ListKind } from './list-kind.js';
import { findTear, mergedAsOf } from './merge.js';
import { type Need, SlicePlanner } from './planner.js';
import type { ReadFloor } from './read-floor.js';
import { type Slice, walkSlices } from './read-loop.js';
import { type Attempt, type ListSource, readCount, readPage, type Walk } from './slice-reading.js';

/** Parts that do not fit together are read anew, so often. */
const MAX_ATTEMPTS = 6;

/** Answers lists and counts over all backends as if they were one. */
export class RangeReader {
  readonly #leader: Storage;
  readonly #floor: ReadFloor;
  readonly #common: Common;
  readonly #metrics: SinkMetrics;
  readonly #planner: SlicePlanner;

  constructor(parts: {
    readonly backends: readonly Backend[];
    readonly leader: Storage;
    readonly floor: ReadFloor;
    readonly common: Common;
    readonly metrics: SinkMetrics;
    readonly maxStalenessMs: number;
    readonly catchUpWaitMs: number;
  }) {
    this.#leader = parts.leader;
    this.#floor = parts.floor;
    this.#common = parts.common;
    this.#metrics = parts.metrics;
    this.#planner = new SlicePlanner(parts);
  }

  async page<T extends StoredMessage | StoredVerifierResult>(kind: ListKind<T>, query: ListQuery): Promise<Page<T>> {
    const resolved = resolveListQuery(query);
    const { value, parts } = await this.#answer(
      { ...resolved, startMs: startOf(resolved) },
      kind.changesInPlace,
      (walk) => readPage(resolved, kind.keyOf, kind.identityOf, (slice) => this.#listOf(kind, slice), walk),
    );
    this.#floor.showed(value.items);
    // one part is bounded by whoever answered it
    const items = parts.length > 1 ? boundedBy(value.items, resolved.maxBytes, kind.outlineOf) : value.items;
    return { ...value, items, asOf: parts.length > 0 ? mergedAsOf(parts) : this.#emptyAsOf() };
  }

  async count<T extends StoredMessage | StoredVerifierResult>(kind: ListKind<T>, query: CountQuery): Promise<Count> {
    const resolved = resolveRange(query);
    const { value, parts } = await this.#answer({ ...resolved, startMs: startOf(resolved) }, false, (walk) =>
      readCount(resolved, (slice) => this.#listOf(kind, slice), walk),
    );
    return { count: value, asOf: parts.length > 0 ? mergedAsOf(parts) : this.#emptyAsOf() };
  }

  /** How `query` would be answered right now. */
  explain(query: ListQuery): Explanation {
    const resolved = resolveListQuery(query);
    const need = this.#need(resolved.endMs, false, 0n);
    return this.#planner.explain(this.#planner.plan(need, startOf(resolved), resolved.endMs));
  }

  /** What each backend can be asked right now, in configured order. */
  candidates(): readonly Candidate[] {
    return this.#planner.candidates(this.#need(Number.POSITIVE_INFINITY, false, 0n));
  }

  #listOf<T extends StoredMessage | StoredVerifierResult>(
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
    const { startMs, endMs } = range;
    const failed = new Set<Backend>();
    let tornAt = 0n;
    for (let attempts = 1; ; attempts += 1) {
      const need = this.#need(endMs, mustBeUpToDate, tornAt);
      const tiers: Tier[] = [];
      const answer = await attempt((visit) =>
        walkSlices({ planner: this.#planner, need, startMs, failed, log: this.#common.log }, async (slice) => {
          const goesOn = await visit(slice);
          tiers.push(slice.candidate.backend.tier);
          return goesOn;
        }),
      ).catch((thrown: unknown) => {
        if (thrown instanceof CoverageGapError) this.#metrics.query('gap');
        throw thrown;
      });
      const tear = findTear(answer.parts);
      const isLast = attempts >= MAX_ATTEMPTS;
      if (tear === null && (isLast || !answer.hadSuperseded)) {
        if (answer.parts.length > 0) this.#floor.answered(mergedAsOf(answer.parts));
        this.#metrics.query(shapeOf(tiers));
        return answer;
      }
      if (isLast) {
        this.#metrics.query('gap');
        throw tornError(startMs, endMs, attempts);
      }
      tornAt = tear ?? tornAt;
      this.#metrics.replanned();
    }
  }

  #need(endMs: number, mustBeUpToDate: boolean, tornAt: bigint): Need {
    const shown = mustBeUpToDate ? this.#floor.position : this.#floor.movePosition;
    return { endMs, mustBeUpToDate, minPosition: tornAt > shown ? tornAt : shown };
  }

  /** Of an answer that needed nobody. */
  #emptyAsOf(): Count['asOf'] {
    return { position: this.#floor.position, movePosition: this.#floor.movePosition };
  }
}

/** Ingestion times are never negative, and what lies before a cursor is not asked for. */
function startOf({
  startMs,
  after,
}: ResolvedRange & { readonly after?: { readonly ingestionMs: number } | null }): number {
  return Math.max(0, startMs, after?.ingestionMs ?? 0);
}

function tornError(startMs: number, endMs: number, attempts: number): CoverageGapError {
  return new CoverageGapError({ kind: 'time', startMs, endMs }, 'sink', {
    details: { why: 'records kept moving between the backends while they were read', attempts },
  });
}
