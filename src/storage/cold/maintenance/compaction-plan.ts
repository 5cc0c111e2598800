import { type DataFile, dayOfFile } from '../namespace/data-file.js';
import type { TableView } from '../namespace/view.js';

/*
 * The files that a compaction merges. Files stay within their day, the partition other engines know, and only
 * neighbours in time become one, so that time ranges go on excluding files. Of the files of a day that are in the
 * order of time (base):
 *
 * - settled: at least half of `compactBytes`, or of the most rows of a file. Left alone for good, unless superseded
 *   rows make up a fifth of it and overlay files have been written since it was.
 * - a run of 8 neighbours that are not settled becomes one (or more, of equal size), if none of them is larger than
 *   all others together: a row is only written again into a file of at least twice the size, so at most
 *   log2(compactBytes / 1 MiB) times, 7 for 128 MiB. Below 1 MiB that does not hold, and does not matter.
 * - of a day that is over two neighbours suffice, once: nothing will be added between them.
 *
 * Overlay files whose times overlap those of a run are merged into it. Their rows that supersede rows of other files
 * stay overlay; all other rows are base from then on. 8 overlay files of a day that no run takes are merged among
 * themselves.
 */

/** The files that one commit merges. */
export interface CompactionGroup {
  readonly day: string;
  readonly base: readonly DataFile[];
  /** Overlay files with times in this range belong to it; unix ms, both inclusive. */
  readonly fromMs: number;
  readonly toMs: number;
  /** As far as known now; found anew when the group's turn comes. */
  readonly overlays: readonly DataFile[];
}

export interface PlanOptions {
  readonly compactBytes: number;
  /** Merges everything that may become fewer files or rows. */
  readonly full: boolean;
  /** Files that are left alone: those that the same compaction made. */
  readonly without: ReadonlySet<string>;
}

const RUN_FILES = 8;
const RUN_FILES_OF_PAST_DAYS = 2;
const SUPERSEDED_SHARE = 0.2;
/** Files below this part of `compactBytes` may be written again any number of times. */
const TINY_SHARE = 1 / 128;
/** Size of one group at most, in parts of `compactBytes`: the work lost when it is cut off. */
const GROUP_SIZES = 4;
/** Files of one group at most: all of them may be open at once. */
const GROUP_FILES = 256;

/** The index of so many rows takes a megabyte of memory, and its ids are sorted while an event loop may stand still. */
const MAX_FILE_ROWS = 250_000;

/** True for a file that need not become larger. */
export function isSettled({ sizeBytes, rows }: DataFile, compactBytes: number): boolean {
  return sizeBytes >= compactBytes / 2 || rows >= MAX_FILE_ROWS / 2;
}

/** The number of files for the rows of some others, if they all hold. */
export function filesFor(inputs: readonly DataFile[], compactBytes: number): number {
  const rows = inputs.reduce((total, file) => total + file.rows, 0);
  return Math.max(1, Math.ceil(sum(inputs) / compactBytes), Math.ceil(rows / MAX_FILE_ROWS));
}

/** Groups that share no file, oldest day first. */
export function planCompaction(table: TableView, options: PlanOptions): CompactionGroup[] {
  const days = new Map<string, DataFile[]>();
  for (const file of table.files) {
    if (options.without.has(file.uri)) continue;
    const day = dayOfFile(file);
    const files = days.get(day);
    if (files) files.push(file);
    else days.set(day, [file]);
  }
  const names = [...days.keys()].sort();
  const last = names.at(-1);
  return names.flatMap((day) => planDay(table, { day, files: days.get(day) ?? [], isOver: day !== last }, options));
}

/** The overlay files of a table that belong into a group of base files. */
export function overlaysFor(
  { files }: TableView,
  { day, base, fromMs, toMs }: Omit<CompactionGroup, 'overlays'>,
  options: Pick<PlanOptions, 'full'>,
): DataFile[] {
  const baseBytes = sum(base);
  const found = files.filter(
    (file) =>
      file.overlay &&
      dayOfFile(file) === day &&
      file.minMs <= toMs &&
      file.maxMs >= fromMs &&
      // a small run must not carry a large overlay along again and again
      (options.full || file.sizeBytes <= baseBytes),
  );
  return found.slice(0, GROUP_FILES);
}

interface Day {
  readonly day: string;
  readonly files: readonly DataFile[];
  readonly isOver: boolean;
}

function planDay(table: TableView, { day, files, isOver }: Day, options: PlanOptions): CompactionGroup[] {
  const base = files.filter(({ overlay }) => !overlay).sort(inOrderOf(table));
  const overlays = files.filter(({ overlay }) => overlay);
  const runs = options.full ? [base] : chosenRuns(table, base, isOver, options);
  const groups: CompactionGroup[] = [];
  const taken = new Set<string>();
  for (const run of runs) {
    const parts = chunks(run, options.compactBytes * GROUP_SIZES);
    for (const [place, part] of parts.entries()) {
      const group = { day, base: part, ...rangeOf(parts, place, options) };
      const with_ = overlaysFor(table, group, options).filter(({ uri }) => !taken.has(uri));
      if (!isWorthIt(table, part, with_, options)) continue;
      for (const { uri } of with_) taken.add(uri);
      groups.push({ ...group, overlays: with_ });
    }
  }
  const left = overlays.filter(({ uri }) => !taken.has(uri));
  const isMany = options.full ? left.length > 0 : isRun(left, RUN_FILES, options);
  if (isMany)
    groups.push(...chunks(left.sort(inOrderOf(table)), options.compactBytes * GROUP_SIZES).map(overlayGroup(day)));
  return groups;
}

const overlayGroup = (day: string) => (overlays: readonly DataFile[]) => ({
  ...{ day, base: [], overlays },
  fromMs: Number.NEGATIVE_INFINITY,
  toMs: Number.POSITIVE_INFINITY,
});

/** The times of a part; when all is merged, also the times between and around the parts. */
function rangeOf(parts: readonly (readonly DataFile[])[], place: number, { full }: PlanOptions) {
  const part = parts[place] ?? [];
  if (!full)
    return { fromMs: Math.min(...part.map(({ minMs }) => minMs)), toMs: Math.max(...part.map(({ maxMs }) => maxMs)) };
  return {
    fromMs: place === 0 ? Number.NEGATIVE_INFINITY : (part[0]?.minMs ?? 0),
    toMs: parts[place + 1]?.[0]?.minMs ?? Number.POSITIVE_INFINITY,
  };
}

/** Neighbours that are to be merged, in time. */
function chosenRuns(
  table: TableView,
  base: readonly DataFile[],
  isOver: boolean,
  options: PlanOptions,
): readonly DataFile[][] {
  const chosen = new Set<DataFile>();
  let run: DataFile[] = [];
  const end = () => {
    for (const part of worthyParts(run, isOver ? RUN_FILES_OF_PAST_DAYS : RUN_FILES, isOver, options))
      for (const file of part) chosen.add(file);
    run = [];
  };
  for (const file of base)
    if (isSettled(file, options.compactBytes)) end();
    else run.push(file);
  end();
  for (const file of base) if (isSuperseded(table, file)) chosen.add(file);
  return neighbours(base, chosen);
}

/** The parts of a run in which no file is larger than all others together; the largest one divides it. */
function worthyParts(run: readonly DataFile[], least: number, isOver: boolean, options: PlanOptions): DataFile[][] {
  if (run.length < least) return [];
  if (isOver || isRun(run, least, options)) return [[...run]];
  let largest = 0;
  for (const [place, { sizeBytes }] of run.entries()) if (sizeBytes > (run[largest]?.sizeBytes ?? 0)) largest = place;
  return [
    ...worthyParts(run.slice(0, largest), least, isOver, options),
    ...worthyParts(run.slice(largest + 1), least, isOver, options),
  ];
}

function isRun(files: readonly DataFile[], least: number, { compactBytes }: PlanOptions): boolean {
  const largest = Math.max(0, ...files.map(({ sizeBytes }) => sizeBytes));
  return files.length >= least && (largest <= sum(files) / 2 || largest <= compactBytes * TINY_SHARE);
}

function isSuperseded({ files, overlay }: TableView, { minMs, maxMs, rows, writtenMs, add }: DataFile): boolean {
  if (overlay.pointsIn(minMs, maxMs) < rows * SUPERSEDED_SHARE) return false;
  // it has taken the overlay files of the time when it was written
  const day = add.partitionValues['day'];
  return files.some(
    (file) =>
      file.overlay &&
      file.writtenMs > writtenMs &&
      file.minMs <= maxMs &&
      file.maxMs >= minMs &&
      file.add.partitionValues['day'] === day,
  );
}

function neighbours(base: readonly DataFile[], chosen: ReadonlySet<DataFile>): DataFile[][] {
  const runs: DataFile[][] = [];
  let goesOn = false;
  for (const file of base) {
    if (!chosen.has(file)) goesOn = false;
    else if (goesOn) runs.at(-1)?.push(file);
    else {
      runs.push([file]);
      goesOn = true;
    }
  }
  return runs;
}

/** Parts of at most so many bytes and `GROUP_FILES` files. */
function chunks(run: readonly DataFile[], mostBytes: number): DataFile[][] {
  const parts: DataFile[][] = [];
  let bytes = 0;
  for (const file of run) {
    const part = parts.at(-1);
    if (part && bytes + file.sizeBytes <= mostBytes && part.length < GROUP_FILES) {
      part.push(file);
      bytes += file.sizeBytes;
    } else {
      parts.push([file]);
      bytes = file.sizeBytes;
    }
  }
  return parts;
}

/** False for files that would come out as they are. */
function isWorthIt(
  { overlay }: TableView,
  base: readonly DataFile[],
  overlays: readonly DataFile[],
  { compactBytes }: PlanOptions,
): boolean {
  if (overlays.length > 0 || base.some(({ minMs, maxMs }) => overlay.touches(minMs, maxMs))) return true;
  return base.length > filesFor(base, compactBytes);
}

/** The ledger's rows are in the order of their positions; cursors have no time. */
function inOrderOf({ table }: TableView): (a: DataFile, b: DataFile) => number {
  const byPosition = (a: DataFile, b: DataFile) =>
    a.minPosition < b.minPosition ? -1 : a.minPosition > b.minPosition ? 1 : 0;
  return table === 'ledger' ? byPosition : (a, b) => a.minMs - b.minMs || a.maxMs - b.maxMs || byPosition(a, b);
}

function sum(files: readonly DataFile[]): number {
  return files.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
}
