import type { Hex } from '../../../core/hex.js';
import type { ColumnValue } from '../parquet/columns.js';
import { ParquetFormatError } from '../parquet/parquet-format-error.js';
import type { RowGroupData } from '../parquet/row-group-reader.js';

/** Reads a cell of one column. */
export type Cell<T> = (row: number) => T;

/**
 * Readers of the cells of a row group, by column name. Each throws ParquetFormatError for a value that its type
 * cannot be. Bytes are copies of their own.
 */
export interface Cells {
  text(name: string): Cell<string>;
  textOrNull(name: string): Cell<string | null>;
  hex(name: string): Cell<Hex>;
  hexOrNull(name: string): Cell<Hex | null>;
  /** A list of hex strings, frozen, which rows share. */
  hexList(name: string): Cell<readonly Hex[]>;
  bigint(name: string): Cell<bigint>;
  bigintOrNull(name: string): Cell<bigint | null>;
  number(name: string): Cell<number>;
  numberOrNull(name: string): Cell<number | null>;
  /** An unsigned number that was written as decimal digits. */
  decimal(name: string): Cell<bigint>;
  boolean(name: string): Cell<boolean>;
  bytes(name: string): Cell<Uint8Array>;
  bytesOrNull(name: string): Cell<Uint8Array | null>;
}

export function cellsOf(data: RowGroupData): Cells {
  return {
    text: (name) => required(name, textCells(data, name)),
    textOrNull: (name) => textCells(data, name),
    hex: (name) => required(name, hexCells(data, name)),
    hexOrNull: (name) => hexCells(data, name),
    hexList: (name) => shared(required(name, hexListCells(data, name))),
    bigint: (name) => required(name, bigintCells(data, name)),
    bigintOrNull: (name) => bigintCells(data, name),
    number: (name) => required(name, numberCells(data, name)),
    numberOrNull: (name) => numberCells(data, name),
    decimal: (name) => memoized(required(name, textCells(data, name)), toDecimal),
    boolean: (name) => required(name, booleanCells(data, name)),
    bytes: (name) => required(name, byteCells(data, name)),
    bytesOrNull: (name) => byteCells(data, name),
  };
}

/** The member of a closed set that a text names. @throws ParquetFormatError for any other text. */
export function oneOf<T extends string>(names: readonly T[], text: string): T {
  const name = names.find((each) => each === text);
  if (name) return name;
  throw new ParquetFormatError(`a row says ${text} for one of ${names.join(', ')}`);
}

function toDecimal(digits: string): bigint {
  if (!/^\d+$/.test(digits)) throw new ParquetFormatError('a number is not written in digits');
  return BigInt(digits);
}

function textCells(data: RowGroupData, name: string): Cell<string | null> {
  return typed(data, name, (value): value is string => typeof value === 'string');
}

function hexCells(data: RowGroupData, name: string): Cell<Hex | null> {
  return typed(data, name, isHex);
}

function hexListCells(data: RowGroupData, name: string): Cell<readonly Hex[] | null> {
  return typed(data, name, (value): value is readonly Hex[] => Array.isArray(value) && value.every(isHex));
}

function isHex(value: unknown): value is Hex {
  return typeof value === 'string' && value.startsWith('0x');
}

function bigintCells(data: RowGroupData, name: string): Cell<bigint | null> {
  return typed(data, name, (value): value is bigint => typeof value === 'bigint');
}

function booleanCells(data: RowGroupData, name: string): Cell<boolean | null> {
  return typed(data, name, (value): value is boolean => typeof value === 'boolean');
}

function numberCells(data: RowGroupData, name: string): Cell<number | null> {
  const column = data.column(name);
  return (row) => column.numberAt(row);
}

function byteCells(data: RowGroupData, name: string): Cell<Uint8Array | null> {
  const cells = typed(data, name, (value): value is Uint8Array => value instanceof Uint8Array);
  return (row) => cells(row)?.slice() ?? null;
}

function typed<T extends ColumnValue>(
  data: RowGroupData,
  name: string,
  is: (value: ColumnValue) => value is T,
): Cell<T | null> {
  const column = data.column(name);
  return (row) => {
    const value = column.at(row);
    if (value === null || is(value)) return value;
    throw new ParquetFormatError(`${name} holds a ${typeof value} that does not belong there`);
  };
}

function required<T>(name: string, cells: Cell<T | null>): Cell<T> {
  return (row) => {
    const value = cells(row);
    if (value === null) throw new ParquetFormatError(`${name} is null`);
    return value;
  };
}

/** Neighbouring rows mostly hold the same list: it is kept once. */
function shared<T>(cells: Cell<readonly T[]>): Cell<readonly T[]> {
  let last: readonly T[] | undefined;
  return (row) => {
    const list = cells(row);
    const isSame = last?.length === list.length && last.every((item, place) => item === list[place]);
    if (!last || !isSame) last = Object.freeze(list);
    return last;
  };
}

/** Neighbouring rows mostly hold the same text: its value is made once. */
function memoized<T>(cells: Cell<string>, make: (text: string) => T): Cell<T> {
  let lastText: string | undefined;
  let last: T | undefined;
  return (row) => {
    const text = cells(row);
    if (last === undefined || text !== lastText) {
      last = make(text);
      lastText = text;
    }
    return last;
  };
}
