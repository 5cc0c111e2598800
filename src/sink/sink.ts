import { type Common, createCommon } from '../core/common.js';
import { ClosedError, InvalidArgumentError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { ChangeSet, WriteBatch, WriteOutcome } from '../model/batch.js';
import type { Coverage } from '../model/coverage.js';
import type { ListedKind, ListedRecords } from '../model/list-kinds.js';
import type { KeyedPage, ListQuery, ResolvedListQuery, ResolvedRange, UnfinishedQuery } from '../model/list-query.js';
import type { ResultsPart } from '../model/outlines.js';
import type { VerifierResult } from '../model/records.js';
import type { Gap } from '../model/storage-errors.js';
import type { BackendStorage } from '../storage/backend-storage.js';
import { insertCCVData } from '../storage/insert-ccv-data.js';
import { ListFace } from '../storage/list-face.js';
import { createMeteredStorage } from '../storage/metered-storage.js';
import type { AdvanceEvent, AdvanceListener, Health, Storage } from '../storage/storage.js';
import type { Backend } from './backend.js';
import { closeBackends } from './close-backends.js';
import { followLeader } from './follow/follow-leader.js';
import type { Follower } from './follow/follower.js';
import { changesFrom } from './follow/history.js';
import { requirePresent } from './follow/lost-commits.js';
import { Pruner } from './prune/pruner.js';
import type { Explanation } from './read/explain.js';
import { ListReader } from './read/list-reader.js';
import { LookupReader } from './read/lookup-reader.js';
import { ReadFloor } from './read/read-floor.js';
import { ReadLoop } from './read/read-loop.js';
import { TransactionReader } from './read/transaction-reader.js';
import { sinkCoverage } from './sink-coverage.js';
import { createSinkMetrics, type SinkMetrics } from './sink-metrics.js';
import { leaderIndex, type ResolvedBackend, resolveBackends, type SinkOptions } from './sink-options.js';
import { type BackendStatus, healthOfAll, statusOf } from './sink-status.js';
import { SinkWriter } from './sink-writer.js';
import { succeedsWithin } from './within.js';

/** Several storages as one. A question that no backend can answer is a `CoverageGapError`, never a shorter answer. */
export interface Sink extends Storage {
  /**
   * Stores one verifier result.
   * @throws DuplicateCCVDataError when it is stored already.
   * @throws ConflictingCCVDataError when another one is stored under the same identity.
   */
  insertCCVData(result: VerifierResult): Promise<void>;
  /** Which backend would answer which part of `query` right now, and why. */
  explain(query: ListQuery): Explanation;
  /** How each backend is doing, in configured order. */
  status(): Promise<readonly BackendStatus[]>;
  /**
   * Ends writes, following and pruning, and waits for those under way. Reads go on until `close`. Idempotent.
   */
  retire(): Promise<void>;
  /** Resolves once every follower was placed and has compared itself with the leader, or failed to. */
  started(): Promise<void>;
}

/**
 * A Sink over `backends`, read in their order where their conditions and coverage admit. One leads (the first durable
 * required one) and gives every record its time and position, the others follow it. Starts following at once; `close`
 * closes the storages too.
 * @throws InvalidArgumentError when no such Sink can work.
 */
export function createSink(options: SinkOptions): Sink {
  return new CompositeSink(options);
}

/** A Sink of storages that are all always read; durable ones are required. */
export function createSimpleSink(storages: readonly BackendStorage[], common?: Common): Sink {
  return createSink({ backends: storages.map((storage) => ({ storage })), ...(common ? { common } : {}) });
}

class CompositeSink extends ListFace implements Sink {
  readonly name = 'sink';
  readonly durable: boolean;
  readonly #common: Common;
  readonly #metrics: SinkMetrics;
  readonly #backends: readonly Backend[];
  readonly #followers: readonly Follower[];
  readonly #leader: BackendStorage;
  readonly #floor = new ReadFloor();
  readonly #lists: ListReader;
  readonly #lookups: LookupReader;
  readonly #transactions: TransactionReader;
  readonly #writer: SinkWriter;
  readonly #pruner: Pruner;
  readonly #unsubscribe: () => void;
  readonly #writes = new Set<Promise<unknown>>();
  #retiring: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  /** Until durable followers have said whether they hold more than the leader; reads wait for that, not for long. */
  #settling: Promise<void> | null = null;

  constructor(options: SinkOptions) {
    super();
    const { maxStalenessMs = 250, catchUpWaitMs = 1000 } = options;
    const common = options.common ?? createCommon();
    this.#common = common;
    this.#metrics = createSinkMetrics(common.metrics);
    const resolved = resolveBackends(options.backends).map((each) => ({
      ...each,
      storage: createMeteredStorage(each.storage, common),
    }));
    const leading = leaderIndex(resolved);
    const leader = resolved[leading];
    if (!leader) throw new InvalidArgumentError('a Sink needs a leader');
    const follow = (backend: ResolvedBackend) =>
      followLeader({
        ...{ backend, common, options, maxStalenessMs, leader: leader.storage, metrics: this.#metrics },
        changesAfter: (position, limit) => changesFrom(leader.storage, this.#backends, position, limit),
      });
    this.#backends = resolved.map((each, index) => ({
      ...each,
      name: each.storage.name,
      index,
      follower: index === leading ? null : follow(each),
    }));
    this.#followers = this.#backends.flatMap(({ follower }) => (follower === null ? [] : [follower]));
    this.#leader = leader.storage;
    this.durable = this.#leader.durable;
    const shared = { backends: this.#backends, floor: this.#floor, common, metrics: this.#metrics };
    const loop = new ReadLoop(common, catchUpWaitMs);
    this.#lists = new ListReader({ ...shared, leader: leader.storage, maxStalenessMs, loop });
    this.#lookups = new LookupReader({ ...shared, maxStalenessMs, loop });
    this.#transactions = new TransactionReader({ ...shared, lookups: this.#lookups });
    this.#writer = new SinkWriter({
      ...{ leader: this.#leader, backends: this.#backends, floor: this.#floor },
      ...{ clock: common.clock, tracing: common.tracing, contactWaitMs: options.contactWaitMs ?? 15_000 },
    });
    // before anyone else, so that in-process followers have a commit when others hear of it
    this.#unsubscribe = this.#leader.subscribe((event) => this.#hear(event));
    for (const follower of this.#followers) follower.start();
    const durable = this.#backends.flatMap(({ storage, follower }) => (storage.durable && follower ? [follower] : []));
    if (durable.length > 0) this.#settling = this.#settle(durable, catchUpWaitMs);
    this.#pruner = new Pruner({
      pruned: resolved.flatMap(({ storage, retentionMs }) =>
        retentionMs > 0 && storage.prunable ? [{ name: storage.name, storage, retentionMs }] : [],
      ),
      backends: this.#backends,
      common,
      intervalMs: options.pruneIntervalMs ?? 60_000,
    });
    this.#pruner.start();
  }

  getCCVData(messageId: Hex, part?: ResultsPart) {
    if (this.#closing) return Promise.reject(new ClosedError('sink'));
    return this.#settling?.then(() => this.#lookups.ccvData(messageId, part)) ?? this.#lookups.ccvData(messageId, part);
  }
  getMessage(messageId: Hex) {
    if (this.#closing) return Promise.reject(new ClosedError('sink'));
    return this.#settling?.then(() => this.#lookups.message(messageId)) ?? this.#lookups.message(messageId);
  }
  async list<K extends ListedKind>(kind: K, query: ResolvedListQuery): Promise<KeyedPage<ListedRecords[K]>> {
    this.#checkOpen();
    await this.#settling;
    return await this.#lists.list(kind, query);
  }
  async count(kind: ListedKind, range: ResolvedRange) {
    this.#checkOpen();
    await this.#settling;
    return await this.#lists.count(kind, range);
  }

  async queryUnfinishedMessages(query: UnfinishedQuery) {
    return await this.#ofLeader((leader) => leader.queryUnfinishedMessages(query));
  }
  async messagesAboveBlock(sourceChainSelector: bigint, afterBlock: bigint, throughBlock?: bigint) {
    return await this.#ofLeader((leader) => leader.messagesAboveBlock(sourceChainSelector, afterBlock, throughBlock));
  }
  async getExecutions(messageId: Hex) {
    return await this.#ofLeader((leader) => leader.getExecutions(messageId));
  }
  async getTransaction(transactionHash: Hex) {
    return await this.#ofLeader((leader) => this.#transactions.transaction(transactionHash, leader));
  }
  async executionsAboveBlock(destChainSelector: bigint, afterBlock: bigint, throughBlock?: bigint) {
    return await this.#ofLeader((leader) => leader.executionsAboveBlock(destChainSelector, afterBlock, throughBlock));
  }
  async getCursor(sourceId: string) {
    return await this.#ofLeader((leader) => leader.getCursor(sourceId));
  }
  async listCursors() {
    return await this.#ofLeader((leader) => leader.listCursors());
  }
  async queryQuarantine(query: { readonly afterPosition: bigint; readonly limit: number }) {
    return await this.#ofLeader((leader) => leader.queryQuarantine(query));
  }
  async queryConflicts(query: { readonly afterPosition: bigint; readonly limit: number }) {
    return await this.#ofLeader((leader) => leader.queryConflicts(query));
  }
  async changesAfter(afterPosition: bigint, limit?: number) {
    await this.#checkPresent({ kind: 'position', afterPosition });
    return await changesFrom(this.#leader, this.#backends, afterPosition, limit);
  }
  async boundaryAt(at: { readonly ms: number } | { readonly position: bigint }) {
    return await this.#ofLeader((leader) => leader.boundaryAt(at));
  }

  /** Asks for the records that only the leader tells. */
  async #ofLeader<T>(ask: (leader: BackendStorage) => Promise<T>): Promise<T> {
    await this.#checkPresent();
    return await ask(this.#leader);
  }

  async insertCCVData(result: VerifierResult): Promise<void> {
    await insertCCVData(this, result);
  }
  async insertBatch(batch: WriteBatch): Promise<WriteOutcome> {
    return await this.#write(() => this.#writer.insertBatch(batch));
  }
  async apply(changes: ChangeSet): Promise<void> {
    await this.#write(() => this.#writer.apply(changes));
  }

  subscribe(listener: AdvanceListener): () => void {
    return this.#leader.subscribe(listener);
  }
  coverage(): Coverage {
    return sinkCoverage(this.#leader.coverage(), this.#lists.candidates());
  }
  explain(query: ListQuery): Explanation {
    return this.#lists.explain(query);
  }
  async status(): Promise<readonly BackendStatus[]> {
    return await statusOf(this.#backends);
  }
  async started(): Promise<void> {
    await Promise.all(this.#followers.map((follower) => follower.contact()));
  }

  /** Healthy while the leader is and somebody can be read. */
  async health(): Promise<Health> {
    if (this.#closing) return { healthy: false, reason: 'sink is closed' };
    return await healthOfAll(this.#backends, this.#leader);
  }

  retire(): Promise<void> {
    this.#retiring ??= this.#retire();
    return this.#retiring;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #retire(): Promise<void> {
    const pruned = this.#pruner.close();
    await Promise.allSettled(this.#writes);
    await pruned;
    this.#unsubscribe();
    await Promise.all(this.#followers.map((follower) => follower.close()));
  }

  /** Writes under way end before the backends do. */
  async #close(): Promise<void> {
    await this.retire();
    await closeBackends(this.#backends, this.#common.log);
  }

  async #write<T>(write: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    if (this.#retiring) throw new ClosedError('sink');
    const written = write();
    this.#writes.add(written);
    try {
      return await written;
    } finally {
      this.#writes.delete(written);
    }
  }

  #hear(event: AdvanceEvent): void {
    if (event.kind === 'committed') {
      this.#floor.closed(event.changes.headMs);
      this.#floor.moved(event.changes.headMovePosition);
    }
    for (const { name, follower } of this.#backends) {
      if (follower === null) continue;
      follower.hear(event);
      // one that hangs reports nothing by itself
      if (follower.lagPositions > 0n) this.#metrics.lag(name, follower.lagPositions, follower.lagMs);
    }
  }

  async #settle(durable: readonly Follower[], waitMs: number): Promise<void> {
    await succeedsWithin(this.#common.clock, waitMs, Promise.all(durable.map((follower) => follower.contact())));
    this.#settling = null;
  }

  /** Answers of the leader alone are given only while it is not known to lack commits. */
  async #checkPresent(gap: Gap = { kind: 'time', startMs: 0, endMs: Number.POSITIVE_INFINITY }): Promise<void> {
    this.#checkOpen();
    await this.#settling;
    requirePresent(this.#backends, gap);
  }

  #checkOpen(): void {
    if (this.#closing) throw new ClosedError('sink');
  }
}
