import type { GoDatabase } from './go-database.js';
import { placesInOrder, RECORD_TABLES, type RecordTable } from './go-rows.js';
import type { LocalClock } from './local-clock.js';

/** Places of one pass over a table, 14 bytes each. */
const WINDOW_PLACES = 2_000_000;
/** A wall clock is set back by less. */
const SET_BACK_MS = 3 * 3_600_000;

/** Consecutive rows of both tables in the order of time, as places in them. */
export interface FillingPart {
  /** Every row with a time up to this is in this part or in one before. */
  readonly throughMs: number;
  /** The time of each place, ms. */
  readonly places: Readonly<Record<RecordTable, ReadonlyMap<string, number>>>;
}

/**
 * The order of all rows of tables that have no index by time: places and times alone are sorted there, a window at a
 * time. A row that is written anew while a window is worked off leaves its place: following finds it.
 */
export interface PlacesInOrder {
  /** The next `rows` rows, and those of the last one's millisecond; null: there are no more. */
  next(rows: number): Promise<FillingPart | null>;
}

/** @param afterMs every row up to this is taken; −1: none. */
export function createPlacesInOrder(
  { database, local }: { readonly database: GoDatabase; readonly local: LocalClock },
  afterMs: number,
  windowPlaces = WINDOW_PLACES,
): PlacesInOrder {
  let throughMs = afterMs;
  let window: Window | null = null;

  async function load(table: RecordTable): Promise<PlaceList> {
    const list = new PlaceList();
    const from = table === 'messages' && throughMs >= 0 ? local.localMs(throughMs) - SET_BACK_MS : throughMs;
    await database.readParts<{ ctid: string; ms: string }>(placesInOrder(table), [from, windowPlaces], (rows) => {
      list.listed += rows.length;
      for (const { ctid, ms } of rows) {
        const at = sortMs(table, Number(ms), local);
        if (at > throughMs) list.push(ctid, at);
      }
    });
    return list;
  }

  async function nextWindow(): Promise<Window> {
    const lists = { messages: await load('messages'), verifier_results: await load('verifier_results') };
    const cut = RECORD_TABLES.map((table) => lists[table]).filter((list) => list.listed >= windowPlaces);
    return { lists, endMs: Math.min(...cut.map((list) => list.lastMs)), isLast: cut.length === 0 };
  }

  return {
    async next(rows) {
      for (;;) {
        window ??= await nextWindow();
        const part = takePart(window, rows);
        if (part !== null) {
          throughMs = part.throughMs;
          return part;
        }
        if (window.isLast) return null;
        window = null;
      }
    },
  };
}

/** The time under which a row of a window stands, unix ms. */
export function sortMs(table: RecordTable, ms: number, local: LocalClock): number {
  return table === 'messages' ? Math.max(0, local.firstInstant(ms)) : ms;
}

interface Window {
  readonly lists: Readonly<Record<RecordTable, PlaceList>>;
  /** Rows of later times may be missing; Infinity: none are. */
  readonly endMs: number;
  readonly isLast: boolean;
}

function takePart({ lists, endMs }: Window, rows: number): FillingPart | null {
  const places = { messages: new Map<string, number>(), verifier_results: new Map<string, number>() };
  let throughMs: number | null = null;
  for (let taken = 0; taken < rows; ) {
    const ms = Math.min(lists.messages.nextMs, lists.verifier_results.nextMs);
    if (ms > endMs || ms === Number.POSITIVE_INFINITY) break;
    for (const table of RECORD_TABLES)
      for (const list = lists[table]; list.nextMs === ms; taken += 1) places[table].set(list.take(), ms);
    throughMs = ms;
  }
  return throughMs === null ? null : { throughMs, places };
}

/** Places with their times, in order. */
class PlaceList {
  /** Rows that the statement gave, also those that were taken before. */
  listed = 0;
  #next = 0;
  #length = 0;
  #ms = new Float64Array(1_024);
  #blocks = new Uint32Array(1_024);
  #offsets = new Uint16Array(1_024);

  get nextMs(): number {
    return this.#next < this.#length ? (this.#ms[this.#next] as number) : Number.POSITIVE_INFINITY;
  }

  get lastMs(): number {
    return this.#length === 0 ? Number.NEGATIVE_INFINITY : (this.#ms[this.#length - 1] as number);
  }

  /** @param ctid `(block,offset)` */
  push(ctid: string, ms: number): void {
    if (this.#length === this.#ms.length) this.#grow();
    const comma = ctid.indexOf(',');
    this.#ms[this.#length] = ms;
    this.#blocks[this.#length] = Number(ctid.slice(1, comma));
    this.#offsets[this.#length] = Number(ctid.slice(comma + 1, -1));
    this.#length += 1;
  }

  take(): string {
    const ctid = `(${this.#blocks[this.#next]},${this.#offsets[this.#next]})`;
    this.#next += 1;
    return ctid;
  }

  #grow(): void {
    const length = 2 * this.#length;
    const [ms, blocks, offsets] = [new Float64Array(length), new Uint32Array(length), new Uint16Array(length)];
    ms.set(this.#ms);
    blocks.set(this.#blocks);
    offsets.set(this.#offsets);
    [this.#ms, this.#blocks, this.#offsets] = [ms, blocks, offsets];
  }
}
