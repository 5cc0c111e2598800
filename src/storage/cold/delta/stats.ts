import { parseExactJson, stringifyExactJson } from '../../../protocol/exact-json.js';
import { DeltaFormatError } from './delta-errors.js';

/** A bound of a column: text, or a number (a bigint beyond 2^53; a JSON number of all its digits in the log). */
export type StatValue = string | number | bigint;

/**
 * Statistics of a data file's columns (PROTOCOL.md, "Per-file Statistics"): every value lies between the bounds.
 * Columns without bounds are absent.
 */
export interface FileStats {
  readonly numRecords: number;
  readonly minValues: Readonly<Record<string, StatValue>>;
  readonly maxValues: Readonly<Record<string, StatValue>>;
  readonly nullCount: Readonly<Record<string, number>>;
}

/** The statistics of the rows of two files together. */
export function unitedStats(a: FileStats, b: FileStats): FileStats {
  const columns = Object.keys({ ...a.nullCount, ...b.nullCount });
  const least = (one: StatValue, other: StatValue) => (one < other ? one : other);
  const greatest = (one: StatValue, other: StatValue) => (one > other ? one : other);
  const united = (of: 'minValues' | 'maxValues', choose: (one: StatValue, other: StatValue) => StatValue) =>
    Object.fromEntries(
      columns.flatMap((name) => {
        const [one, other] = [a[of][name], b[of][name]];
        if (one !== undefined && other !== undefined) return [[name, choose(one, other)]];
        // a file without a bound has none of its nulls, or of values that have no bound
        const bound = isAllNull(a, name) ? other : isAllNull(b, name) ? one : undefined;
        return bound === undefined ? [] : [[name, bound]];
      }),
    );
  return {
    numRecords: a.numRecords + b.numRecords,
    minValues: united('minValues', least),
    maxValues: united('maxValues', greatest),
    nullCount: Object.fromEntries(columns.map((name) => [name, (a.nullCount[name] ?? 0) + (b.nullCount[name] ?? 0)])),
  };
}

function isAllNull({ nullCount, numRecords }: FileStats, name: string): boolean {
  return nullCount[name] === numRecords;
}

/** The text of `add.stats`. */
export function stringifyStats({ numRecords, minValues, maxValues, nullCount }: FileStats): string {
  return stringifyExactJson({ numRecords, minValues, maxValues, nullCount });
}

/**
 * Parses `add.stats`; fields that other writers leave out are empty, and bounds that are not text or whole numbers
 * are passed over.
 * @throws DeltaFormatError
 */
export function parseStats(text: string): FileStats {
  const stats = record(parse(text), 'stats');
  const numRecords = stats['numRecords'];
  if (typeof numRecords !== 'number' || !Number.isSafeInteger(numRecords) || numRecords < 0)
    throw new DeltaFormatError('the statistics of a file do not count its records');
  return {
    numRecords,
    minValues: bounds(stats['minValues']),
    maxValues: bounds(stats['maxValues']),
    nullCount: counts(stats['nullCount']),
  };
}

function parse(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch (cause) {
    throw new DeltaFormatError('the statistics of a file are not JSON', { cause });
  }
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DeltaFormatError(`the ${what} of a file are not an object`);
  return value as Readonly<Record<string, unknown>>;
}

function bounds(value: unknown): Record<string, StatValue> {
  const entries = value === undefined || value === null ? [] : Object.entries(record(value, 'bounds'));
  return Object.fromEntries(
    entries.filter((entry): entry is [string, StatValue] => {
      const bound = entry[1];
      return typeof bound === 'string' || typeof bound === 'bigint' || Number.isSafeInteger(bound);
    }),
  );
}

function counts(value: unknown): Record<string, number> {
  const entries = value === undefined || value === null ? [] : Object.entries(record(value, 'null counts'));
  return Object.fromEntries(entries.filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1])));
}
