import type { Hex } from '../../core/hex.js';
import type { ChangeSet } from '../../model/batch.js';
import type { Boundary } from '../../model/boundary.js';
import { checkId, checkTransactionHash } from '../../model/check-batch.js';
import type { Coverage } from '../../model/coverage.js';
import { type HeldTransaction, inLogOrder } from '../../model/held.js';
import { LIST_KINDS, type ListedKind, type ListedRecords } from '../../model/list-kinds.js';
import type { Count, KeyedPage, ResolvedListQuery, ResolvedRange, UnfinishedQuery } from '../../model/list-query.js';
import { checkLimit, checkPosition } from '../../model/list-query.js';
import { messageOrderKey, type OrderKey } from '../../model/order.js';
import type { ResultsPart } from '../../model/outlines.js';
import { boundedBy, partOfResults } from '../../model/outlines.js';
import type {
  SourceCursor,
  StoredConflict,
  StoredExecution,
  StoredMessage,
  StoredQuarantineEntry,
  StoredVerifierResult,
} from '../../model/records.js';
import { CCVDataNotFoundError, CoverageGapError, MessageNotFoundError } from '../../model/storage-errors.js';
import { ListFace } from '../list-face.js';
import type { MemoryState } from './memory-state.js';

const DEFAULT_CHANGES = 1000;

/** The questions that a memory storage answers, each only within its coverage. */
export abstract class MemoryReader extends ListFace {
  readonly name: string;
  readonly #state: MemoryState;

  constructor(state: MemoryState) {
    super();
    this.name = state.name;
    this.#state = state;
  }

  async getCCVData(messageId: Hex, part?: ResultsPart): Promise<readonly StoredVerifierResult[]> {
    const entry = this.#lookUp(messageId);
    const results = entry && partOfResults(entry.results, part);
    if (!results || results.length === 0) throw new CCVDataNotFoundError(messageId);
    return results;
  }

  async getMessage(messageId: Hex): Promise<StoredMessage> {
    const message = this.#lookUp(messageId)?.message;
    if (!message) throw new MessageNotFoundError(messageId);
    return message;
  }

  /** Behind a key nothing older is needed. */
  async list<K extends ListedKind>(kind: K, query: ResolvedListQuery): Promise<KeyedPage<ListedRecords[K]>> {
    this.#requireRange(query, Math.max(query.startMs, query.after?.ingestionMs ?? 0));
    const { items, more } = this.#state.store.lists[kind].page(query);
    const { keyOf, outlineOf } = LIST_KINDS[kind];
    return this.#page(boundedBy(items, query.maxBytes, outlineOf), more, keyOf);
  }

  async count(kind: ListedKind, range: ResolvedRange): Promise<Count> {
    this.#requireRange(range, range.startMs);
    return { count: this.#state.store.lists[kind].count(range), asOf: this.#state.asOf() };
  }

  async queryUnfinishedMessages({ limit, after, order }: UnfinishedQuery): Promise<KeyedPage<StoredMessage>> {
    this.#state.requireOpen();
    checkLimit(limit);
    this.#state.coverage.requireRange(0, Number.POSITIVE_INFINITY);
    const { unfinished } = this.#state.store;
    if (order === 'newest') {
      const end = after ? unfinished.lowerBound(after) : unfinished.length;
      const items = unfinished.slice(Math.max(0, end - limit), end).reverse();
      return this.#page(items, items.length < end, messageOrderKey);
    }
    const from = after ? unfinished.upperBound(after) : 0;
    const items = unfinished.slice(from, Math.min(unfinished.length, from + limit));
    return this.#page(items, from + items.length < unfinished.length, messageOrderKey);
  }

  async messagesAboveBlock(
    sourceChainSelector: bigint,
    afterBlock: bigint,
    throughBlock?: bigint,
  ): Promise<readonly StoredMessage[]> {
    this.#state.requireOpen();
    this.#state.coverage.requireRange(0, Number.POSITIVE_INFINITY);
    const above = this.#state.store.blocks.above(sourceChainSelector, afterBlock);
    return throughBlock === undefined
      ? above
      : above.filter(({ origin }) => origin && origin.blockNumber <= throughBlock);
  }

  async getExecutions(messageId: Hex): Promise<readonly StoredExecution[]> {
    this.#state.requireOpen();
    checkId(messageId, 'messageId');
    this.#state.coverage.requireRange(0, Number.POSITIVE_INFINITY);
    return this.#state.store.executions.of(messageId);
  }

  async executionsAboveBlock(
    destChainSelector: bigint,
    afterBlock: bigint,
    throughBlock?: bigint,
  ): Promise<readonly StoredExecution[]> {
    this.#state.requireOpen();
    this.#state.coverage.requireRange(0, Number.POSITIVE_INFINITY);
    return this.#state.store.executions.above(destChainSelector, afterBlock, throughBlock);
  }

  /** A walk over everything: only a storage that leads alone is asked, and no window of others needs an index. */
  async getTransaction(transactionHash: Hex): Promise<HeldTransaction> {
    this.#state.requireOpen();
    checkTransactionHash(transactionHash);
    const { store, coverage } = this.#state;
    coverage.requireSince(coverage.afterPosition);
    const messages = [...store.entries.values()].flatMap(({ message }) =>
      message?.origin?.transactionHash === transactionHash ? [message] : [],
    );
    return {
      value: inLogOrder({ messages, executions: store.executions.inTransaction(transactionHash) }),
      afterPosition: coverage.afterPosition,
      throughPosition: coverage.throughPosition,
    };
  }

  async getCursor(sourceId: string): Promise<SourceCursor | null> {
    this.#state.requireOpen();
    const cursor = this.#state.store.cursors.get(sourceId);
    if (!cursor || !this.#state.coverage.isCurrent) this.#state.coverage.requireFromBeginning();
    return cursor ?? null;
  }

  async listCursors(): Promise<readonly SourceCursor[]> {
    this.#state.requireOpen();
    this.#state.coverage.requireFromBeginning();
    return [...this.#state.store.cursors.values()].sort((a, b) => (a.sourceId < b.sourceId ? -1 : 1));
  }

  async queryQuarantine(query: {
    readonly afterPosition: bigint;
    readonly limit: number;
  }): Promise<readonly StoredQuarantineEntry[]> {
    this.#requireSince(query);
    return this.#state.store.quarantine.after(query.afterPosition, query.limit);
  }

  async queryConflicts(query: {
    readonly afterPosition: bigint;
    readonly limit: number;
  }): Promise<readonly StoredConflict[]> {
    this.#requireSince(query);
    return this.#state.store.conflicts.after(query.afterPosition, query.limit);
  }

  async changesAfter(afterPosition: bigint, limit = DEFAULT_CHANGES): Promise<ChangeSet> {
    this.#state.requireOpen();
    checkPosition('afterPosition', afterPosition);
    checkLimit(limit);
    this.#state.coverage.requireChangesAfter(afterPosition);
    return this.#state.changeSet(afterPosition, limit, this.#state.coverage.readMs);
  }

  async boundaryAt(at: { readonly ms: number } | { readonly position: bigint }): Promise<Boundary> {
    this.#state.requireOpen();
    const isBelow = (boundary: Boundary) =>
      'ms' in at ? boundary.ingestionMs <= at.ms : boundary.position <= at.position;
    const { base, headMs, throughPosition, isWhole, afterPosition } = this.#state.coverage;
    const head = { position: throughPosition, ingestionMs: headMs };
    const highest = isWhole && isBelow(head) ? head : (this.#state.boundaries.last(isBelow) ?? base);
    if (isWhole && isBelow(highest) && highest.position >= afterPosition) return highest;
    const gap =
      'ms' in at
        ? ({ kind: 'time', startMs: at.ms, endMs: at.ms } as const)
        : ({ kind: 'position', afterPosition: at.position } as const);
    throw new CoverageGapError(gap, `storage ${this.name}`);
  }

  coverage(): Coverage {
    return this.#state.coverage.current();
  }

  #requireSince({ afterPosition, limit }: { readonly afterPosition: bigint; readonly limit: number }): void {
    this.#state.requireOpen();
    checkPosition('afterPosition', afterPosition);
    checkLimit(limit);
    this.#state.coverage.requireSince(afterPosition);
  }

  #lookUp(messageId: Hex) {
    this.#state.requireOpen();
    checkId(messageId, 'messageId');
    const entry = this.#state.store.entries.get(messageId);
    this.#state.coverage.requireId(messageId, entry?.firstMs);
    return entry;
  }

  #requireRange({ endMs }: ResolvedRange, startMs: number): void {
    this.#state.requireOpen();
    if (startMs <= endMs) this.#state.coverage.requireRange(startMs, endMs);
  }

  #page<T>(items: readonly T[], more: boolean, keyOf: (item: T) => OrderKey): KeyedPage<T> {
    const last = items.at(-1);
    return { items, next: more && last !== undefined ? keyOf(last) : null, asOf: this.#state.asOf() };
  }
}
