import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { backoffMs } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { AbortedError, IndexerError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { CursorMove, WriteBatch, WriteOutcome } from '../model/batch.js';
import type { SourceCursor } from '../model/records.js';
import { createReadObserver } from '../verifiers/read-observer.js';
import type { DiscoveryClient } from './discovery-client.js';
import { DiscoveryJournal, type DiscoveryStatus } from './discovery-journal.js';
import { GapLooks } from './gap-looks.js';
import { arrangePage, type Page, type PlacedEntry } from './page.js';
import { batchOf, type EntryContext, messageIdOf, readEntries } from './read-entries.js';
import { discoverySourceId } from './source-ids.js';

/** The store of one aggregator's cursor and records. */
export interface DiscoveryStore {
  getCursor(sourceId: string): Promise<SourceCursor | null>;
  /** @throws CursorConflictError, LeaseLostError, and the errors of a storage: nothing is stored then. */
  insertBatch(batch: WriteBatch): Promise<WriteOutcome>;
}

/** The settings of one aggregator. */
export interface DiscoverySettings {
  readonly name: string;
  /** The first sequence, while none is stored. */
  readonly since: bigint;
  readonly pollIntervalMs: number;
  /** Sequences below the cursor within which late entries are looked for; after a start all of them are read again. */
  readonly overlap: bigint;
  /** Time for which they are looked for after a gap was passed. */
  readonly overlapMs: number;
}

/** The parts of a source. */
export interface DiscoverySourceOptions extends DiscoverySettings {
  readonly client: DiscoveryClient;
  readonly entries: Omit<EntryContext, 'aggregator' | 'nowMs'>;
  readonly store: DiscoveryStore;
  readonly common: Common;
}

/** Answers in a row without the cursor's entry from which it counts as gone: one replica may be behind another. */
const SIGHTINGS_TO_SET_BACK = 3;
/** An answer of fewer entries is the last one for now. */
const LEAST_FULL_PAGE = 10;
const MAX_PAUSE_MS = 10_000;
const MISPLACED_REMEMBERED = 1_000;

interface Cursor {
  readonly height: bigint;
  /** The message id of its entry; null: it had none that could be read. */
  readonly hash: Hex | null;
}

/**
 * Reads one aggregator: its entries become messages and verifier results, each page in one transaction with the cursor.
 *
 * ```
 *  poll:  drain ───────────► read the gaps again ───────────► pause
 *         from the cursor,   the recent ones; at times all,
 *         until a short page a poll's time at once
 * ```
 *
 * - A request asks from the cursor's own entry, and the answer has to begin with it. When it does not, several times in
 *   a row, the aggregator has restarted with lower sequences or has lost entries: it is read again from `since`, and
 *   the cursor goes back in the transaction of the first page that it then gives.
 * - A sequence is drawn before its entry commits, so an entry can appear below the cursor, in a gap. Gaps are read
 *   again, and forgotten after a look that began `overlapMs` after they were passed; after a start the whole window is
 *   one gap. After a start or a silence all are looked at before the cursor goes far: it may be far behind.
 * - A call that fails is repeated after a pause that doubles. An error of the storage ends the run: the next one begins
 *   at the cursor that is stored.
 */
export class DiscoverySource {
  readonly journal: DiscoveryJournal;
  readonly #options: DiscoverySourceOptions;
  readonly #sourceId: string;
  readonly #looks: GapLooks;
  readonly #observed;
  readonly #misplaced = new LRUCache<string, true>({ max: MISPLACED_REMEMBERED });
  #cursor: Cursor | null = null;
  /** The cursor's entry is gone: the next page comes from `since`, and takes the cursor back. */
  #isSetBack = false;
  #sightings = 0;
  /** The most entries of one answer: the size of a full page, as far as is known. */
  #largestPage = LEAST_FULL_PAGE;
  /** On the monotonic clock. */
  #lastAnswerMs = 0;

  constructor(options: DiscoverySourceOptions) {
    this.#options = options;
    this.#sourceId = discoverySourceId(options.name);
    this.#looks = new GapLooks({ ...options, nowMs: () => this.#nowMs() });
    this.#observed = createReadObserver(options.name, options.common);
    this.journal = new DiscoveryJournal(options.name, options.common);
  }

  get name(): string {
    return this.#options.name;
  }

  status(): DiscoveryStatus {
    return this.journal.status();
  }

  /** Reads until `signal` aborts. May be run again after it ended. @throws the errors of the store. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options.common;
    const { pollIntervalMs } = this.#options;
    try {
      await this.#begin();
      while (!signal.aborted) {
        const outcome = await this.#poll(signal);
        if (outcome === 'more') continue;
        const { failures } = this.journal;
        const backoff = { baseMs: pollIntervalMs, maxMs: Math.max(pollIntervalMs, MAX_PAUSE_MS) };
        await clock.sleep(failures > 0 ? backoffMs(backoff, failures - 1, random) : pollIntervalMs, signal);
      }
    } catch (thrown) {
      if (!(signal.aborted && thrown instanceof AbortedError)) throw thrown;
    } finally {
      this.journal.enter('stopped');
    }
  }

  async #begin(): Promise<void> {
    const { store, since, overlap } = this.#options;
    this.#cursor = await store.getCursor(this.#sourceId);
    this.#isSetBack = false;
    this.#sightings = 0;
    this.#looks.gaps.clear();
    this.#looks.owe();
    if (this.#cursor) {
      const { height } = this.#cursor;
      let first = height - overlap;
      if (first < since) first = since;
      this.#looks.gaps.pass(first, height - 1n, this.#nowMs());
    }
    this.#told();
    this.journal.enter('reading');
  }

  /** `more`: there is work that need not wait. */
  async #poll(signal: AbortSignal): Promise<'more' | 'idle' | 'failed'> {
    if (this.#nowMs() - this.#lastAnswerMs > this.#looks.recentMs) this.#looks.owe();
    const owed = this.#looks.isOwed ? await this.#readGaps(signal) : 'idle';
    if (owed === 'failed') return 'failed';
    const drained = await this.#drain(signal);
    if (drained === 'failed') return 'failed';
    const reread = owed === 'more' ? 'more' : await this.#readGaps(signal);
    this.#told();
    if (reread === 'failed') return 'failed';
    return drained === 'more' || reread === 'more' ? 'more' : 'idle';
  }

  /** Reads from the cursor until the aggregator has no more, or it is time to look at the gaps. */
  async #drain(signal: AbortSignal): Promise<'more' | 'idle' | 'failed'> {
    const endMs = this.#nowMs() + (this.#looks.isOwed ? 0 : this.#options.overlapMs / 4);
    for (;;) {
      const cursor = this.#cursor;
      const fromSince = cursor === null || this.#isSetBack;
      const page = await this.#read(fromSince ? this.#options.since : cursor.height, signal);
      if (page === null) return 'failed';
      if (!fromSince && !this.#holds(page, cursor)) {
        this.#suspect(cursor);
        return 'idle';
      }
      this.#sightings = 0;
      const fresh = fromSince ? page.placed : page.placed.filter(({ sequence }) => sequence > cursor.height);
      const isFull = page.size >= this.#largestPage;
      this.#largestPage = Math.max(this.#largestPage, page.size);
      await this.#storeFresh(fresh, page.misplaced, !isFull);
      if (fresh.length === 0 || !isFull) return 'idle';
      if (this.#nowMs() >= endMs) return 'more';
    }
  }

  #holds({ placed }: Page, { height, hash }: Cursor): boolean {
    const found = placed.filter(({ sequence }) => sequence === height);
    if (hash === null) return found.length > 0;
    return found.some((entry) => messageIdOf(entry, this.#options.entries.readClaim) === hash);
  }

  #suspect(cursor: Cursor): void {
    this.#sightings += 1;
    if (this.#sightings < SIGHTINGS_TO_SET_BACK) {
      const facts = { discovery: this.name, sequence: String(cursor.height), answersInARow: this.#sightings };
      this.#options.common.log.warn(facts, 'aggregator does not give the entry that was read last');
      return;
    }
    this.#isSetBack = true;
    this.#looks.gaps.clear();
    this.#looks.owe();
    this.journal.setBack(cursor.height, this.#options.since);
  }

  async #storeFresh(fresh: readonly PlacedEntry[], misplaced: Page['misplaced'], following: boolean): Promise<void> {
    const last = fresh.at(-1);
    if (last === undefined) return await this.#store({ placed: [], misplaced }, { late: false, following });
    const was = this.#cursor;
    const cursor = { height: last.sequence, hash: messageIdOf(last, this.#options.entries.readClaim) };
    const move: CursorMove = {
      ...{ sourceId: this.#sourceId, ...cursor, expectedHeight: was?.height ?? null },
      ...(this.#isSetBack ? { setBack: true } : {}),
    };
    await this.#store({ placed: fresh, misplaced }, { late: false, following, move });
    let next = was === null || this.#isSetBack ? this.#options.since : was.height + 1n;
    for (const { sequence } of fresh) {
      this.#looks.gaps.pass(next, sequence - 1n, this.#nowMs());
      next = sequence + 1n;
    }
    this.#cursor = cursor;
    this.#isSetBack = false;
    this.#told();
  }

  /** Reads the recent gaps again, or goes on with a look at all; at most for the time between two polls. */
  async #readGaps(signal: AbortSignal): Promise<'more' | 'idle' | 'failed'> {
    if (this.#cursor === null || this.#isSetBack || this.#sightings > 0) return 'idle';
    const { height } = this.#cursor;
    const { gaps } = this.#looks;
    const endMs = this.#nowMs() + this.#options.pollIntervalMs;
    for (let at = this.#looks.begin(height); at !== null; ) {
      const page = await this.#read(at, signal);
      if (page === null) return 'failed';
      const late = page.placed.filter(({ sequence }) => gaps.has(sequence));
      await this.#store({ placed: late, misplaced: page.misplaced }, { late: true, following: false });
      for (const { sequence } of late) gaps.fill(sequence);
      at = this.#looks.read(page.placed.at(-1)?.sequence ?? height);
      if (at !== null && this.#nowMs() >= endMs) return this.#looks.isWhole ? 'more' : 'idle';
    }
    this.#looks.end();
    return 'idle';
  }

  async #store(
    page: Pick<Page, 'placed' | 'misplaced'>,
    how: { readonly late: boolean; readonly following: boolean; readonly move?: CursorMove },
  ): Promise<void> {
    const { name, entries, store, common } = this.#options;
    const misplaced = page.misplaced.filter((raw) => this.#isNewMisplaced(raw));
    const context = { ...entries, aggregator: name, nowMs: common.clock.nowMs() };
    const records = readEntries({ placed: page.placed, misplaced }, context);
    const batch = batchOf(records);
    if (batch === null && how.move === undefined) return;
    const outcome = await store.insertBatch({ ...batch, ...(how.move ? { cursors: [how.move] } : {}) });
    this.journal.committed(records, outcome, how.late, how.following);
  }

  /** The same bytes come with every answer that reaches them. */
  #isNewMisplaced(raw: Uint8Array): boolean {
    const key = createHash('sha256').update(raw).digest('hex');
    if (this.#misplaced.has(key)) return false;
    this.#misplaced.set(key, true);
    return true;
  }

  /** Null: the call failed, and the journal knows why. */
  async #read(since: bigint, signal: AbortSignal): Promise<Page | null> {
    const { client, name } = this.#options;
    if (signal.aborted) throw new AbortedError(`discovery ${name}`);
    try {
      const answer = await this.#observed(() => client.messagesSince(since, signal));
      this.#lastAnswerMs = this.#nowMs();
      this.journal.answered();
      return arrangePage(answer, since);
    } catch (thrown) {
      if (signal.aborted || !(thrown instanceof IndexerError)) throw thrown;
      this.journal.failed(thrown);
      return null;
    }
  }

  #told(): void {
    this.journal.at(this.#cursor?.height ?? null, this.#looks.gaps.count);
  }

  #nowMs(): number {
    return this.#options.common.clock.monotonicMs();
  }
}
