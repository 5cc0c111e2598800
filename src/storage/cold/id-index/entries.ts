import type { Steps } from '../parquet/steps.js';
import type { FilterKeys } from './xor-filter.js';

/** More than a file of 128 MiB has; see `sortedOnce`. */
export const MAX_ENTRIES = 2 ** 21;
/** Entries that are worked on without a pause. */
const STEP_ENTRIES = 32_768;

/** Entries by column. */
export interface Entries<Column = Uint32Array> {
  readonly high: Column;
  readonly low: Column;
  readonly rowGroup: Column;
}

/** Ascending, each entry once. */
export function* sortedOnce(entries: Entries<number[]>): Steps<Entries> {
  const count = entries.high.length;
  // by the high half, exact beside the entry's place (53 bits)
  const keys = new Float64Array(count);
  for (let place = 0; place < count; place++) keys[place] = (entries.high[place] ?? 0) * MAX_ENTRIES + place;
  yield;
  keys.sort();
  yield;
  const sorted = { high: new Uint32Array(count), low: new Uint32Array(count), rowGroup: new Uint32Array(count) };
  let end = 0;
  for (let index = 0; index < count; index++) {
    const place = (keys[index] ?? 0) % MAX_ENTRIES;
    end = insert(sorted, end, entries.high[place] ?? 0, entries.low[place] ?? 0, entries.rowGroup[place] ?? 0);
    if (index % STEP_ENTRIES === STEP_ENTRIES - 1) yield;
  }
  return {
    high: sorted.high.subarray(0, end),
    low: sorted.low.subarray(0, end),
    rowGroup: sorted.rowGroup.subarray(0, end),
  };
}

/** Puts an entry whose high half is the largest so far in its place, unless it is there. Returns the new end. */
function insert({ high, low, rowGroup }: Entries, end: number, h: number, l: number, group: number): number {
  let at = end;
  for (; at > 0 && high[at - 1] === h; at--) {
    const order = (low[at - 1] ?? 0) - l || (rowGroup[at - 1] ?? 0) - group;
    if (order === 0) return end;
    if (order < 0) break;
  }
  if (at < end) for (const column of [low, rowGroup]) column.copyWithin(at + 1, at, end);
  high[end] = h;
  low[at] = l;
  rowGroup[at] = group;
  return end + 1;
}

/** The value of an id that lies in several row groups. */
export const SEVERAL_GROUPS = 0xffff;

/** The hashes of sorted entries, each once; `withGroups`: given the row group that each lies in. */
export function uniqueHashes({ high, low, rowGroup }: Entries, withGroups: boolean): FilterKeys {
  const [highs, lows] = [new Uint32Array(high.length), new Uint32Array(high.length)];
  const values = withGroups ? new Uint16Array(high.length) : null;
  let count = 0;
  for (let place = 0; place < high.length; place++) {
    if (place > 0 && high[place] === high[place - 1] && low[place] === low[place - 1]) {
      if (values) values[count - 1] = SEVERAL_GROUPS;
      continue;
    }
    highs[count] = high[place] ?? 0;
    lows[count] = low[place] ?? 0;
    if (values) values[count] = Math.min(rowGroup[place] ?? 0, SEVERAL_GROUPS);
    count += 1;
  }
  return { high: highs.subarray(0, count), low: lows.subarray(0, count), values: values?.subarray(0, count) ?? null };
}
