import { crc32 } from 'node:zlib';
import { InvalidArgumentError } from '../../../core/errors.js';
import { viewOf } from '../parquet/data-view.js';
import type { EncodedGroup } from '../parquet/file-writer.js';
import type { Steps } from '../parquet/steps.js';
import { type Entries, MAX_ENTRIES, sortedOnce, uniqueHashes } from './entries.js';
import {
  CRC_BYTES,
  ENTRY_BYTES,
  FIXED_BYTES,
  type HeadFigures,
  headLayout,
  MAX_GROUPS,
  PAGE_BYTES,
  PAGE_ENTRIES,
  writeFigures,
} from './format.js';
import { hashId } from './hash.js';
import { writeGroupTable } from './row-group-table.js';
import { buildingXorFilter, type XorFilter } from './xor-filter.js';

/** A reader keeps an index of fewer entries whole: 512 KB. */
const VALUES_FROM_ENTRIES = 30_000;

/** An index as it is stored. */
export interface EncodedIdIndex {
  readonly bytes: Uint8Array;
  /** The part of its beginning that `parseIdIndexHead` needs. */
  readonly headBytes: number;
}

/** Collects the entries of one file and makes its index. */
export interface IdIndexBuilder {
  /** Says that a row group holds an id or a term. Once or more for each pair, in any order. */
  add(id: string, rowGroup: number): void;
  /** Takes the entries of the index of another file, whose first row group is `firstGroup` here. */
  addAll(stored: Entries, firstGroup: number): void;
  readonly entries: number;
  /** `groups`: the row groups of the file, when the index is to tell where they lie. */
  finishing(groups?: readonly EncodedGroup[]): Steps<EncodedIdIndex>;
}

export function createIdIndexBuilder(): IdIndexBuilder {
  // columns of numbers: objects for the 200 000 entries of a large file cost more than all the rest
  const entries: Entries<number[]> = { high: [], low: [], rowGroup: [] };
  let last: { readonly id: string; readonly rowGroup: number } | undefined;
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
    addAll({ high, low, rowGroup }, firstGroup) {
      for (let entry = 0; entry < high.length; entry++) {
        entries.high.push(high[entry] ?? 0);
        entries.low.push(low[entry] ?? 0);
        entries.rowGroup.push((rowGroup[entry] ?? 0) + firstGroup);
      }
    },
    get entries() {
      return entries.high.length;
    },
    finishing: (groups = []) => encode(entries, groups),
  };
}

function* encode(unsorted: Entries<number[]>, groups: readonly EncodedGroup[]): Steps<EncodedIdIndex> {
  const entries = yield* sortedOnce(unsorted);
  const isLarge = groups.length > 0 && entries.high.length >= VALUES_FROM_ENTRIES;
  const filter = yield* buildingXorFilter(uniqueHashes(entries, isLarge));
  const columns = groups[0]?.chunks.length ?? 0;
  // a table that does not fit leads to the footer, as one of another schema does
  const table = groups.length < MAX_GROUPS ? groups : [];
  const pages = Math.ceil(entries.high.length / PAGE_ENTRIES);
  const figures: HeadFigures = {
    entries: entries.high.length,
    pages,
    seed: filter.seed,
    slots: filter.slots.length,
    groups: table.length,
    columns: table.length > 0 ? columns : 0,
    hasValues: filter.values !== null,
  };
  const { headBytes } = headLayout(figures);
  const bytes = new Uint8Array(headBytes + figures.entries * ENTRY_BYTES + pages * CRC_BYTES);
  yield;
  writeHead(bytes.subarray(0, headBytes), figures, { entries, filter, table });
  for (let page = 0; page < pages; page++) {
    writePage(bytes.subarray(headBytes + page * PAGE_BYTES), entries, page * PAGE_ENTRIES);
    if (page % 64 === 63) yield;
  }
  return { bytes, headBytes };
}

function writeHead(
  head: Uint8Array,
  figures: HeadFigures,
  { entries, filter, table }: { entries: Entries; filter: XorFilter; table: readonly EncodedGroup[] },
): void {
  writeFigures(head, figures);
  const view = viewOf(head);
  const { firstsAt, slotsAt } = headLayout(figures);
  writeGroupTable(head.subarray(FIXED_BYTES, firstsAt), table);
  for (let page = 0; page < figures.pages; page++) {
    view.setUint32(firstsAt + page * 8, entries.high[page * PAGE_ENTRIES] ?? 0, true);
    view.setUint32(firstsAt + page * 8 + 4, entries.low[page * PAGE_ENTRIES] ?? 0, true);
  }
  for (const [part, values] of [filter.slots, filter.values ?? []].entries())
    for (let slot = 0; slot < values.length; slot++)
      view.setUint16(slotsAt + (part * figures.slots + slot) * 2, values[slot] ?? 0, true);
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
