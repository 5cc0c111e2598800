import { type Common, createCommon } from '../../core/common.js';
import { toError } from '../../core/errors.js';
import type { ChangeSet, WriteBatch, WriteOutcome } from '../../model/batch.js';
import type { Boundary } from '../../model/boundary.js';
import { checkBatch } from '../../model/check-batch.js';
import type { VerifierResult } from '../../model/records.js';
import { ConflictingCCVDataError, DuplicateCCVDataError } from '../../model/storage-errors.js';
import type { AdvanceEvent, AdvanceListener, Health, WindowedStorage } from '../storage.js';
import { applyChange } from './apply-changes.js';
import { commitPlan } from './commit-plan.js';
import { evictStep } from './eviction.js';
import { createMemoryMetrics, type MemoryMetrics } from './memory-metrics.js';
import { type MemorySettings, type MemoryStorageOptions, resolveMemoryOptions } from './memory-options.js';
import { MemoryReader } from './memory-reader.js';
import { MemoryState } from './memory-state.js';
import { planCommit } from './plan-commit.js';
import { Standing } from './standing.js';

/** Records above `maxSize` that are not left to the next cleanup: at least so many, or a quarter of `maxSize`. */
const MIN_OVERSHOOT = 10_000;

export type { MemoryStorageOptions };

/** The storage in this process's memory: alone, or as the hot tier that follows another. */
export type MemoryStorage = WindowedStorage;

/**
 * Creates a memory storage. Records it answers with are the stored ones, the same object each time: never change them.
 * @throws InvalidArgumentError
 */
export function createMemoryStorage(options: MemoryStorageOptions): MemoryStorage {
  const settings = resolveMemoryOptions(options);
  const common = createCommon(options.common);
  const standing = new Standing(options.name, settings.maxStalenessMs, common.clock);
  return new InMemoryStorage(new MemoryState(options.name, standing), settings, common);
}

/** Writes, following and eviction. All of it is synchronous inside, so that no read sees half of a commit. */
class InMemoryStorage extends MemoryReader implements WindowedStorage {
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

  async insertCCVData(result: VerifierResult): Promise<void> {
    const { verifierResults } = await this.insertBatch({ verifierResults: [result] });
    const { messageId, verifierSourceAddress, verifierDestAddress } = result;
    if (verifierResults[0] === 'duplicate')
      throw new DuplicateCCVDataError(messageId, verifierSourceAddress, verifierDestAddress);
    if (verifierResults[0] === 'conflict')
      throw new ConflictingCCVDataError(messageId, verifierSourceAddress, verifierDestAddress);
  }

  async insertBatch(batch: WriteBatch): Promise<WriteOutcome> {
    this.#state.requireOpen();
    this.#state.standing.beginCommit();
    checkBatch(batch);
    const readMs = this.#common.clock.nowMs();
    const ingestionMs = Math.max(this.#state.standing.headMs + 1, readMs);
    const plan = planCommit(this.#state.store, batch, ingestionMs, (messageId) =>
      this.#state.evictedIds.has(messageId) ? this.#state.standing.afterMs : ingestionMs,
    );
    const afterPosition = this.#state.standing.throughPosition;
    const { throughPosition, movePosition } = commitPlan(this.#state.store, plan, ingestionMs, afterPosition);
    if (throughPosition === afterPosition) return { ...plan.outcome, committed: null };
    this.#state.standing.committed(ingestionMs, throughPosition, movePosition);
    this.#advanced();
    if (this.#listeners.size > 0)
      this.#tell({
        kind: 'committed',
        changes: this.#state.changeSet(afterPosition, Number.MAX_SAFE_INTEGER, readMs),
      });
    return { ...plan.outcome, committed: { ingestionMs, throughPosition } };
  }

  async apply(set: ChangeSet): Promise<void> {
    this.#state.requireOpen();
    this.#state.standing.beginApply(set);
    const standsAt = this.#state.standing.throughPosition;
    for (const change of set.changes)
      if (change.position > standsAt && !applyChange(this.#state.store, change, this.#state.standing.afterMs))
        this.#state.standing.passedOver(change.position);
    if (!this.#state.standing.applied(set)) return;
    this.#advanced();
    if (this.#state.standing.isWhole)
      this.#tell({ kind: 'advanced', throughPosition: this.#state.standing.throughPosition });
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
    this.#state.standing.rebase(boundary);
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
    const { standing, boundaries, store } = this.#state;
    if (standing.isWhole) boundaries.add({ position: standing.throughPosition, ingestionMs: standing.headMs });
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
    const { store, standing, boundaries, evictedIds } = this.#state;
    const { clock } = this.#common;
    const more = evictStep({
      store,
      standing,
      clock,
      window: this.#settings,
      gone: (messageId) => {
        if (!standing.isFollower) evictedIds.add(messageId);
      },
      evicted: (evicted) => this.#metrics.evicted(evicted),
    });
    boundaries.dropBelow(standing.afterPosition);
    this.#metrics.update(store, clock.nowMs());
    if (more) this.#evictSoon();
  }

  #evictSoon(): void {
    this.#cancelStep ??= this.#common.clock.after(0, () => this.#evict());
  }
}
