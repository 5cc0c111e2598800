import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Common } from '../core/common.js';
import type { CursorMove, WriteBatch, WriteOutcome } from '../model/batch.js';
import type { SourceCursor } from '../model/records.js';
import type { DiscoveryJournal } from './discovery-journal.js';
import type { Page, PlacedEntry } from './page.js';
import { batchOf, type EntryContext, readEntries } from './read-entries.js';

/** The store of one aggregator's cursor and records. */
export interface DiscoveryStore {
  getCursor(sourceId: string): Promise<SourceCursor | null>;
  /** @throws CursorConflictError, LeaseLostError, and the errors of a storage: nothing is stored then. */
  insertBatch(batch: WriteBatch): Promise<WriteOutcome>;
}

/** The parts of a page store. */
export interface PageStoreOptions {
  readonly name: string;
  readonly entries: Omit<EntryContext, 'aggregator' | 'nowMs'>;
  readonly store: DiscoveryStore;
  readonly journal: DiscoveryJournal;
  readonly common: Common;
}

/** How a page is stored. */
export interface PageUse {
  /** Its entries are those of gaps. */
  readonly late: boolean;
  /** The aggregator had no more before, so that its entries are news. */
  readonly following: boolean;
  /** The move of the cursor to the last entry that it may pass. Absent: it stays. */
  readonly moveTo?: (last: PlacedEntry) => CursorMove;
}

/** How far a page was stored. */
export interface StoredPage {
  /** Its entries below the first that could not be judged. */
  readonly passed: readonly PlacedEntry[];
  /** All could be. */
  readonly isWhole: boolean;
}

const MISPLACED_REMEMBERED = 1_000;

/** Stores the pages of one aggregator, each in one transaction with the cursor that it moves. */
export class PageStore {
  readonly #options: PageStoreOptions;
  /** Digests of the misplaced entries that are stored: the same bytes come with every answer that reaches them. */
  readonly #misplaced = new LRUCache<string, true>({ max: MISPLACED_REMEMBERED });

  constructor(options: PageStoreOptions) {
    this.#options = options;
  }

  /**
   * Entries behind one that could not be judged are stored as well, and come again with it.
   * @throws the errors of the store: nothing is stored then.
   */
  async store(page: Pick<Page, 'placed' | 'misplaced'>, { late, following, moveTo }: PageUse): Promise<StoredPage> {
    const { name, entries, store, journal, common } = this.#options;
    const misplaced = page.misplaced.filter((raw) => !this.#misplaced.has(digestOf(raw)));
    const context = { ...entries, aggregator: name, nowMs: common.clock.nowMs() };
    const records = await readEntries({ placed: page.placed, misplaced }, context);
    const { unjudged } = records;
    const passed = page.placed.filter(({ sequence }) => unjudged === null || sequence < unjudged.sequence);
    const last = passed.at(-1);
    const move = last && moveTo?.(last);
    const stored: StoredPage = { passed, isWhole: unjudged === null };
    const batch = batchOf(records);
    if (unjudged) journal.held(unjudged);
    if (batch === null && move === undefined) return stored;
    const outcome = await store.insertBatch({ ...batch, ...(move ? { cursors: [move] } : {}) });
    for (const raw of misplaced) this.#misplaced.set(digestOf(raw), true);
    journal.committed(records, outcome, late, following);
    return stored;
  }
}

function digestOf(raw: Uint8Array): string {
  return createHash('sha256').update(raw).digest('hex');
}
