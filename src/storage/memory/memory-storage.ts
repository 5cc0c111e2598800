import { type Common, createCommon } from '../../core/common.js';
import { toError } from '../../core/errors.js';
import type { ChangeSet, WriteBatch, WriteOutcome } from '../../model/batch.js';
import type { Boundary } from '../../model/boundary.js';
import { checkBatch } from '../../model/check-batch.js';
import { planCommit } from '../../model/commit/plan-commit.js';
import { stampCommit, verdictsOf } from '../../model/commit/stamp-commit.js';
import type { WindowStorage } from '../backend-storage.js';
import type { AdvanceEvent, AdvanceListener, Health } from '../storage.js';
import { applyChange } from './apply-changes.js';
import { evictStep } from './eviction.js';
import { knownOf } from './known-state.js';
import { MemoryCoverage } from './memory-coverage.js';
import { createMemoryMetrics, type MemoryMetrics } from './memory-metrics.js';
import { type MemorySettings, type MemoryStorageOptions, resolveMemoryOptions } from './memory-options.js';
import { MemoryReader } from './memory-reader.js';
import { MemoryState } from './memory-state.js';

/** Records above `maxSize` that are not left to the next cleanup: at least so many, or a quarter of `maxSize`. */
const MIN_OVERSHOOT = 10_000;

export type { MemoryStorageOptions };

/** The storage in this process's memory: alone, or as the hot tier that follows another. */
export type MemoryStorage = WindowStorage;

/**
 * Creates a memory storage. Records it answers with are the stored ones, the same object each time: never change them.
 * Their byte strings are parts of larger buffers: read them by offset and length.
 * @throws InvalidArgumentError
 */
export function createMemoryStorage(options: MemoryStorageOptions): MemoryStorage {
  const settings = resolveMemoryOptions(options);
  const common = createCommon(options.common);
  const coverage = new MemoryCoverage(options.name, settings.maxStalenessMs, common.clock);
  return new InMemoryStorage(new MemoryState(options.name, coverage), settings, common);
}

/** Writes, following and eviction. All of it is synchronous inside, so that no read sees half of a commit. */
class InMemoryStorage extends MemoryReader implements WindowStorage {
  readonly kind = 'window';
  readonly prunable = false;
  readonly durable = false;
  readonly #state: MemoryState;
  readonly #settings: MemorySettings;
  readonly #common: Common;
  readonly #metrics: MemoryMetrics;
  readonly #listeners = new Set<AdvanceListener>();
  readonly #cancelTimer: () => void;
  #cancelStep: (() => void) | null = null;

  constructor(state: MemoryState, settings: MemorySettings, common: Common) {
    super(state);
    this.#state = state;
    this.#settings = settings;
    this.#common = common;
    this.#metrics = createMemoryMetrics(common.metrics, state.name);
    const evicts = settings.ttlMs > 0 || settings.maxSize > 0 || settings.maxBytes > 0;
    this.#cancelTimer = evicts ? common.clock.every(settings.cleanupIntervalMs, () => this.#evict()) : () => undefined;
  }

  async insertBatch(batch: WriteBatch): Promise<WriteOutcome> {
    const { coverage, store } = this.#state;
    this.#state.requireOpen();
    coverage.beginCommit();
    checkBatch(batch);
    const readMs = this.#common.clock.nowMs();
    const plan = planCommit(knownOf(this.#state), [batch]);
    if (plan.kind === 'lacking') throw new TypeError('a commit lacks records that a memory never loads');
    const before = this.#state.asOf();
    const commit = stampCommit(plan, Math.max(coverage.headMs + 1, readMs), before);
    const isChange = commit.changes.length > 0;
    if (isChange) {
      for (const change of commit.changes) applyChange(store, change, coverage.afterMs);
      coverage.committed(commit);
      this.#advanced();
      if (this.#listeners.size > 0)
        this.#tell({
          kind: 'committed',
          changes: this.#state.changeSet(before.position, Number.MAX_SAFE_INTEGER, readMs),
        });
    }
    const [verdict] = verdictsOf(plan, isChange ? commit : null);
    if (!verdict?.ok) throw verdict?.error;
    return verdict.outcome;
  }

  async apply(set: ChangeSet): Promise<void> {
    this.#state.requireOpen();
    this.#state.coverage.beginApply(set);
    const standsAt = this.#state.coverage.throughPosition;
    for (const change of set.changes)
      if (change.position > standsAt && !applyChange(this.#state.store, change, this.#state.coverage.afterMs))
        this.#state.coverage.passedOver(change.position);
    if (!this.#state.coverage.applied(set)) return;
    this.#advanced();
    if (this.#state.coverage.isWhole)
      this.#tell({ kind: 'advanced', throughPosition: this.#state.coverage.throughPosition });
  }

  subscribe(listener: AdvanceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  window(): { readonly sinceMs: number; readonly maxRecords: number } {
    const { ttlMs, maxSize } = this.#settings;
    return {
      sinceMs: ttlMs === 0 ? 0 : Math.max(0, this.#common.clock.nowMs() - ttlMs),
      maxRecords: maxSize === 0 ? Number.POSITIVE_INFINITY : maxSize,
    };
  }

  rebase(boundary: Boundary): void {
    this.#state.requireOpen();
    this.#cancelStep?.();
    this.#cancelStep = null;
    this.#state.forgetAll();
    this.#state.coverage.rebase(boundary);
    this.#metrics.update(this.#state.store, this.#common.clock.nowMs());
  }

  async health(): Promise<Health> {
    return this.#state.closed ? { healthy: false, reason: 'closed' } : { healthy: true, reason: null };
  }

  async close(): Promise<void> {
    if (this.#state.closed) return;
    this.#state.closed = true;
    this.#cancelTimer();
    this.#cancelStep?.();
    this.#listeners.clear();
    this.#state.forgetAll();
    this.#metrics.update(this.#state.store, this.#common.clock.nowMs());
  }

  /** After a commit or a set that moved the storage on. */
  #advanced(): void {
    const { coverage, boundaries, store } = this.#state;
    if (coverage.isWhole) boundaries.add({ position: coverage.throughPosition, ingestionMs: coverage.headMs });
    this.#metrics.update(store, this.#common.clock.nowMs());
    const { maxSize, maxBytes } = this.#settings;
    const isTooMany = maxSize > 0 && store.size > maxSize + Math.max(MIN_OVERSHOOT, maxSize / 4);
    if (isTooMany || (maxBytes > 0 && store.estimatedBytes > maxBytes)) this.#evictSoon();
  }

  #tell(event: AdvanceEvent): void {
    for (const listener of this.#listeners)
      try {
        listener(event);
      } catch (thrown) {
        this.#common.log.error({ err: toError(thrown), storage: this.name }, 'storage listener failed');
      }
  }

  /** Evicts step by step, so that a big eviction holds nothing else up. */
  #evict(): void {
    this.#cancelStep?.();
    this.#cancelStep = null;
    const { store, coverage, boundaries, evictedIds } = this.#state;
    const { clock } = this.#common;
    const more = evictStep({
      store,
      coverage,
      clock,
      window: this.#settings,
      gone: (messageId) => {
        if (!coverage.isFollower) evictedIds.add(messageId);
      },
      evicted: (evicted) => this.#metrics.evicted(evicted),
    });
    boundaries.dropBelow(coverage.afterPosition);
    this.#metrics.update(store, clock.nowMs());
    if (more) this.#evictSoon();
  }

  #evictSoon(): void {
    this.#cancelStep ??= this.#common.clock.after(0, () => this.#evict());
  }
}
