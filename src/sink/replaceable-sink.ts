import type { Common } from '../core/common.js';
import { ClosedError, IndexerError, toError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { ChangeSet, WriteBatch, WriteOutcome } from '../model/batch.js';
import type { ListedKind, ListedRecords } from '../model/list-kinds.js';
import type { KeyedPage, ListQuery, ResolvedListQuery, ResolvedRange, UnfinishedQuery } from '../model/list-query.js';
import type { ResultsPart } from '../model/outlines.js';
import type { VerifierResult } from '../model/records.js';
import { DivergedError } from '../model/storage-errors.js';
import { insertCCVData } from '../storage/insert-ccv-data.js';
import { ListFace } from '../storage/list-face.js';
import type { AdvanceListener } from '../storage/storage.js';
import type { Sink } from './sink.js';

/** Whether a Sink is the right one to ask, at one moment; `changing`: no database leads. */
export type Standing = 'right' | 'changing';

/** Dependencies and settings of a replaceable Sink; times in milliseconds. */
export interface ReplaceableSinkOptions {
  readonly common: Common;
  readonly first: Sink;
  /**
   * Asked when the Sink failed a question in a way that may pass. It makes sure that a replacement which is due has
   * been made when it resolves.
   */
  readonly standing: () => Promise<Standing>;
  /** How long a question waits for another Sink. Default 10 000. */
  readonly waitMs?: number;
}

/** A Sink that is one of several, one after the other, over the same records. */
export interface ReplaceableSink extends Sink {
  /**
   * Ends the writes to the present Sink and its following, then puts another in its place. Writes meanwhile wait; reads
   * go on at the present one, which is closed when the last has ended. When `open` fails, the present Sink stays, to
   * read from.
   */
  replace(open: () => Promise<Sink>): Promise<void>;
}

/** Between two questions after the standing of a Sink. */
const LOOK_MS = 50;
/** How long a Sink that was replaced is left open for its last reads. */
const DRAIN_MS = 30_000;

/** One of the Sinks, with the questions that it is answering. */
interface Term {
  readonly sink: Sink;
  readonly running: Set<Promise<unknown>>;
}

/**
 * Puts one Sink in the place of another while it is asked: a question that meets the end of a lead is asked again, of
 * the Sink that has come after. No write is made twice: a database that has handed over has refused it.
 */
export function createReplaceableSink(options: ReplaceableSinkOptions): ReplaceableSink {
  return new SinkInTerms(options);
}

class SinkInTerms extends ListFace implements ReplaceableSink {
  readonly name = 'sink';
  readonly #common: Common;
  readonly #standing: () => Promise<Standing>;
  readonly #waitMs: number;
  readonly #listeners = new Map<AdvanceListener, () => void>();
  #term: Term;
  /** Resolves when the replacement under way is done. */
  #replacing: Promise<void> | null = null;
  readonly #ending = new Set<Promise<void>>();
  #closing: Promise<void> | null = null;

  constructor({ common, first, standing, waitMs = 10_000 }: ReplaceableSinkOptions) {
    super();
    this.#common = common;
    this.#term = { sink: first, running: new Set() };
    this.#standing = standing;
    this.#waitMs = waitMs;
  }

  get durable(): boolean {
    return this.#term.sink.durable;
  }

  getCCVData(messageId: Hex, part?: ResultsPart) {
    return this.#ask((sink) => sink.getCCVData(messageId, part));
  }
  getMessage(messageId: Hex) {
    return this.#ask((sink) => sink.getMessage(messageId));
  }
  list<K extends ListedKind>(kind: K, query: ResolvedListQuery): Promise<KeyedPage<ListedRecords[K]>> {
    return this.#ask((sink) => sink.list(kind, query));
  }
  count(kind: ListedKind, range: ResolvedRange) {
    return this.#ask((sink) => sink.count(kind, range));
  }
  queryUnfinishedMessages(query: UnfinishedQuery) {
    return this.#ask((sink) => sink.queryUnfinishedMessages(query));
  }
  getExecutions(messageId: Hex) {
    return this.#ask((sink) => sink.getExecutions(messageId));
  }
  getTransaction(transactionHash: Hex) {
    return this.#ask((sink) => sink.getTransaction(transactionHash));
  }
  executionsAboveBlock(destChainSelector: bigint, afterBlock: bigint, throughBlock?: bigint) {
    return this.#ask((sink) => sink.executionsAboveBlock(destChainSelector, afterBlock, throughBlock));
  }
  messagesAboveBlock(sourceChainSelector: bigint, afterBlock: bigint, throughBlock?: bigint) {
    return this.#ask((sink) => sink.messagesAboveBlock(sourceChainSelector, afterBlock, throughBlock));
  }
  getCursor(sourceId: string) {
    return this.#ask((sink) => sink.getCursor(sourceId));
  }
  listCursors() {
    return this.#ask((sink) => sink.listCursors());
  }
  queryQuarantine(query: { readonly afterPosition: bigint; readonly limit: number }) {
    return this.#ask((sink) => sink.queryQuarantine(query));
  }
  queryConflicts(query: { readonly afterPosition: bigint; readonly limit: number }) {
    return this.#ask((sink) => sink.queryConflicts(query));
  }
  changesAfter(afterPosition: bigint, limit?: number) {
    return this.#ask((sink) => sink.changesAfter(afterPosition, limit));
  }
  boundaryAt(at: { readonly ms: number } | { readonly position: bigint }) {
    return this.#ask((sink) => sink.boundaryAt(at));
  }

  async insertCCVData(result: VerifierResult): Promise<void> {
    await insertCCVData(this, result);
  }
  insertBatch(batch: WriteBatch): Promise<WriteOutcome> {
    return this.#write((sink) => sink.insertBatch(batch));
  }
  apply(changes: ChangeSet): Promise<void> {
    return this.#write((sink) => sink.apply(changes));
  }

  subscribe(listener: AdvanceListener): () => void {
    // an identity of its own, so that a function subscribed twice is told twice
    const own: AdvanceListener = (event) => listener(event);
    this.#listeners.set(own, this.#term.sink.subscribe(own));
    return () => {
      this.#listeners.get(own)?.();
      this.#listeners.delete(own);
    };
  }
  coverage() {
    return this.#term.sink.coverage();
  }
  explain(query: ListQuery) {
    return this.#term.sink.explain(query);
  }
  status() {
    return this.#term.sink.status();
  }
  started() {
    return this.#term.sink.started();
  }
  health() {
    return this.#term.sink.health();
  }

  async replace(open: () => Promise<Sink>): Promise<void> {
    if (this.#closing) throw new ClosedError('sink');
    const earlier = this.#replacing;
    const replaced = (async () => {
      await earlier;
      await this.#replace(open);
    })();
    const settled = replaced.catch(() => 'told to the caller').then(() => undefined);
    this.#replacing = settled;
    try {
      await replaced;
    } finally {
      if (this.#replacing === settled) this.#replacing = null;
    }
  }

  /** `retire` is for a Sink that is replaced; this one is closed. */
  retire(): Promise<void> {
    return this.close();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #replace(open: () => Promise<Sink>): Promise<void> {
    const old = this.#term;
    await old.sink.retire();
    const sink = await open();
    this.#term = { sink, running: new Set() };
    for (const [listener, unsubscribe] of this.#listeners) {
      unsubscribe();
      this.#listeners.set(listener, sink.subscribe(listener));
      listener({ kind: 'advanced', throughPosition: sink.coverage().throughPosition });
    }
    const ended = this.#end(old);
    this.#ending.add(ended);
    ended.finally(() => this.#ending.delete(ended)).catch(() => 'told in #end');
  }

  /** Closes a Sink behind its last reads. */
  async #end({ sink, running }: Term): Promise<void> {
    const drained = new AbortController();
    try {
      const late = this.#common.clock.sleep(DRAIN_MS, drained.signal).catch(() => 'drained');
      await Promise.race([Promise.allSettled(running), late]);
      await sink.close();
    } catch (thrown) {
      this.#common.log.error({ err: toError(thrown) }, 'a Sink that was replaced failed to close');
    } finally {
      drained.abort();
    }
  }

  async #close(): Promise<void> {
    await this.#replacing;
    await Promise.all(this.#ending);
    await this.#term.sink.close();
  }

  async #write<T>(work: (sink: Sink) => Promise<T>): Promise<T> {
    await this.#replacing;
    return await this.#ask(work);
  }

  /** Asks the present Sink, and again when it has been replaced, or is about to be. */
  async #ask<T>(work: (sink: Sink) => Promise<T>): Promise<T> {
    const { clock } = this.#common;
    const startedMs = clock.monotonicMs();
    for (;;) {
      if (this.#closing) throw new ClosedError('sink');
      const term = this.#term;
      try {
        return await this.#run(term, work);
      } catch (thrown) {
        if (this.#closing || clock.monotonicMs() - startedMs > this.#waitMs || !mayPass(thrown)) throw thrown;
        const standing = await this.#standing();
        await this.#replacing;
        if (this.#term !== term) continue;
        if (standing === 'right') throw thrown;
        await clock.sleep(LOOK_MS);
      }
    }
  }

  async #run<T>({ sink, running }: Term, work: (sink: Sink) => Promise<T>): Promise<T> {
    const answer = work(sink);
    running.add(answer);
    try {
      return await answer;
    } finally {
      running.delete(answer);
    }
  }
}

/** Another Sink may answer: this one is closed, or its leader has ended its lead. */
function mayPass(thrown: unknown): boolean {
  // a follower that was late when the lead was handed over takes the new leader's commits for another history
  if (thrown instanceof ClosedError || thrown instanceof DivergedError) return true;
  return thrown instanceof IndexerError && thrown.retryable;
}
