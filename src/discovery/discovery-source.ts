import { backoffMs } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { AbortedError, IndexerError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { CursorMove } from '../model/batch.js';
import { createReadObserver } from '../verifiers/read-observer.js';
import type { DiscoveryClient } from './discovery-client.js';
import { DiscoveryJournal, type DiscoveryStatus } from './discovery-journal.js';
import { GapLooks } from './gap-looks.js';
import { arrangePage, LEAST_PAGE, MAX_SEQUENCE, type Page, type PlacedEntry } from './page.js';
import { type DiscoveryStore, PageStore } from './page-store.js';
import { type EntryContext, messageIdOf } from './read-entries.js';
import { discoverySourceId } from './source-ids.js';
import { tracedClient } from './traced-client.js';

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
const MAX_PAUSE_MS = 10_000;

/** `more`: there is work that need not wait. `held`: an entry cannot be judged yet. */
type PollOutcome = 'more' | 'idle' | 'held' | 'failed';
const isOver = (outcome: PollOutcome) => outcome === 'held' || outcome === 'failed';

interface Cursor {
  readonly height: bigint;
  /** The message id of its entry; null: it had none that could be read. */
  readonly hash: Hex | null;
}

/**
 * Reads one aggregator: its entries become messages and verifier results, each page in one transaction with the cursor.
 *
 * ```
 *  poll:  drain ────────────► read the gaps again ───────────► pause
 *         from the cursor,    the recent ones; at times all,
 *         until nothing is new a poll's time at once
 * ```
 *
 * - A request asks from the cursor's own entry, and the answer has to begin with it. When it does not, several times in
 *   a row, the aggregator has restarted with lower sequences or has lost entries: it is read again from `since`, and
 *   the cursor goes back in the transaction of the first page that it then gives.
 * - A sequence is drawn before its entry commits, so an entry can appear below the cursor, in a gap. Gaps are read
 *   again, and forgotten after a look that began `overlapMs` after they were passed; after a start the whole window is
 *   one gap. After a start or a silence all are looked at before the cursor goes far: it may be far behind.
 * - An aggregator cuts a page first and leaves out of it the entries that it cannot show. An answer speaks for as many
 *   sequences as a page has entries, and one without news is not yet the end: each poll without news looks one page
 *   further ahead, through half of the overlap, and then begins anew.
 * - An entry whose signatures cannot be judged now holds the cursor; the other entries of its page are stored.
 * - A call that fails is repeated after a pause that doubles. An error of the storage ends the run: the next one begins
 *   at the cursor that is stored.
 */
export class DiscoverySource {
  readonly journal: DiscoveryJournal;
  readonly #options: DiscoverySourceOptions;
  readonly #sourceId: string;
  readonly #looks: GapLooks;
  readonly #observed;
  readonly #pages: PageStore;
  #cursor: Cursor | null = null;
  /** The cursor's entry is gone: the next page comes from `since`, and takes the cursor back. */
  #isSetBack = false;
  #sightings = 0;
  /** The most entries of one answer: the length of a full page, as far as is known. */
  #pageSize = LEAST_PAGE;
  /** Sequences beyond the cursor in which no entry was seen. */
  #ahead = 0n;
  /** The last poll found nothing more, so that entries are news. */
  #isFollowing = false;
  /** On the monotonic clock. */
  #lastAnswerMs = 0;

  constructor(options: DiscoverySourceOptions) {
    this.#options = { ...options, client: tracedClient(options) };
    this.#sourceId = discoverySourceId(options.name);
    this.#looks = new GapLooks({ ...options, nowMs: () => this.#nowMs() });
    this.#observed = createReadObserver(options.name, options.common);
    this.journal = new DiscoveryJournal(options.name, options.common);
    this.#pages = new PageStore({ ...options, journal: this.journal });
  }

  get name(): string {
    return this.#options.name;
  }

  status(): DiscoveryStatus {
    return this.journal.status();
  }

  /** Reads `overlap` again, as after a start: an entry may have come after its gap was forgotten. */
  lookAgain(): void {
    if (this.#cursor !== null && !this.#isSetBack) this.#looks.expectAll(this.#cursor.height);
  }

  /** Reads until `signal` aborts. May be run again after it ended. @throws the errors of the store. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options.common;
    const { pollIntervalMs } = this.#options;
    try {
      await this.#begin();
      while (!signal.aborted) {
        const outcome = await this.#poll(signal);
        if (!isOver(outcome)) this.journal.wentOn();
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
    this.#cursor = await this.#options.store.getCursor(this.#sourceId);
    this.#isSetBack = false;
    this.#sightings = 0;
    this.#restart();
    this.lookAgain();
    this.#told();
    this.journal.enter('reading');
  }

  /** Nothing is known of the sequences around the cursor. */
  #restart(): void {
    this.#looks.gaps.clear();
    this.#looks.owe();
    this.#ahead = 0n;
    this.#isFollowing = false;
  }

  async #poll(signal: AbortSignal): Promise<PollOutcome> {
    if (this.#nowMs() - this.#lastAnswerMs > this.#looks.recentMs) this.#looks.owe();
    const owed = this.#looks.isOwed ? await this.#readGaps(signal) : 'idle';
    if (isOver(owed)) return owed;
    const drained = await this.#drain(signal);
    if (isOver(drained)) return drained;
    const reread = owed === 'more' ? 'more' : await this.#readGaps(signal);
    this.#told();
    if (isOver(reread)) return reread;
    return drained === 'more' || reread === 'more' ? 'more' : 'idle';
  }

  /** Reads from the cursor until the aggregator has no more, or it is time to look at the gaps. */
  async #drain(signal: AbortSignal): Promise<PollOutcome> {
    const endMs = this.#nowMs() + (this.#looks.isOwed ? 0 : this.#options.overlapMs / 4);
    for (let isFirst = true; ; isFirst = false) {
      const cursor = this.#cursor;
      const fromSince = cursor === null || this.#isSetBack;
      const from = fromSince ? this.#options.since : cursor.height;
      const page = await this.#read(from, signal);
      if (page === null) return 'failed';
      if (!fromSince && !this.#begins(page, cursor)) {
        this.#suspect(cursor);
        return 'idle';
      }
      this.#sightings = 0;
      const found = await this.#storeFresh(page);
      if (found === 'held') return found;
      if (found === 'idle') this.#isFollowing = true;
      if (found === 'idle') return isFirst ? await this.#lookAhead(from, signal) : 'idle';
      if (this.#nowMs() >= endMs) return 'more';
    }
  }

  /** Looks at one page of sequences further ahead than the last time. */
  async #lookAhead(from: bigint, signal: AbortSignal): Promise<PollOutcome> {
    this.#ahead += BigInt(this.#pageSize);
    const at = from + this.#ahead;
    if (this.#ahead > this.#options.overlap / 2n || at > MAX_SEQUENCE) {
      this.#ahead = 0n;
      return 'idle';
    }
    const page = await this.#read(at, signal);
    if (page === null) return 'failed';
    const [first] = page.placed;
    if (first) {
      const facts = { discovery: this.name, from: String(from), seen: String(first.sequence) };
      this.#options.common.log.warn(facts, 'aggregator shows no entries, but others behind them: those are read');
    }
    return await this.#storeFresh(page);
  }

  #begins({ placed }: Page, { height, hash }: Cursor): boolean {
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
    this.#restart();
    this.journal.setBack(cursor.height, this.#options.since);
  }

  /** Stores the entries beyond the cursor. @returns `more` where there are any, `held` where it cannot pass all. */
  async #storeFresh({ placed, misplaced }: Page): Promise<PollOutcome> {
    const was = this.#cursor;
    const fresh = placed.filter(({ sequence }) => this.#isSetBack || was === null || sequence > was.height);
    const moveTo = (last: PlacedEntry): CursorMove => ({
      ...{ sourceId: this.#sourceId, ...this.#cursorAt(last), expectedHeight: was?.height ?? null },
      ...(this.#isSetBack ? { setBack: true } : {}),
    });
    const use = { late: false, following: this.#isFollowing, moveTo };
    const { passed, isWhole } = await this.#pages.store({ placed: fresh, misplaced }, use);
    const last = passed.at(-1);
    if (last === undefined) return isWhole ? 'idle' : 'held';
    let next = was === null || this.#isSetBack ? this.#options.since : was.height + 1n;
    for (const { sequence } of passed) {
      this.#looks.gaps.pass(next, sequence - 1n, this.#nowMs());
      next = sequence + 1n;
    }
    this.#cursor = this.#cursorAt(last);
    this.#isSetBack = false;
    this.#ahead = 0n;
    this.#told();
    return isWhole ? 'more' : 'held';
  }

  #cursorAt(entry: PlacedEntry): Cursor {
    return { height: entry.sequence, hash: messageIdOf(entry, this.#options.entries.readClaim) };
  }

  /** Reads the recent gaps again, or goes on with a look at all; at most for the time between two polls. */
  async #readGaps(signal: AbortSignal): Promise<PollOutcome> {
    if (this.#cursor === null || this.#isSetBack || this.#sightings > 0) return 'idle';
    const { height } = this.#cursor;
    const { gaps } = this.#looks;
    const endMs = this.#nowMs() + this.#options.pollIntervalMs;
    for (let at = this.#looks.begin(height); at !== null; ) {
      const page = await this.#read(at, signal);
      if (page === null) return 'failed';
      const late = page.placed.filter(({ sequence }) => gaps.has(sequence));
      const use = { late: true, following: false };
      const { passed, isWhole } = await this.#pages.store({ placed: late, misplaced: page.misplaced }, use);
      for (const { sequence } of passed) gaps.fill(sequence);
      // the look has not ended: no gap is forgotten
      if (!isWhole) return 'held';
      // entries that are not shown may fill a page
      const through = at + BigInt(this.#pageSize) - 1n;
      const last = page.placed.at(-1)?.sequence ?? at;
      at = this.#looks.read(last > through ? last : through);
      if (at !== null && this.#nowMs() >= endMs) return this.#looks.isWhole ? 'more' : 'idle';
    }
    this.#looks.end();
    return 'idle';
  }

  /** Null: the call failed, and the journal knows why. */
  async #read(since: bigint, signal: AbortSignal): Promise<Page | null> {
    const { client, name } = this.#options;
    if (signal.aborted) throw new AbortedError(`discovery ${name}`);
    try {
      const answer = await this.#observed(() => client.messagesSince(since, signal));
      this.#lastAnswerMs = this.#nowMs();
      this.#pageSize = Math.max(this.#pageSize, answer.length);
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
