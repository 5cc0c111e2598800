import type { Common } from '../../core/common.js';
import { counter, histogram } from '../../core/metrics.js';
import type { AnswerDifference, ShadowedOperation } from './answer.js';

/**
 * The end of a live query that was to be asked again:
 * - `same`, `different`: the answers were compared.
 * - `overtaken`: the live answer changed each time that it was asked for again.
 * - `behind`: the shadow did not come to hold the answer's position in time.
 * - `failed`: the shadow gave an error.
 * - `dropped`: as many as may be were under way.
 */
export type ShadowOutcome = 'same' | 'different' | 'overtaken' | 'behind' | 'failed' | 'dropped';

/** A query that the shadow answers otherwise. */
export interface ShadowDifference {
  readonly operation: ShadowedOperation;
  /** The arguments as JSON, for people. */
  readonly query: string;
  /** When the live query was asked, unix ms. */
  readonly askedMs: number;
  /** The live answer stands at this position or above. */
  readonly position: bigint;
  readonly first: AnswerDifference;
}

/** Times of the answers on one side. */
export interface ShadowTimes {
  readonly answers: number;
  readonly meanMs: number;
  readonly mostMs: number;
}

/** All that shadow reads have found since this process began. */
export interface ShadowFigures {
  readonly outcomes: Readonly<Record<ShadowOutcome, number>>;
  /** Of the same queries on both sides. */
  readonly live: ShadowTimes;
  readonly shadow: ShadowTimes;
  /** The last of them. */
  readonly differences: readonly ShadowDifference[];
  /** Message of the last error that the shadow gave; null: none. */
  readonly lastError: string | null;
}

const NO_OUTCOMES = { same: 0, different: 0, overtaken: 0, behind: 0, failed: 0, dropped: 0 };

/** Keeps the figures of a process, and tells them as metrics. */
export class ShadowTally {
  readonly #most: number;
  readonly #metrics: ReturnType<typeof createMetrics>;
  readonly #outcomes: Record<ShadowOutcome, number> = { ...NO_OUTCOMES };
  readonly #times = { live: new Times(), shadow: new Times() };
  readonly #differences: ShadowDifference[] = [];
  #lastError: string | null = null;

  /** @param most differences that are kept. */
  constructor(common: Common, most: number) {
    this.#most = most;
    this.#metrics = createMetrics(common);
  }

  ended(operation: ShadowedOperation, outcome: ShadowOutcome): void {
    this.#outcomes[outcome] += 1;
    this.#metrics.reads.inc({ operation, outcome });
  }

  took(operation: ShadowedOperation, side: 'live' | 'shadow', durationMs: number): void {
    this.#times[side].add(durationMs);
    this.#metrics.durations.observe({ operation, side }, durationMs / 1000);
  }

  differed(difference: ShadowDifference): void {
    this.#differences.push(difference);
    if (this.#differences.length > this.#most) this.#differences.shift();
  }

  failed(error: Error): void {
    this.#lastError = error.message;
  }

  figures(): ShadowFigures {
    return {
      outcomes: { ...this.#outcomes },
      live: this.#times.live.read(),
      shadow: this.#times.shadow.read(),
      differences: [...this.#differences],
      lastError: this.#lastError,
    };
  }
}

class Times {
  #answers = 0;
  #sumMs = 0;
  #mostMs = 0;

  add(durationMs: number): void {
    this.#answers += 1;
    this.#sumMs += durationMs;
    this.#mostMs = Math.max(this.#mostMs, durationMs);
  }

  read(): ShadowTimes {
    return { answers: this.#answers, meanMs: this.#sumMs / Math.max(1, this.#answers), mostMs: this.#mostMs };
  }
}

function createMetrics({ metrics }: Common) {
  return {
    reads: counter(metrics, {
      name: 'indexer_migration_shadow_reads_total',
      help: 'Live queries that were also asked of the store of a move, by how that ended.',
      labelNames: ['operation', 'outcome'],
    }),
    durations: histogram(metrics, {
      name: 'indexer_migration_shadow_read_duration_seconds',
      help: 'Time of such a query in the store that is read and in the one that is moved to.',
      labelNames: ['operation', 'side'],
      buckets: [1e-4, 5e-4, 1e-3, 5e-3, 0.02, 0.1, 0.5, 2, 10],
    }),
  };
}
