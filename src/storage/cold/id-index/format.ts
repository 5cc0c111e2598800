import { viewOf } from '../parquet/data-view.js';
import { IdIndexFormatError } from './id-index-format-error.js';
import { groupTableBytes } from './row-group-table.js';

/*
 * Which row groups of a data file hold a message id or a term, and where those lie. One object beside each file, so
 * that a lookup touches no other file: its head (row groups, the filter and the first hash of each page) stays in
 * memory and mostly says "not here"; else one page of 4 KB is read, and then the row group. All numbers are little-
 * endian:
 *
 *   head  "CCVIDX1\n" · u32 bytes of the head · u32 entries · u32 pages · u32 filter seed · u32 filter slots
 *         · u32 row groups + 2^20 × columns (0: without a table) · the table of row groups, see `row-group-table.ts`
 *           (+ 2^31: with values) · pages × (u32 high, u32 low: the hash of the page's first entry) · slots × u16
 *         · with values: slots × u16 · padding to 4 · u32 CRC-32 of all that
 *   page  up to 340 entries × (u32 high, u32 low: the hash of the id; u32 row group), ascending
 *         · u32 CRC-32 of all that
 *
 * About 14.5 bytes a record, and 150 a row group. Values say the row group of an id that lies in one only, for 2.5
 * bytes a record more: indexes that are too large to be kept whole have them, and then a lookup mostly needs no page.
 */
const MAGIC = Buffer.from('CCVIDX1\n', 'latin1');
/** The part of a head before the table of row groups. */
export const FIXED_BYTES = 32;
/** Behind a head, and behind each page. */
export const CRC_BYTES = 4;
export const ENTRY_BYTES = 12;
export const PAGE_ENTRIES = 340;
/** A full page: all but the last. */
export const PAGE_BYTES = PAGE_ENTRIES * ENTRY_BYTES + CRC_BYTES;
/** A file of so many row groups or more has an index without a table of them. */
export const MAX_GROUPS = 2 ** 20;
const MAX_COLUMNS = 2 ** 11;

/** The numbers that a head begins with. */
export interface HeadFigures {
  readonly entries: number;
  readonly pages: number;
  readonly seed: number;
  readonly slots: number;
  readonly groups: number;
  readonly columns: number;
  readonly hasValues: boolean;
}

/** The places in a head: the first hashes of the pages, the slots of the filter behind them, its end. */
export interface HeadLayout {
  readonly firstsAt: number;
  readonly slotsAt: number;
  readonly headBytes: number;
}

export function headLayout({ pages, slots, groups, columns, hasValues }: HeadFigures): HeadLayout {
  const firstsAt = FIXED_BYTES + groupTableBytes(groups, columns);
  const slotsAt = firstsAt + pages * 8;
  const slotBytes = Math.ceil((slots * (hasValues ? 2 : 1)) / 2) * 4;
  return { firstsAt, slotsAt, headBytes: slotsAt + slotBytes + CRC_BYTES };
}

/** Writes the fixed part of a head; `head` is all of it, and no more. */
export function writeFigures(head: Uint8Array, figures: HeadFigures): void {
  const { entries, pages, seed, slots, groups, columns, hasValues } = figures;
  head.set(MAGIC);
  const view = viewOf(head);
  const shape = ((hasValues ? MAX_COLUMNS : 0) + columns) * MAX_GROUPS + groups;
  for (const [index, value] of [head.length, entries, pages, seed, slots, shape].entries())
    view.setUint32(MAGIC.length + index * 4, value, true);
}

/**
 * Reads them, from at least the fixed part of a head.
 * @throws IdIndexFormatError when they are no figures of an index.
 */
export function readFigures(bytes: Uint8Array): HeadFigures {
  if (bytes.length < FIXED_BYTES || MAGIC.compare(bytes, 0, MAGIC.length) !== 0)
    throw new IdIndexFormatError('it does not begin as one');
  const view = viewOf(bytes);
  const field = (index: number) => view.getUint32(MAGIC.length + index * 4, true);
  const [groups, shape] = [field(5) % MAX_GROUPS, Math.floor(field(5) / MAX_GROUPS)];
  const figures: HeadFigures = {
    entries: field(1),
    pages: field(2),
    seed: field(3),
    slots: field(4),
    groups,
    columns: shape % MAX_COLUMNS,
    hasValues: shape >= MAX_COLUMNS,
  };
  if (field(0) !== headLayout(figures).headBytes || figures.pages !== Math.ceil(figures.entries / PAGE_ENTRIES))
    throw new IdIndexFormatError('its figures disagree');
  return figures;
}
