import { crc32 } from 'node:zlib';
import type { ByteRange } from '../object-store/object-store.js';
import { type ColumnSpec, firstColumns } from '../parquet/columns.js';
import { viewOf } from '../parquet/data-view.js';
import type { ParquetFooter } from '../parquet/footer.js';
import { type Entries, SEVERAL_GROUPS } from './entries.js';
import { CRC_BYTES, ENTRY_BYTES, FIXED_BYTES, headLayout, PAGE_BYTES, PAGE_ENTRIES, readFigures } from './format.js';
import { compareHashes, hashId, type IdHash } from './hash.js';
import { IdIndexFormatError } from './id-index-format-error.js';
import { groupTableFooter } from './row-group-table.js';
import { filterContains, filterValue, type XorFilter } from './xor-filter.js';

/** The head of an index: the part that stays in memory. */
export interface IdIndexHead {
  readonly entries: number;
  /** About how much memory this takes. */
  readonly memoryBytes: number;
  /** False when the id is certainly not in the file; wrongly true for one id in 65 536. */
  mayContain(hash: IdHash): boolean;
  /** The only row group that may hold an id which the head may contain; null when its page says that. */
  groupOf(hash: IdHash): number | null;
  /** The place of a hash's entries: nearly always one page of 4 KB. Null without entries. */
  pageRange(hash: IdHash): ByteRange | null;
  /** The places of the row groups of a file of a table with these columns; null when only its own footer has them. */
  footer(columns: readonly ColumnSpec[]): ParquetFooter | null;
}

/**
 * Parses the beginning of an index; `bytes` may go on after the head and is not kept.
 * @throws IdIndexFormatError
 */
export function parseIdIndexHead(bytes: Uint8Array): IdIndexHead {
  const figures = readFigures(bytes);
  const { firstsAt, slotsAt, headBytes } = headLayout(figures);
  if (headBytes > bytes.length) throw new IdIndexFormatError('its head is cut off');
  const view = viewOf(bytes);
  if (view.getUint32(headBytes - CRC_BYTES, true) !== crc32(bytes.subarray(0, headBytes - CRC_BYTES)))
    throw new IdIndexFormatError('its head is damaged');
  const { entries, pages, seed, slots, groups, columns, hasValues } = figures;
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
    const own = [columns, firstColumns(columns)].find(({ length }) => length === this.#columns);
    if (this.#groups === 0 || own === undefined) return null;
    this.#footer ??= groupTableFooter(this.#table, this.#groups, own);
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

  /** The number of pages that begin with a hash which compares with `hash` below `bound`. */
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
 * The row groups that may hold an id or a term, ascending: none without a request when the filter says so, else by one
 * request at most.
 * @throws IdIndexFormatError, and the errors of `fetch`.
 */
export async function findRowGroups(
  head: IdIndexHead,
  id: string,
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

/** All entries of an index. @throws IdIndexFormatError */
export function readEntries(bytes: Uint8Array): Entries {
  const { headBytes } = headLayout(readFigures(bytes));
  const { entries: count } = parseIdIndexHead(bytes);
  const all = { high: new Uint32Array(count), low: new Uint32Array(count), rowGroup: new Uint32Array(count) };
  let entry = 0;
  for (let start = headBytes; start < bytes.length; start += PAGE_BYTES) {
    const { view, length } = checkedPage(bytes.subarray(start, start + PAGE_BYTES));
    for (let at = 0; at < length; at += ENTRY_BYTES, entry += 1) {
      all.high[entry] = view.getUint32(at, true);
      all.low[entry] = view.getUint32(at + 4, true);
      all.rowGroup[entry] = view.getUint32(at + 8, true);
    }
  }
  if (entry !== count) throw new IdIndexFormatError(`it has ${entry} entries, and ${count} by its head`);
  return all;
}

function collect(page: Uint8Array, hash: IdHash, found: number[]): void {
  const { view, length } = checkedPage(page);
  for (let at = 0; at < length; at += ENTRY_BYTES)
    if (view.getUint32(at, true) === hash.high && view.getUint32(at + 4, true) === hash.low)
      found.push(view.getUint32(at + 8, true));
}

/** A page, and the bytes of its entries. */
function checkedPage(page: Uint8Array): { readonly view: DataView; readonly length: number } {
  const view = viewOf(page);
  const length = page.length - CRC_BYTES;
  if (length < 0 || length % ENTRY_BYTES !== 0 || view.getUint32(length, true) !== crc32(page.subarray(0, length)))
    throw new IdIndexFormatError('a page is damaged');
  return { view, length };
}
