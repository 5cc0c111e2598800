import { type DataFile, dayOfFile } from '../namespace/data-file.js';
import type { TableView } from '../namespace/view.js';

/*
 * The files that a compaction merges. Files stay within their day, the partition other engines know, and only
 * neighbours in time become one, so that time ranges go on excluding files.
 *
 * - settled: at least half of `compactBytes`, or of the most rows of a file. Left alone for good.
 * - changing: messages of which some are unfinished, until a day after their day has ended. A flush writes the file of
 *   a message anew when its status changes, so that stays small. Left alone.
 * - a run of 8 neighbours that are neither becomes one (or more, of equal size), if none of them is larger than all
 *   others together: a row is only written again into a file of at least twice the size, so at most
 *   log2(compactBytes / 1 MiB) times, 7 for 128 MiB. Below 1 MiB that does not hold, and does not matter.
 * - of a day that is over two neighbours suffice, once: nothing will be added between them.
 */

/** The files that one commit merges. */
export interface CompactionGroup {
  readonly day: string;
  readonly files: readonly DataFile[];
}

export interface PlanOptions {
  readonly compactBytes: number;
  /** Merges everything that may become fewer files or rows. */
  readonly full: boolean;
  /** Files that are left alone: those that the same compaction made. */
  readonly without: ReadonlySet<string>;
  /** Unix ms. */
  readonly nowMs: number;
}

const RUN_FILES = 8;
const RUN_FILES_OF_PAST_DAYS = 2;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Messages change for so long after the end of their day. */
const CHANGING_MS = DAY_MS;
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

/** The number of files for the rows of some others. */
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

interface Day {
  readonly day: string;
  readonly files: readonly DataFile[];
  readonly isOver: boolean;
}

function planDay(table: TableView, { day, files, isOver }: Day, options: PlanOptions): CompactionGroup[] {
  const inOrder = [...files].sort(inOrderOf(table));
  const runs = options.full ? [inOrder] : chosenRuns(inOrder, isOver, isChangingOn(table, day, options), options);
  return runs
    .flatMap((run) => chunks(run, options.compactBytes * GROUP_SIZES))
    .filter((part) => part.length > filesFor(part, options.compactBytes))
    .map((part) => ({ day, files: part }));
}

/** Whether a flush may yet write files of a day anew. */
function isChangingOn({ table }: TableView, day: string, { nowMs }: PlanOptions): (file: DataFile) => boolean {
  const isYoung = nowMs < Date.parse(day) + DAY_MS + CHANGING_MS;
  if (table !== 'messages' || !isYoung) return () => false;
  return ({ stats }) => stats.minValues['status'] !== 'success' || stats.maxValues['status'] !== 'success';
}

/** Neighbours that are to be merged, in time. */
function chosenRuns(
  files: readonly DataFile[],
  isOver: boolean,
  isChanging: (file: DataFile) => boolean,
  options: PlanOptions,
): readonly DataFile[][] {
  const chosen: DataFile[][] = [];
  let run: DataFile[] = [];
  const end = () => {
    chosen.push(...worthyParts(run, isOver ? RUN_FILES_OF_PAST_DAYS : RUN_FILES, isOver, options));
    run = [];
  };
  for (const file of files)
    if (isSettled(file, options.compactBytes) || isChanging(file)) end();
    else run.push(file);
  end();
  return chosen;
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

/** The ledger's rows are in the order of their positions; cursors have no time. */
function inOrderOf({ table }: TableView): (a: DataFile, b: DataFile) => number {
  const byPosition = (a: DataFile, b: DataFile) =>
    a.minPosition < b.minPosition ? -1 : a.minPosition > b.minPosition ? 1 : 0;
  return table === 'ledger' ? byPosition : (a, b) => a.minMs - b.minMs || a.maxMs - b.maxMs || byPosition(a, b);
}

function sum(files: readonly DataFile[]): number {
  return files.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
}
