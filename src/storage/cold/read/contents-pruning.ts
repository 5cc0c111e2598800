import { mapInParallel } from '../../../core/parallel.js';
import type { ResolvedRange } from '../../../model/list-query.js';
import type { DataFile } from '../namespace/data-file.js';
import type { DataFileReader } from '../namespace/file-reader.js';
import { indexTerm, numbersOf, numbersValue, type TermKind } from '../rows/index-terms.js';
import type { TableName } from '../rows/table-name.js';
import { listedLanes } from './range-pruning.js';

const PARALLEL_FILTERS = 32;
const PARALLEL_TERMS = 8;
/** Blocks of message numbers that are looked up in one file; of more the file is read by time. */
const MAX_BLOCKS = 256;
const MAX_INT64 = 2n ** 63n - 1n;

/** The values of a kind that a row must have one of. */
type Wanted = readonly [TermKind, readonly string[]];

/** The terms that rows of a range have, by kind; each kind must match. */
function wantedTerms(range: ResolvedRange, file: DataFile): readonly Wanted[] {
  if (range.contents === null) return [];
  const { senders, receivers, tokens } = range.contents;
  const all = [
    ['sender', senders],
    ['receiver', receivers],
    ['token', tokens],
    ['numbers', wantedNumbers(range, file)],
  ] as const;
  return all.flatMap(([kind, values]) => (values === null ? [] : [[kind, values] as const]));
}

/** The blocks of message numbers of a range, on the lanes of a file; null: all, or too many. */
function wantedNumbers(range: ResolvedRange, file: DataFile): readonly string[] | null {
  const { numbers = null } = range.contents ?? {};
  if (numbers === null || numbers.from > numbers.through) return null;
  const lanes = listedLanes(range, file);
  const [first, last] = [numbersOf(numbers.from), numbersOf(numbers.through)];
  if ((last - first + 1n) * BigInt(lanes.length) > MAX_BLOCKS) return null;
  const blocks = Array.from({ length: Number(last - first) + 1 }, (_, place) => first + BigInt(place));
  return lanes.flatMap((lane) => blocks.map((block) => numbersValue(lane, block)));
}

/**
 * The files that may have rows of a range, as the heads of their indexes tell: most of a rare address cost nothing. A
 * file whose index has no terms may have them.
 */
export async function filesWith(
  reader: DataFileReader,
  table: TableName,
  files: readonly DataFile[],
  range: ResolvedRange,
): Promise<readonly DataFile[]> {
  if (range.contents === null) return files;
  const isHit = await mapInParallel(files, PARALLEL_FILTERS, async (file) => {
    if (!mayHoldNumbers(range, file)) return false;
    for (const [kind, values] of wantedTerms(range, file)) {
      const mayHold = await reader.termFilter(table, file, kind);
      if (mayHold && !values.some(mayHold)) return false;
    }
    return true;
  });
  return files.filter((_, place) => isHit[place]);
}

/** By the statistics of a file; a number beyond an int64 is in none. */
function mayHoldNumbers({ contents }: ResolvedRange, { stats }: DataFile): boolean {
  const [lowest, highest] = [stats.minValues['message_number'], stats.maxValues['message_number']];
  if (!contents?.numbers || lowest === undefined || highest === undefined) return true;
  const { from, through } = contents.numbers;
  if (through > MAX_INT64 && stats.nullCount['message_number'] !== 0) return true;
  return from <= BigInt(highest) && through >= BigInt(lowest);
}

/** Says of the row groups of a file whether they may have rows of a range: false is certain. */
export async function groupsWith(
  reader: DataFileReader,
  table: TableName,
  file: DataFile,
  range: ResolvedRange,
): Promise<(group: number) => boolean> {
  const sets: ReadonlySet<number>[] = [];
  for (const [kind, values] of wantedTerms(range, file)) {
    const mayHold = await reader.termFilter(table, file, kind);
    if (!mayHold) continue;
    const groups = await mapInParallel(values.filter(mayHold), PARALLEL_TERMS, (value) =>
      reader.groupsOf(table, file, indexTerm(kind, value)),
    );
    sets.push(new Set(groups.flat()));
  }
  return (group) => sets.every((set) => set.has(group));
}
