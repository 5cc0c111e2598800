import { crc32 } from 'node:zlib';
import { InvalidArgumentError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import { type Entries, MAX_ENTRIES, SEVERAL_GROUPS, sortedOnce, uniqueHashes } from './id-index-entries.js';
import { IdIndexFormatError } from './id-index-errors.js';
import { buildingXorFilter, filterContains, filterValue, type XorFilter } from './id-index-filter.js';
import { groupTableBytes, groupTableFooter, writeGroupTable } from './id-index-groups.js';
import { compareHashes, hashId, type IdHash } from './id-index-hash.js';
import { atOnce, type Steps } from './in-turns.js';
import type { ByteRange } from './object-store.js';
import type { ColumnSpec } from './parquet-columns.js';
import type { EncodedGroup } from './parquet-encoder.js';
import type { ParquetFooter } from './parquet-footer.js';

/*
 * Which row groups of a data file hold a message id, and where those lie. One object beside each file, so that a lookup
 * touches no other file: its head (row groups, the filter and the first hash of each page) stays in memory and mostly says
 * "not here"; else one page of 4 KB is read, and then the row group. All numbers are little-endian:
 *
 *   head  "CCVIDX1\n" · u32 bytes of the head · u32 entries · u32 pages · u32 filter seed · u32 filter slots
 *         · u32 row groups + 2^20 × columns (0: without a table) · the table of row groups, see `id-index-groups.ts`
 *           (+ 2^31: with values) · pages × (u32 high, u32 low: the hash of the page's first entry) · slots × u16
 *         · with values: slots × u16 · padding to 4 · u32 CRC-32 of all that
 *   page  up to 340 entries × (u32 high, u32 low: the hash of the id; u32 row group), ascending · u32 CRC-32 of all that
 *
 * About 14.5 bytes a record, and 150 a row group. Values say the row group of an id that lies in one only, for 2.5 bytes a
 * record more: indexes that are too large to be kept whole have them, and then a lookup mostly needs no page.
 */
const MAGIC = Buffer.from('CCVIDX1\n', 'latin1');
const FIXED_BYTES = 32;
const CRC_BYTES = 4;
const ENTRY_BYTES = 12;
const PAGE_ENTRIES = 340;
const PAGE_BYTES = PAGE_ENTRIES * ENTRY_BYTES + CRC_BYTES;
const MAX_GROUPS = 2 ** 20;
const MAX_COLUMNS = 2 ** 11;
/** An index of fewer is kept whole by whoever reads it: 512 KB. */
const VALUES_FROM_ENTRIES = 30_000;

/** An index as it is stored. */
export interface EncodedIdIndex {
  readonly bytes: Uint8Array;
  /** How much of its beginning `parseIdIndexHead` needs. */
  readonly headBytes: number;
}

/** The head of an index: what stays in memory. */
export interface IdIndexHead {
  readonly entries: number;
  /** About how much memory this takes. */
  readonly memoryBytes: number;
  /** False when the id is certainly not in the file; wrongly true for one in 65 536. */
  mayContain(hash: IdHash): boolean;
  /** The only row group that may hold an id which the head may contain; null when its page says that. */
  groupOf(hash: IdHash): number | null;
  /** Where the entries of a hash lie, if there are any: nearly always one page of 4 KB. Null when there are none. */
  pageRange(hash: IdHash): ByteRange | null;
  /** Where the row groups of a file with these columns lie; null when the index does not say, and its footer does. */
  footer(columns: readonly ColumnSpec[]): ParquetFooter | null;
}

/** Collects the entries of one file and makes its index. */
export interface IdIndexBuilder {
  /** Says that a row group holds an id. Once or more for each pair, in any order. */
  add(id: Hex, rowGroup: number): void;
  /** `groups`: the row groups of the file, when the index is to tell where they lie. */
  finish(groups?: readonly EncodedGroup[]): EncodedIdIndex;
  /** The same in steps. */
  finishing(groups?: readonly EncodedGroup[]): Steps<EncodedIdIndex>;
}

export function createIdIndexBuilder(): IdIndexBuilder {
  // columns of numbers: a large file has 200 000 entries, and objects for them cost more than all the rest
  const entries: Entries<number[]> = { high: [], low: [], rowGroup: [] };
  let last: { readonly id: Hex; readonly rowGroup: number } | undefined;
  return {
    add(id, rowGroup) {
      if (!Number.isInteger(rowGroup) || rowGroup < 0 || rowGroup > 0xffff_ffff)
        throw new InvalidArgumentError(`${rowGroup} is not the number of a row group`);
      // the results of one message mostly follow each other
      if (last?.id === id && last.rowGroup === rowGroup) return;
      if (entries.high.length === MAX_ENTRIES)
        throw new InvalidArgumentError(`an index takes ${MAX_ENTRIES} entries at most`);
      last = { id, rowGroup };
      const { high, low } = hashId(id);
      entries.high.push(high);
      entries.low.push(low);
      entries.rowGroup.push(rowGroup);
    },
    finish: (groups = []) => atOnce(encode(entries, groups)),
    finishing: (groups = []) => encode(entries, groups),
  };
}

function* encode(unsorted: Entries<number[]>, groups: readonly EncodedGroup[]): Steps<EncodedIdIndex> {
  const entries = yield* sortedOnce(unsorted);
  const isLarge = groups.length > 0 && entries.high.length >= VALUES_FROM_ENTRIES;
  const filter = yield* buildingXorFilter(uniqueHashes(entries, isLarge));
  const columns = groups[0]?.chunks.length ?? 0;
  // one that does not fit leads to the footer, as one of another schema
  const table = groups.length < MAX_GROUPS ? groups : [];
  const pages = Math.ceil(entries.high.length / PAGE_ENTRIES);
  const figures = {
    entries: entries.high.length,
    pages,
    seed: filter.seed,
    slots: filter.slots.length,
    groups: table.length,
    columns: table.length > 0 ? columns : 0,
    hasValues: filter.values !== null,
  };
  const headBytes = headLength(figures);
  const bytes = new Uint8Array(headBytes + figures.entries * ENTRY_BYTES + pages * CRC_BYTES);
  yield;
  writeHead(bytes.subarray(0, headBytes), figures, { entries, filter, table });
  for (let page = 0; page < pages; page++) {
    writePage(bytes.subarray(headBytes + page * PAGE_BYTES), entries, page * PAGE_ENTRIES);
    if (page % 64 === 63) yield;
  }
  return { bytes, headBytes };
}

/** The numbers that a head begins with. */
interface Figures {
  readonly entries: number;
  readonly pages: number;
  readonly seed: number;
  readonly slots: number;
  readonly groups: number;
  readonly columns: number;
  readonly hasValues: boolean;
}

function headLength({ pages, slots, groups, columns, hasValues }: Figures): number {
  const slotBytes = Math.ceil((slots * (hasValues ? 2 : 1)) / 2) * 4;
  return FIXED_BYTES + groupTableBytes(groups, columns) + pages * 8 + slotBytes + CRC_BYTES;
}

function writeHead(
  head: Uint8Array,
  figures: Figures,
  { entries, filter, table }: { entries: Entries; filter: XorFilter; table: readonly EncodedGroup[] },
): void {
  const view = viewOf(head);
  head.set(MAGIC);
  const { pages, seed, slots, groups, columns, hasValues } = figures;
  const layout = ((hasValues ? MAX_COLUMNS : 0) + columns) * MAX_GROUPS + groups;
  const fields = [head.length, figures.entries, pages, seed, slots, layout];
  for (const [index, value] of fields.entries()) view.setUint32(MAGIC.length + index * 4, value, true);
  const firstsAt = FIXED_BYTES + groupTableBytes(groups, columns);
  writeGroupTable(head.subarray(FIXED_BYTES, firstsAt), table);
  for (let page = 0; page < pages; page++) {
    view.setUint32(firstsAt + page * 8, entries.high[page * PAGE_ENTRIES] ?? 0, true);
    view.setUint32(firstsAt + page * 8 + 4, entries.low[page * PAGE_ENTRIES] ?? 0, true);
  }
  const slotsAt = firstsAt + pages * 8;
  for (const [part, values] of [filter.slots, filter.values ?? []].entries())
    for (let slot = 0; slot < values.length; slot++)
      view.setUint16(slotsAt + (part * slots + slot) * 2, values[slot] ?? 0, true);
  view.setUint32(head.length - CRC_BYTES, crc32(head.subarray(0, head.length - CRC_BYTES)), true);
}

/** The entries from `first` on, as many as a page takes. */
function writePage(page: Uint8Array, entries: Entries, first: number): void {
  const view = viewOf(page);
  const count = Math.min(PAGE_ENTRIES, entries.high.length - first);
  for (let index = 0; index < count; index++) {
    view.setUint32(index * ENTRY_BYTES, entries.high[first + index] ?? 0, true);
    view.setUint32(index * ENTRY_BYTES + 4, entries.low[first + index] ?? 0, true);
    view.setUint32(index * ENTRY_BYTES + 8, entries.rowGroup[first + index] ?? 0, true);
  }
  const length = count * ENTRY_BYTES;
  view.setUint32(length, crc32(page.subarray(0, length)), true);
}

/**
 * Parses the beginning of an index; `bytes` may go on after the head and is not kept.
 * @throws IdIndexFormatError
 */
export function parseIdIndexHead(bytes: Uint8Array): IdIndexHead {
  const view = viewOf(bytes);
  if (bytes.length < FIXED_BYTES || MAGIC.compare(bytes, 0, MAGIC.length) !== 0)
    throw new IdIndexFormatError('it does not begin as one');
  const field = (index: number) => view.getUint32(MAGIC.length + index * 4, true);
  const headBytes = field(0);
  const [groups, layout] = [field(5) % MAX_GROUPS, Math.floor(field(5) / MAX_GROUPS)];
  const [columns, hasValues] = [layout % MAX_COLUMNS, layout >= MAX_COLUMNS];
  const figures = { entries: field(1), pages: field(2), seed: field(3), slots: field(4), groups, columns, hasValues };
  const { entries, pages, seed, slots } = figures;
  if (headBytes !== headLength(figures) || pages !== Math.ceil(entries / PAGE_ENTRIES))
    throw new IdIndexFormatError('its figures disagree');
  if (headBytes > bytes.length) throw new IdIndexFormatError('its head is cut off');
  if (view.getUint32(headBytes - CRC_BYTES, true) !== crc32(bytes.subarray(0, headBytes - CRC_BYTES)))
    throw new IdIndexFormatError('its head is damaged');
  const firstsAt = FIXED_BYTES + groupTableBytes(groups, columns);
  const slotsAt = firstsAt + pages * 8;
  return new Head(
    { headBytes, entries, groups, columns },
    Uint32Array.from({ length: pages * 2 }, (_, index) => view.getUint32(firstsAt + index * 4, true)),
    {
      seed,
      slots: Uint16Array.from({ length: slots }, (_, slot) => view.getUint16(slotsAt + slot * 2, true)),
      values: hasValues
        ? Uint16Array.from({ length: slots }, (_, slot) => view.getUint16(slotsAt + (slots + slot) * 2, true))
        : null,
    },
    bytes.slice(FIXED_BYTES, firstsAt),
  );
}

class Head implements IdIndexHead {
  readonly entries: number;
  readonly #headBytes: number;
  /** High and low half of the first hash of each page. */
  readonly #firsts: Uint32Array;
  readonly #filter: XorFilter;
  readonly #groups: number;
  readonly #columns: number;
  readonly #table: Uint8Array;
  #footer: ParquetFooter | null = null;

  constructor(
    figures: { headBytes: number; entries: number; groups: number; columns: number },
    firsts: Uint32Array,
    filter: XorFilter,
    table: Uint8Array,
  ) {
    this.entries = figures.entries;
    this.#headBytes = figures.headBytes;
    this.#groups = figures.groups;
    this.#columns = figures.columns;
    this.#firsts = firsts;
    this.#filter = filter;
    this.#table = table;
  }

  get memoryBytes(): number {
    const { slots, values } = this.#filter;
    return this.#firsts.byteLength + slots.byteLength + (values?.byteLength ?? 0) + this.#table.byteLength + 2048;
  }

  footer(columns: readonly ColumnSpec[]): ParquetFooter | null {
    if (this.#groups === 0 || this.#columns !== columns.length) return null;
    this.#footer ??= groupTableFooter(this.#table, this.#groups, columns);
    return this.#footer;
  }

  mayContain(hash: IdHash): boolean {
    return filterContains(this.#filter, hash);
  }

  groupOf(hash: IdHash): number | null {
    const group = filterValue(this.#filter, hash);
    return group === null || group === SEVERAL_GROUPS || group >= this.#groups ? null : group;
  }

  pageRange(hash: IdHash): ByteRange | null {
    // entries of one hash may begin at the end of the page before the first that begins with it
    const first = Math.max(0, this.#pagesBefore(hash, 0) - 1);
    const end = this.#pagesBefore(hash, 1);
    if (end === 0) return null;
    const lastEntry = Math.min(this.entries, end * PAGE_ENTRIES);
    return {
      start: this.#headBytes + first * PAGE_BYTES,
      endExclusive: this.#headBytes + lastEntry * ENTRY_BYTES + end * CRC_BYTES,
    };
  }

  /** How many pages begin with a hash that compares with `hash` below `bound`. */
  #pagesBefore(hash: IdHash, bound: number): number {
    let low = 0;
    let high = this.#firsts.length / 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = { high: this.#firsts[middle * 2] ?? 0, low: this.#firsts[middle * 2 + 1] ?? 0 };
      if (Math.sign(compareHashes(first, hash)) < bound) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * The row groups that may hold an id, ascending: none without a request when the filter says so, else by one request at
 * most.
 * @throws IdIndexFormatError, and what `fetch` throws.
 */
export async function findRowGroups(
  head: IdIndexHead,
  id: Hex,
  fetch: (range: ByteRange) => Promise<Uint8Array>,
): Promise<number[]> {
  const hash = hashId(id);
  if (!head.mayContain(hash)) return [];
  const known = head.groupOf(hash);
  if (known !== null) return [known];
  const range = head.pageRange(hash);
  if (!range) return [];
  const bytes = await fetch(range);
  if (bytes.length !== range.endExclusive - range.start) throw new IdIndexFormatError('a page is cut off');
  const found: number[] = [];
  for (let start = 0; start < bytes.length; start += PAGE_BYTES)
    collect(bytes.subarray(start, start + PAGE_BYTES), hash, found);
  return found;
}

function collect(page: Uint8Array, hash: IdHash, found: number[]): void {
  const view = viewOf(page);
  const length = page.length - CRC_BYTES;
  if (length % ENTRY_BYTES !== 0 || view.getUint32(length, true) !== crc32(page.subarray(0, length)))
    throw new IdIndexFormatError('a page is damaged');
  for (let at = 0; at < length; at += ENTRY_BYTES)
    if (view.getUint32(at, true) === hash.high && view.getUint32(at + 4, true) === hash.low)
      found.push(view.getUint32(at + 8, true));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
