import { toNumber } from './column-cells.js';
import type { ColumnType, ColumnValue } from './columns.js';
import { viewOf } from './data-view.js';
import { ParquetFormatError } from './parquet-format-error.js';

/** The values of a page that are not null, in their order. Each is decoded when it is asked for. */
export interface PageValues {
  at(index: number): ColumnValue;
  numberAt(index: number): number | null;
  /** The places of the values that are a text, ascending. */
  placesOf(text: string): readonly number[];
}

/** The type of the values of a page that our reader knows. */
export type PageType = Exclude<ColumnType, 'boolean' | 'decimal'>;

/** `count` values that lie one after the other (PLAIN). @throws ParquetFormatError */
export function plainValues(bytes: Uint8Array, count: number, type: PageType): PageValues {
  switch (type) {
    case 'int64':
    case 'timestamp':
      return new PlainIntegers(viewOf(bytes), count);
    case 'binary':
      return new PlainBytes(bytes, count);
    case 'string':
    case 'strings':
      return new PlainTexts(bytes, count);
  }
}

/** Values of a dictionary, by their places in it. */
export function dictionaryValues(dictionary: PageValues, size: number, places: Uint32Array): PageValues {
  if (places.some((place) => place >= size)) throw new ParquetFormatError('a value is not in its dictionary');
  return new DictionaryValues(dictionary, size, places);
}

/** Exact integers. */
export function integerValues(values: Float64Array): PageValues {
  return {
    at: (index) => BigInt(values[index] ?? 0),
    numberAt: (index) => values[index] ?? 0,
    placesOf: () => [],
  };
}

class PlainIntegers implements PageValues {
  readonly #view: DataView;

  constructor(view: DataView, count: number) {
    if (view.byteLength < count * 8) throw new ParquetFormatError('a page is cut off');
    this.#view = view;
  }

  at(index: number): ColumnValue {
    return this.#view.getBigInt64(index * 8, true);
  }

  numberAt(index: number): number | null {
    return toNumber(this.at(index));
  }

  placesOf(): readonly number[] {
    return [];
  }
}

const LENGTH_BYTES = 4;

/** The beginnings of `count` values, each behind its length; the last entry is where another one would begin. */
function startsOf(bytes: Uint8Array, count: number): Uint32Array {
  const view = viewOf(bytes);
  const starts = new Uint32Array(count + 1);
  let at = LENGTH_BYTES;
  for (let index = 0; index < count; index++) {
    starts[index] = at;
    if (at > bytes.length) throw new ParquetFormatError('a page is cut off');
    at += view.getUint32(at - LENGTH_BYTES, true) + LENGTH_BYTES;
  }
  if (at - LENGTH_BYTES > bytes.length) throw new ParquetFormatError('a page is cut off');
  starts[count] = at;
  return starts;
}

class PlainBytes implements PageValues {
  readonly #bytes: Uint8Array;
  readonly #starts: Uint32Array;

  constructor(bytes: Uint8Array, count: number) {
    this.#bytes = bytes;
    this.#starts = startsOf(bytes, count);
  }

  at(index: number): ColumnValue {
    return this.#bytes.subarray(this.#starts[index], (this.#starts[index + 1] ?? 0) - LENGTH_BYTES);
  }

  numberAt(index: number): number | null {
    return toNumber(this.at(index));
  }

  placesOf(): readonly number[] {
    return [];
  }
}

class PlainTexts implements PageValues {
  readonly #bytes: Buffer;
  readonly #starts: Uint32Array;

  constructor(bytes: Uint8Array, count: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#starts = startsOf(bytes, count);
  }

  at(index: number): ColumnValue {
    return this.#bytes.toString('utf8', this.#starts[index], (this.#starts[index + 1] ?? 0) - LENGTH_BYTES);
  }

  numberAt(index: number): number | null {
    return toNumber(this.at(index));
  }

  placesOf(text: string): readonly number[] {
    const wanted = Buffer.from(text, 'utf8');
    const places: number[] = [];
    for (let index = 0; index + 1 < this.#starts.length; index++) {
      const [start, end] = [this.#starts[index] ?? 0, (this.#starts[index + 1] ?? 0) - LENGTH_BYTES];
      if (end - start === wanted.length && this.#bytes.compare(wanted, 0, wanted.length, start, end) === 0)
        places.push(index);
    }
    return places;
  }
}

class DictionaryValues implements PageValues {
  readonly #dictionary: PageValues;
  readonly #places: Uint32Array;
  /** Entries that were asked for: rows share them. */
  readonly #known: (ColumnValue | undefined)[];

  constructor(dictionary: PageValues, size: number, places: Uint32Array) {
    this.#dictionary = dictionary;
    this.#places = places;
    this.#known = new Array<ColumnValue | undefined>(size).fill(undefined);
  }

  at(index: number): ColumnValue {
    const place = this.#places[index] ?? 0;
    const known = this.#known[place];
    if (known !== undefined) return known;
    const value = this.#dictionary.at(place);
    this.#known[place] = value;
    return value;
  }

  numberAt(index: number): number | null {
    return this.#dictionary.numberAt(this.#places[index] ?? 0);
  }

  placesOf(text: string): readonly number[] {
    const wanted = new Set(this.#dictionary.placesOf(text));
    return [...this.#places.keys()].filter((index) => wanted.has(this.#places[index] ?? 0));
  }
}
