import { ClosedError, IndexerError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import { createTurns } from '../../core/turns.js';
import type { ChangeSet } from '../../model/batch.js';
import type { Boundary } from '../../model/boundary.js';
import { checkId, checkTransactionHash } from '../../model/check-batch.js';
import type { Coverage } from '../../model/coverage.js';
import type { HeldMessage, HeldResults, HeldTransaction } from '../../model/held.js';
import { LIST_KINDS, type ListedKind, type ListedRecords } from '../../model/list-kinds.js';
import type { Count, KeyedPage, ResolvedListQuery, ResolvedRange, UnfinishedQuery } from '../../model/list-query.js';
import { checkLimit, checkPosition } from '../../model/list-query.js';
import { messageOrderKey, type OrderKey } from '../../model/order.js';
import type { ResultsPart } from '../../model/outlines.js';
import type {
  SourceCursor,
  StoredConflict,
  StoredExecution,
  StoredMessage,
  StoredQuarantineEntry,
  StoredVerifierResult,
} from '../../model/records.js';
import {
  CCVDataNotFoundError,
  MessageNotFoundError,
  StorageFailureError,
  StorageUnavailableError,
} from '../../model/storage-errors.js';
import { ListFace } from '../list-face.js';
import { type ListTable, MESSAGE_TABLE, RESULT_TABLE } from './namespace/record-tables.js';
import { asOf, type NamespaceView } from './namespace/view.js';
import type { ViewCoverage } from './namespace/view-coverage.js';
import { ObjectNotFoundError } from './object-store/object-store-errors.js';
import type { OpenNamespace } from './open-namespace.js';
import type { MessageRowKey, RowKey } from './rows/row-kind.js';

const DEFAULT_CHANGES = 1000;
const TABLES: { readonly [K in ListedKind]: ListTable<ListedRecords[K], RowKeys[K]> } = {
  message: MESSAGE_TABLE,
  verifierResult: RESULT_TABLE,
};

interface RowKeys {
  readonly message: MessageRowKey;
  readonly verifierResult: RowKey;
}
/** Reads of lists and of ids at a time: each takes some megabytes. Others wait in order, holding nothing. */
const LISTS_AT_ONCE = 32;
const LOOKUPS_AT_ONCE = 64;

/** A state to read from. */
export interface Opened {
  readonly parts: OpenNamespace;
  /** The state that answers lists and changes: a whole one, if there is one. */
  readonly view: NamespaceView;
  /** The newest state: enough for the records held of an id, which come with their position. */
  readonly newest: NamespaceView;
}

/** The questions that a cold storage answers, each from one view of its namespace. */
export abstract class ColdStorageReader extends ListFace {
  readonly name: string;
  readonly #viewCoverage: ViewCoverage;
  readonly #lists = createTurns(LISTS_AT_ONCE);
  readonly #lookups = createTurns(LOOKUPS_AT_ONCE);

  constructor(name: string, viewCoverage: ViewCoverage) {
    super();
    this.name = name;
    this.#viewCoverage = viewCoverage;
  }

  /** The newest state, as old as the settings allow; `fresh`: as new as it gets. */
  protected abstract current(fresh: boolean): Promise<Opened>;
  /** The newest state after a file of the last one was missing; no older one is given from then on. */
  protected abstract renewed(): Promise<Opened>;
  /** The state that `current` gave last, if any. */
  protected abstract get known(): NamespaceView | null;
  protected abstract get isClosed(): boolean;
  protected abstract nowMs(): number;

  async getCCVData(messageId: Hex, part?: ResultsPart): Promise<readonly StoredVerifierResult[]> {
    checkId(messageId, 'messageId');
    const results = await this.#lookUp('look up results', async ({ parts, view }) => {
      this.#viewCoverage.requireId(view, messageId);
      return await parts.lookup.results(view, messageId, part);
    });
    if (results.length === 0) throw new CCVDataNotFoundError(messageId);
    return results;
  }

  async getMessage(messageId: Hex): Promise<StoredMessage> {
    checkId(messageId, 'messageId');
    const message = await this.#lookUp('look up a message', async ({ parts, view }) => {
      this.#viewCoverage.requireId(view, messageId);
      return await parts.lookup.message(view, messageId);
    });
    if (message === null) throw new MessageNotFoundError(messageId);
    return message;
  }

  /** The committed results of an id: see `Storage.heldCCVData`. */
  async heldCCVData(messageId: Hex, part?: ResultsPart): Promise<HeldResults> {
    checkId(messageId, 'messageId');
    return await this.#lookUp('look up results', async ({ parts, newest }) => ({
      value: await parts.lookup.results(newest, messageId, part),
      ...heldThrough(newest),
    }));
  }

  async heldMessage(messageId: Hex): Promise<HeldMessage> {
    checkId(messageId, 'messageId');
    return await this.#lookUp('look up a message', async ({ parts, newest }) => ({
      value: await parts.lookup.message(newest, messageId),
      ...heldThrough(newest),
    }));
  }

  async list<K extends ListedKind>(kind: K, query: ResolvedListQuery): Promise<KeyedPage<ListedRecords[K]>> {
    const startMs = Math.max(query.startMs, query.after?.ingestionMs ?? 0);
    return await this.#lists.run(() =>
      this.#read('list records', async ({ parts, view }) => {
        this.#viewCoverage.requireRange(view, startMs, query.endMs);
        const { items, more } = await parts.lists.page(TABLES[kind], view, query);
        return pageOf(view, items, more, LIST_KINDS[kind].keyOf);
      }),
    );
  }

  async count<K extends ListedKind>(kind: K, range: ResolvedRange): Promise<Count> {
    return await this.#read('count records', async ({ parts, view }) => {
      this.#viewCoverage.requireRange(view, range.startMs, range.endMs);
      return { count: await parts.lists.count(TABLES[kind], view, range), asOf: asOf(view) };
    });
  }

  async queryUnfinishedMessages(query: UnfinishedQuery): Promise<KeyedPage<StoredMessage>> {
    checkLimit(query.limit);
    return await this.#read('list unfinished messages', async ({ parts, view }) => {
      this.#viewCoverage.requirePresent(view);
      const { items, more } = await parts.scans.unfinished(view, query);
      return pageOf(view, items, more, messageOrderKey);
    });
  }

  async messagesAboveBlock(
    sourceChainSelector: bigint,
    afterBlock: bigint,
    throughBlock?: bigint,
  ): Promise<readonly StoredMessage[]> {
    return await this.#read('list messages by block', async ({ parts, view }) => {
      this.#viewCoverage.requirePresent(view);
      const blocks = { after: afterBlock, through: throughBlock };
      return await parts.scans.messagesInBlocks(view, sourceChainSelector, blocks);
    });
  }

  async getExecutions(messageId: Hex): Promise<readonly StoredExecution[]> {
    checkId(messageId, 'messageId');
    return await this.#lookUp('look up executions', async ({ parts, view }) => {
      this.#viewCoverage.requirePresent(view);
      return await parts.lookup.executions(view, messageId);
    });
  }

  async executionsAboveBlock(
    destChainSelector: bigint,
    afterBlock: bigint,
    throughBlock?: bigint,
  ): Promise<readonly StoredExecution[]> {
    return await this.#read('list executions by block', async ({ parts, view }) => {
      this.#viewCoverage.requirePresent(view);
      const blocks = { after: afterBlock, through: throughBlock };
      return await parts.scans.executionsInBlocks(view, destChainSelector, blocks);
    });
  }

  async getTransaction(transactionHash: Hex): Promise<HeldTransaction> {
    checkTransactionHash(transactionHash);
    return await this.#lookUp('look up a transaction', async ({ parts, newest }) => ({
      value: await parts.lookup.transaction(newest, transactionHash),
      ...heldThrough(newest),
    }));
  }

  async getCursor(sourceId: string): Promise<SourceCursor | null> {
    return (await this.#cursors()).get(sourceId) ?? null;
  }

  async listCursors(): Promise<readonly SourceCursor[]> {
    return [...(await this.#cursors()).values()].sort((a, b) => (a.sourceId < b.sourceId ? -1 : 1));
  }

  async queryQuarantine(query: {
    readonly afterPosition: bigint;
    readonly limit: number;
  }): Promise<readonly StoredQuarantineEntry[]> {
    checkPage(query);
    return await this.#read('list quarantined input', async ({ parts, view }) => {
      this.#viewCoverage.requirePresent(view);
      return await parts.ledger.quarantine(view, query.afterPosition, query.limit);
    });
  }

  async queryConflicts(query: {
    readonly afterPosition: bigint;
    readonly limit: number;
  }): Promise<readonly StoredConflict[]> {
    checkPage(query);
    return await this.#read('list conflicts', async ({ parts, view }) => {
      this.#viewCoverage.requirePresent(view);
      return await parts.ledger.conflicts(view, query.afterPosition, query.limit);
    });
  }

  async changesAfter(afterPosition: bigint, limit = DEFAULT_CHANGES): Promise<ChangeSet> {
    checkPage({ afterPosition, limit });
    const readMs = this.nowMs();
    return await this.#read('list changes', ({ parts, view }) =>
      parts.changes.after(view, afterPosition, limit, readMs),
    );
  }

  async boundaryAt(at: { readonly ms: number } | { readonly position: bigint }): Promise<Boundary> {
    return await this.#read('find a boundary', async ({ parts, view }) => parts.changes.boundaryAt(view, at));
  }

  coverage(): Coverage {
    return this.#viewCoverage.coverage(this.known);
  }

  protected requireOpen(): void {
    if (this.isClosed) throw new ClosedError(`storage ${this.name}`);
  }

  /** Runs `work`; errors of the object store and of the formats become errors of this storage. */
  protected async guard<T>(operation: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (!(cause instanceof IndexerError) || !isOwn(cause)) throw cause;
      const options = { cause, details: { code: cause.code } };
      throw cause.retryable
        ? new StorageUnavailableError(this.name, operation, options)
        : new StorageFailureError(this.name, operation, options);
    }
  }

  async #cursors(): Promise<ReadonlyMap<string, SourceCursor>> {
    return await this.#read('read cursors', async ({ parts, view }) => {
      this.#viewCoverage.requirePresent(view);
      return await parts.ledger.cursors(view);
    });
  }

  async #lookUp<T>(operation: string, ask: (opened: Opened) => Promise<T>): Promise<T> {
    return await this.#lookups.run(() => this.#read(operation, ask));
  }

  /** A missing file was compacted away since the view was read: a newer view names its successor. */
  async #read<T>(operation: string, ask: (opened: Opened) => Promise<T>): Promise<T> {
    this.requireOpen();
    return await this.guard(operation, async () => {
      try {
        return await ask(await this.current(false));
      } catch (thrown) {
        if (!(thrown instanceof ObjectNotFoundError)) throw thrown;
        return await ask(await this.renewed());
      }
    });
  }
}

function heldThrough({ position }: NamespaceView) {
  return { afterPosition: 0n, throughPosition: position };
}

const OWN_CODES = /^(OBJECT_|DELTA_|PARQUET_|ID_INDEX_|COLD_)/;

/** Errors of the layers below, which callers of a storage know nothing of. */
function isOwn({ code }: IndexerError): boolean {
  return OWN_CODES.test(code);
}

function checkPage({ afterPosition, limit }: { readonly afterPosition: bigint; readonly limit: number }): void {
  checkPosition('afterPosition', afterPosition);
  checkLimit(limit);
}

function pageOf<T>(
  view: NamespaceView,
  items: readonly T[],
  more: boolean,
  keyOf: (item: T) => OrderKey,
): KeyedPage<T> {
  const last = items.at(-1);
  return { items, next: more && last !== undefined ? keyOf(last) : null, asOf: asOf(view) };
}
