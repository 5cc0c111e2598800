import type { Common } from '../../core/common.js';
import { LIST_KINDS, type ListedKind, type ListedRecords } from '../../model/list-kinds.js';
import type { Count, KeyedPage, ListQuery, ResolvedListQuery, ResolvedRange } from '../../model/list-query.js';
import { resolveListQuery } from '../../model/list-query.js';
import { boundedBy } from '../../model/outlines.js';
import { CoverageGapError } from '../../model/storage-errors.js';
import type { BackendStorage } from '../../storage/backend-storage.js';
import type { Backend, Candidate } from '../backend.js';
import { lostCommits } from '../follow/lost-commits.js';
import { type SinkMetrics, shapeOf } from '../sink-metrics.js';
import type { Tier } from '../sink-options.js';
import { amendedLists } from './amended-lists.js';
import { type Explanation, whyNot } from './explain.js';
import {
  type Contribution,
  findTear,
  type ListSource,
  mergedAsOf,
  readCount,
  readPage,
  type Slice,
  type SliceReading,
} from './merge.js';
import type { PlannedSlice } from './planner.js';
import { type Lacking, NOTHING_LACKING, type Plan, Planner, type Requirement } from './planner.js';
import type { ReadFloor } from './read-floor.js';
import { Met, type Part, type Question, type ReadLoop } from './read-loop.js';

/** A slice of a plan, and the backends that lacked it or were overtaken in it so far. */
interface ListPart extends Part {
  readonly asked: Backend | null;
  readonly slice: PlannedSlice<Candidate>;
  readonly plan: Plan;
  readonly lacking: Lacking;
}

/** An answer and the reads that it was put together from. */
interface Merged<V> {
  readonly value: V;
  readonly contributions: readonly Contribution[];
}

/** Answers lists and counts over all backends as if they were one. */
export class ListReader {
  readonly #backends: readonly Backend[];
  readonly #leader: BackendStorage;
  readonly #floor: ReadFloor;
  readonly #metrics: SinkMetrics;
  readonly #planner: Planner;
  readonly #loop: ReadLoop;

  constructor(parts: {
    readonly backends: readonly Backend[];
    readonly leader: BackendStorage;
    readonly floor: ReadFloor;
    readonly common: Common;
    readonly metrics: SinkMetrics;
    readonly maxStalenessMs: number;
    readonly loop: ReadLoop;
  }) {
    this.#backends = parts.backends;
    this.#leader = parts.leader;
    this.#floor = parts.floor;
    this.#metrics = parts.metrics;
    this.#planner = new Planner(parts);
    this.#loop = parts.loop;
  }

  async list<K extends ListedKind>(kind: K, query: ResolvedListQuery): Promise<KeyedPage<ListedRecords[K]>> {
    const { changesInPlace, outlineOf } = LIST_KINDS[kind];
    const { value, contributions } = await this.#answer(query, startOf(query), changesInPlace, () =>
      readPage(query, LIST_KINDS[kind], (slice) => this.#listOf(kind, slice)),
    );
    this.#floor.showed(value.items);
    // one part is bounded by the backend that answered it
    const items = contributions.length > 1 ? boundedBy(value.items, query.maxBytes, outlineOf) : value.items;
    return { items, next: value.next, asOf: this.#asOf(contributions) };
  }

  async count(kind: ListedKind, range: ResolvedRange): Promise<Count> {
    const { value, contributions } = await this.#answer(range, range.startMs, false, () =>
      readCount(range, (slice) => this.#listOf(kind, slice)),
    );
    return { count: value, asOf: this.#asOf(contributions) };
  }

  /** How `query` would be answered right now. */
  explain(query: ListQuery): Explanation {
    const resolved = resolveListQuery(query);
    const { endMs } = resolved;
    return this.#planner.explain(this.#planner.plan(this.#required(resolved), { startMs: startOf(resolved), endMs }));
  }

  /** The backends and the ranges that each answers for right now, in configured order. */
  candidates(): readonly Candidate[] {
    return this.#planner.candidates(this.#required({ endMs: Number.POSITIVE_INFINITY, contents: null }));
  }

  #listOf<K extends ListedKind>(
    kind: K,
    { candidate: { backend, amended, coverage } }: Slice,
  ): ListSource<ListedRecords[K]> {
    const { storage } = backend;
    const { throughPosition: afterPosition } = coverage;
    if (amended && this.#leader.prunable) return amendedLists(kind, storage, this.#leader, afterPosition);
    // a plan has no such slice: see `Moment.amendsAfter`
    if (amended) throw new CoverageGapError({ kind: 'position', afterPosition }, `storage ${this.#leader.name}`);
    return { page: (query) => storage.list(kind, query), count: (range) => storage.count(kind, range) };
  }

  /** Asks slice by slice. A backend that stands below a tear is left out of the next plan of the whole. */
  async #answer<V>(
    range: ResolvedRange,
    startMs: number,
    mustBeUpToDate: boolean,
    start: () => SliceReading<V>,
  ): Promise<Merged<V>> {
    const met = new Met();
    const { endMs } = range;
    let required = this.#required(range, mustBeUpToDate);
    let reading = start();
    let contributions: Contribution[] = [];
    let tiers: Tier[] = [];
    const planned = (part: { readonly startMs: number; readonly endMs: number }, lacking: Lacking, steps: number) => {
      const plan = this.#planner.plan(required, part, met.failed, lacking);
      return plan.slices.map((slice): ListPart => {
        const asked = slice.candidate?.backend ?? null;
        return { asked, slice, plan, lacking, steps: asked === null ? steps : 0 };
      });
    };
    const question: Question<ListPart, Merged<V>> = {
      met,
      boundsLooks: true,
      begin() {
        reading = start();
        contributions = [];
        tiers = [];
        return planned({ startMs, endMs }, NOTHING_LACKING, 0);
      },
      again({ asked, slice, plan, lacking }, why, steps) {
        if (asked === null || (why !== 'lacks' && why !== 'overtaken')) return planned(slice, lacking, steps);
        return planned(slice, new Map([...lacking, [asked, why === 'lacks' ? plan : null]]), steps);
      },
      async ask({ slice: { candidate, ...times } }) {
        if (candidate === null) return 'lacks';
        const taken = await reading.take({ ...times, candidate });
        if (taken === null) return 'overtaken';
        contributions.push(...taken);
        tiers.push(candidate.backend.tier);
        return reading.isEnough() ? 'enough' : 'told';
      },
      end: (isLast) => {
        const tear = findTear(contributions);
        if (tear === null && (isLast || !reading.hadSuperseded())) {
          if (contributions.length > 0) this.#floor.answered(mergedAsOf(contributions));
          this.#metrics.query(shapeOf(tiers));
          return { answer: { value: reading.taken(), contributions } };
        }
        required = this.#required(range, mustBeUpToDate, tear ?? required.minPosition);
        if (!isLast) this.#metrics.replanned();
        return null;
      },
      behind: () => {
        if (lostCommits(this.#backends) !== null) return { tiers: [], late: [] };
        const working = this.#planner.candidates(required).filter(({ backend }) => !met.failed.has(backend));
        return {
          tiers: working.map(({ backend }) => backend),
          late: working.flatMap(({ limit, admitted, backend }) =>
            limit !== null && admitted !== null ? [backend] : [],
          ),
        };
      },
      gap: (part) => {
        this.#metrics.query('gap');
        return part === null ? tornError(startMs, endMs) : gapError(part, met.failure);
      },
    };
    return await this.#loop.answer(question);
  }

  #required(
    { endMs, contents }: Pick<ResolvedRange, 'endMs' | 'contents'>,
    mustBeUpToDate = false,
    tornAt = 0n,
  ): Requirement {
    const shown = mustBeUpToDate ? this.#floor.position : this.#floor.movePosition;
    return { endMs, mustBeUpToDate, byContents: contents !== null, minPosition: tornAt > shown ? tornAt : shown };
  }

  /** The state of an answer that needed no backend is that of all before it. */
  #asOf(contributions: readonly Contribution[]): Count['asOf'] {
    if (contributions.length > 0) return mergedAsOf(contributions);
    return { position: this.#floor.position, movePosition: this.#floor.movePosition };
  }
}

/** Records before a cursor are not asked for. */
function startOf({ startMs, after }: ResolvedListQuery): number {
  return Math.max(startMs, after?.ingestionMs ?? 0);
}

function tornError(startMs: number, endMs: number): CoverageGapError {
  return new CoverageGapError({ kind: 'time', startMs, endMs }, 'sink', {
    details: { why: 'records kept moving between the backends while they were read' },
  });
}

function gapError({ slice, plan: { candidates } }: ListPart, failure: Error | undefined): CoverageGapError {
  const lost = lostCommits(candidates.map(({ backend }) => backend))?.error;
  const cause = failure ?? lost;
  return new CoverageGapError({ kind: 'time', startMs: slice.startMs, endMs: slice.endMs }, 'sink', {
    ...(cause === undefined ? {} : { cause }),
    ...(lost === undefined ? {} : { remedy: lost.remedy }),
    details: {
      backends: candidates.map((each) => ({ backend: each.backend.name, why: whyNot(each, slice) ?? 'failed' })),
    },
  });
}
