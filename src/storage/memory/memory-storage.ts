import { type Common, createCommon } from '../../core/common.js';
import { ClosedError, InvalidArgumentError, toError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import type { Change, ChangeSet, WriteBatch, WriteOutcome } from '../batch.js';
import { checkBatch, checkId } from '../check-batch.js';
import type { Coverage } from '../coverage.js';
import {
  CCVDataNotFoundError,
  ConflictingCCVDataError,
  CoverageGapError,
  DuplicateCCVDataError,
  MessageNotFoundError,
} from '../errors.js';
import { checkLimit, checkPosition, type ResolvedListQuery, resolveListQuery } from '../list-query.js';
import { encodeCursor, messageOrderKey } from '../order.js';
import type {
  SourceCursor,
  StoredConflict,
  StoredMessage,
  StoredQuarantineEntry,
  StoredVerifierResult,
  VerifierResult,
} from '../records.js';
import type {
  AdvanceEvent,
  AdvanceListener,
  AsOf,
  Boundary,
  Count,
  CountQuery,
  Health,
  ListQuery,
  Page,
  WindowedStorage,
} from '../storage.js';
import { applyChange } from './apply-changes.js';
import { BoundaryLog } from './boundary-log.js';
import { commitPlan } from './commit-plan.js';
import { EvictedIds } from './evicted-ids.js';
import { evictStep } from './eviction.js';
import { createMemoryMetrics, type MemoryMetrics } from './memory-metrics.js';
import { planCommit } from './plan-commit.js';
import { RecordStore } from './record-store.js';
import { Standing } from './standing.js';

const DEFAULT_CLEANUP_INTERVAL_MS = 60_000;
const DEFAULT_MAX_STALENESS_MS = 1000;
const DEFAULT_CHANGES = 1000;

/** How a memory storage is set up. Times in milliseconds. */
export interface MemoryStorageOptions {
  /** For logs, metrics and errors. */
  readonly name: string;
  /** Records older than this are evicted. Default 0: never. */
  readonly ttlMs?: number;
  /** Most records (messages and verifier results together); the oldest above it are evicted. Default 0: no limit. */
  readonly maxSize?: number;
  /** How often eviction runs. Default one minute. */
  readonly cleanupIntervalMs?: number;
  /** A follower answers for the present while it was confirmed to be current this long ago at most. Default 1 s. */
  readonly maxStalenessMs?: number;
  readonly common?: Partial<Common>;
}

/** The storage in this process's memory: alone, or as the hot tier that follows another. */
export type MemoryStorage = WindowedStorage;

/**
 * Creates a memory storage. Records it answers with are the stored ones, the same object each time: never change them.
 * @throws InvalidArgumentError
 */
export function createMemoryStorage(options: MemoryStorageOptions): MemoryStorage {
  const window = { ttlMs: options.ttlMs ?? 0, maxSize: options.maxSize ?? 0 };
  const cleanupIntervalMs = options.cleanupIntervalMs ?? DEFAULT_CLEANUP_INTERVAL_MS;
  const maxStalenessMs = options.maxStalenessMs ?? DEFAULT_MAX_STALENESS_MS;
  for (const [name, value, least] of [
    ['ttlMs', window.ttlMs, 0],
    ['maxSize', window.maxSize, 0],
    ['cleanupIntervalMs', cleanupIntervalMs, 1],
    ['maxStalenessMs', maxStalenessMs, 0],
  ] as const)
    if (!(value >= least) || (value === Number.POSITIVE_INFINITY && name !== 'maxStalenessMs'))
      throw new InvalidArgumentError(`${name} of memory storage ${options.name} is ${value}: pass at least ${least}`);
  return new InMemoryStorage(
    options.name,
    { ...window, cleanupIntervalMs, maxStalenessMs },
    createCommon(options.common),
  );
}

interface Settings {
  readonly ttlMs: number;
  readonly maxSize: number;
  readonly cleanupIntervalMs: number;
  readonly maxStalenessMs: number;
}

class InMemoryStorage implements WindowedStorage {
  readonly name: string;
  readonly durable = false;
  readonly #settings: Settings;
  readonly #common: Common;
  readonly #metrics: MemoryMetrics;
  readonly #standing: Standing;
  readonly #listeners = new Set<AdvanceListener>();
  #store = new RecordStore();
  #boundaries = new BoundaryLog();
  #evictedIds = new EvictedIds();
  #cancelTimer: () => void = () => undefined;
  #cancelStep: () => void = () => undefined;
  #closed = false;

  constructor(name: string, settings: Settings, common: Common) {
    this.name = name;
    this.#settings = settings;
    this.#common = common;
    this.#metrics = createMemoryMetrics(common.metrics, name);
    this.#standing = new Standing(name, settings.maxStalenessMs, () => common.clock.nowMs());
    if (settings.ttlMs > 0 || settings.maxSize > 0)
      this.#cancelTimer = common.clock.every(settings.cleanupIntervalMs, () => this.#evict());
  }

  async getCCVData(messageId: Hex): Promise<readonly StoredVerifierResult[]> {
    const entry = this.#lookUp(messageId);
    if (!entry || entry.results.length === 0) throw new CCVDataNotFoundError(messageId);
    return entry.results;
  }

  async getMessage(messageId: Hex): Promise<StoredMessage> {
    const message = this.#lookUp(messageId)?.message;
    if (!message) throw new MessageNotFoundError(messageId);
    return message;
  }

  async queryCCVData(query: ListQuery): Promise<Page<StoredVerifierResult>> {
    const resolved = this.#resolve(query);
    const { items, more } = this.#store.results.page(resolved);
    return this.#page(items, more, (result) => result);
  }

  async queryMessages(query: ListQuery): Promise<Page<StoredMessage>> {
    const resolved = this.#resolve(query);
    const { items, more } = this.#store.messages.page(resolved);
    return this.#page(items, more, messageOrderKey);
  }

  async countCCVData(query: CountQuery): Promise<Count> {
    const resolved = this.#resolve(query);
    return { count: this.#store.results.count(resolved), asOf: this.#asOf() };
  }

  async countMessages(query: CountQuery): Promise<Count> {
    const resolved = this.#resolve(query);
    return { count: this.#store.messages.count(resolved), asOf: this.#asOf() };
  }

  async queryUnfinishedMessages(query: {
    readonly limit: number;
    readonly cursor?: string;
  }): Promise<Page<StoredMessage>> {
    this.#requireOpen();
    const { limit, after } = resolveListQuery(query);
    this.#standing.requireRange(0, Number.POSITIVE_INFINITY);
    const { unfinished } = this.#store;
    const from = after ? unfinished.upperBound(after) : 0;
    const items = unfinished.slice(from, Math.min(unfinished.length, from + limit));
    return this.#page(items, from + items.length < unfinished.length, messageOrderKey);
  }

  async messagesAboveBlock(sourceChainSelector: bigint, afterBlock: bigint): Promise<readonly StoredMessage[]> {
    this.#requireOpen();
    this.#standing.requireRange(0, Number.POSITIVE_INFINITY);
    return this.#store.blocks.above(sourceChainSelector, afterBlock);
  }

  async getCursor(sourceId: string): Promise<SourceCursor | null> {
    this.#requireOpen();
    const cursor = this.#store.cursors.get(sourceId);
    if (!cursor || !this.#standing.isCurrent) this.#standing.requireFromBeginning();
    return cursor ?? null;
  }

  async listCursors(): Promise<readonly SourceCursor[]> {
    this.#requireOpen();
    this.#standing.requireFromBeginning();
    return [...this.#store.cursors.values()].sort((a, b) => (a.sourceId < b.sourceId ? -1 : 1));
  }

  async queryQuarantine(query: {
    readonly afterPosition: bigint;
    readonly limit: number;
  }): Promise<readonly StoredQuarantineEntry[]> {
    this.#requireSince(query);
    return this.#store.quarantine.after(query.afterPosition, query.limit);
  }

  async queryConflicts(query: {
    readonly afterPosition: bigint;
    readonly limit: number;
  }): Promise<readonly StoredConflict[]> {
    this.#requireSince(query);
    return this.#store.conflicts.after(query.afterPosition, query.limit);
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
    this.#requireOpen();
    this.#standing.beginCommit();
    checkBatch(batch);
    const readMs = this.#common.clock.nowMs();
    const ingestionMs = Math.max(this.#standing.headMs + 1, readMs);
    const plan = planCommit(this.#store, batch, ingestionMs, (messageId) =>
      this.#evictedIds.has(messageId) ? this.#standing.afterMs : ingestionMs,
    );
    const afterPosition = this.#standing.throughPosition;
    const { throughPosition, movePosition } = commitPlan(this.#store, plan, ingestionMs, afterPosition);
    if (throughPosition === afterPosition) return { ...plan.outcome, committed: null };
    this.#standing.committed(ingestionMs, throughPosition, movePosition);
    this.#advanced();
    this.#tellCommitted(afterPosition, readMs);
    return { ...plan.outcome, committed: { ingestionMs, throughPosition } };
  }

  async changesAfter(afterPosition: bigint, limit = DEFAULT_CHANGES): Promise<ChangeSet> {
    this.#requireOpen();
    checkPosition('afterPosition', afterPosition);
    checkLimit(limit);
    this.#standing.requireChangesAfter(afterPosition);
    return this.#changeSet(afterPosition, limit, this.#standing.readMs);
  }

  async boundaryAt(at: { readonly ms: number } | { readonly position: bigint }): Promise<Boundary> {
    this.#requireOpen();
    const isBelow = (boundary: Boundary) =>
      'ms' in at ? boundary.ingestionMs <= at.ms : boundary.position <= at.position;
    const { base, headMs, throughPosition, isWhole, afterPosition } = this.#standing;
    const head = { position: throughPosition, ingestionMs: headMs };
    const highest = isWhole && isBelow(head) ? head : (this.#boundaries.last(isBelow) ?? base);
    if (isWhole && isBelow(highest) && highest.position >= afterPosition) return highest;
    const gap =
      'ms' in at
        ? ({ kind: 'time', startMs: at.ms, endMs: at.ms } as const)
        : ({ kind: 'position', afterPosition: at.position } as const);
    throw new CoverageGapError(gap, `storage ${this.name}`);
  }

  async apply(set: ChangeSet): Promise<void> {
    this.#requireOpen();
    this.#standing.beginApply(set);
    const standsAt = this.#standing.throughPosition;
    for (const change of set.changes)
      if (change.position > standsAt && !applyChange(this.#store, change, this.#standing.afterMs))
        this.#standing.passedOver(change.position);
    if (!this.#standing.applied(set)) return;
    this.#advanced();
    if (this.#standing.isWhole) this.#tell({ kind: 'advanced', throughPosition: this.#standing.throughPosition });
  }

  subscribe(listener: AdvanceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  coverage(): Coverage {
    return this.#standing.coverage();
  }

  window(): { readonly sinceMs: number; readonly maxRecords: number } {
    const { ttlMs, maxSize } = this.#settings;
    return {
      sinceMs: ttlMs === 0 ? 0 : Math.max(0, this.#common.clock.nowMs() - ttlMs),
      maxRecords: maxSize === 0 ? Number.POSITIVE_INFINITY : maxSize,
    };
  }

  rebase(boundary: Boundary): void {
    this.#requireOpen();
    this.#cancelStep();
    this.#forgetAll();
    this.#standing.rebase(boundary);
    this.#metrics.update(this.#store, this.#common.clock.nowMs());
  }

  async health(): Promise<Health> {
    return this.#closed ? { healthy: false, reason: 'closed' } : { healthy: true, reason: null };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer();
    this.#cancelStep();
    this.#listeners.clear();
    this.#forgetAll();
    this.#metrics.update(this.#store, this.#common.clock.nowMs());
  }

  #requireOpen(): void {
    if (this.#closed) throw new ClosedError(`storage ${this.name}`);
  }

  #requireSince({ afterPosition, limit }: { readonly afterPosition: bigint; readonly limit: number }): void {
    this.#requireOpen();
    checkPosition('afterPosition', afterPosition);
    checkLimit(limit);
    this.#standing.requireSince(afterPosition);
  }

  #lookUp(messageId: Hex) {
    this.#requireOpen();
    checkId(messageId, 'messageId');
    const entry = this.#store.entries.get(messageId);
    this.#standing.requireId(messageId, entry?.firstMs);
    return entry;
  }

  /** The query with its defaults, when this storage may answer it. Behind a cursor nothing older is needed. */
  #resolve(query: ListQuery): ResolvedListQuery {
    this.#requireOpen();
    const resolved = resolveListQuery(query);
    const startMs = Math.max(resolved.startMs, resolved.after?.ingestionMs ?? 0);
    if (startMs <= resolved.endMs) this.#standing.requireRange(startMs, resolved.endMs);
    return resolved;
  }

  #page<T>(items: readonly T[], more: boolean, keyOf: (item: T) => Parameters<typeof encodeCursor>[0]): Page<T> {
    const last = items.at(-1);
    return { items, nextCursor: more && last !== undefined ? encodeCursor(keyOf(last)) : null, asOf: this.#asOf() };
  }

  #asOf(): AsOf {
    return { position: this.#standing.throughPosition, movePosition: this.#standing.movePosition };
  }

  #changeSet(afterPosition: bigint, limit: number, readMs: number): ChangeSet {
    const { throughPosition: headPosition, movePosition, headMs } = this.#standing;
    const changes = this.#store.changes(afterPosition, headPosition, limit);
    const last: Change | undefined = changes.at(-1);
    return {
      afterPosition,
      throughPosition: last && changes.length === limit ? last.position : headPosition,
      headPosition,
      headMs,
      headMovePosition: movePosition,
      readMs,
      changes,
    };
  }

  /** After a commit or a set that moved the storage on. */
  #advanced(): void {
    const { isWhole, throughPosition, headMs } = this.#standing;
    if (isWhole) this.#boundaries.add({ position: throughPosition, ingestionMs: headMs });
    this.#metrics.update(this.#store, this.#common.clock.nowMs());
  }

  #tellCommitted(afterPosition: bigint, readMs: number): void {
    if (this.#listeners.size === 0) return;
    this.#tell({ kind: 'committed', changes: this.#changeSet(afterPosition, Number.MAX_SAFE_INTEGER, readMs) });
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
    this.#cancelStep();
    const { clock } = this.#common;
    const more = evictStep({
      store: this.#store,
      standing: this.#standing,
      clock,
      window: this.#settings,
      gone: (messageId) => {
        if (!this.#standing.isFollower) this.#evictedIds.add(messageId);
      },
      evicted: (evicted) => this.#metrics.evicted(evicted),
    });
    this.#boundaries.dropBelow(this.#standing.afterPosition);
    this.#metrics.update(this.#store, clock.nowMs());
    if (more) this.#cancelStep = clock.after(0, () => this.#evict());
  }

  #forgetAll(): void {
    this.#store = new RecordStore();
    this.#boundaries = new BoundaryLog();
    this.#evictedIds = new EvictedIds();
  }
}
