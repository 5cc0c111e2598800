import type { ColumnValue } from './columns.js';
import { ParquetFormatError } from './parquet-format-error.js';

/** The values of a column of a row group, by row. Each is decoded when it is asked for. */
export interface ColumnCells {
  readonly rows: number;
  /** About how much memory they take. */
  readonly memoryBytes: number;
  /** Bytes may be a view into a larger buffer: copy them to keep them. */
  at(row: number): ColumnValue;
  /**
   * An int64 as a number.
   * @throws ParquetFormatError for any other value, and for numbers that are not exact.
   */
  numberAt(row: number): number | null;
  /** The rows that hold a text, ascending. */
  rowsOf(text: string): readonly number[];
}

/** Memory of a decoded value, about. */
const CELL_BYTES = 128;

/** Cells that are decoded already. */
export function cellsOfArray(values: ArrayLike<ColumnValue>): ColumnCells {
  return {
    rows: values.length,
    memoryBytes: values.length * CELL_BYTES,
    at: (row) => values[row] ?? null,
    numberAt: (row) => toNumber(values[row] ?? null),
    rowsOf: (text) => Array.from({ length: values.length }, (_, row) => row).filter((row) => values[row] === text),
  };
}

/** An int64 as a number. @throws ParquetFormatError */
export function toNumber(value: ColumnValue): number | null {
  if (value === null) return null;
  const number = typeof value === 'bigint' ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new ParquetFormatError(`a column of numbers holds ${typeof value === 'bigint' ? value : typeof value}`);
}
