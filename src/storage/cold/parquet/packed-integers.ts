import { ParquetFormatError } from './parquet-format-error.js';
import { ThriftCursor } from './thrift-cursor.js';

/*
 * Integers that take as many bits as the largest of them needs (apache/parquet-format, Encodings.md).
 */

/** Part of some bytes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads `count` levels or places in a dictionary: runs of one value, and runs of packed ones (RLE).
 * @throws ParquetFormatError
 */
export function readRuns(bytes: Uint8Array, { start, end }: Span, width: number, count: number): Uint32Array {
  const values = new Uint32Array(count);
  const cursor = new ThriftCursor(bytes, start, end);
  for (let filled = 0; filled < count; ) {
    const header = cursor.unsigned();
    const isPacked = header % 2 === 1;
    const run = isPacked ? ((header - 1) / 2) * 8 : header / 2;
    if (run === 0) throw new ParquetFormatError('a run of values is empty');
    const { start: at } = cursor.bytes(isPacked ? (run * width) / 8 : Math.ceil(width / 8));
    const last = Math.min(count, filled + run);
    if (isPacked) for (let bit = at * 8; filled < last; bit += width) values[filled++] = bitsAt(bytes, bit, width);
    else {
      values.fill(bitsAt(bytes, at * 8, width), filled, last);
      filled = last;
    }
  }
  return values;
}

/**
 * Reads `count` integers that are kept as differences (DELTA_BINARY_PACKED); null when one of them, or a difference, is
 * not exact as a number.
 * @throws ParquetFormatError
 */
export function readDeltas(bytes: Uint8Array, span: Span, count: number): Float64Array | null {
  const values = new Float64Array(count);
  const cursor = new ThriftCursor(bytes, span.start, span.end);
  const blockValues = cursor.unsigned();
  const parts = cursor.unsigned();
  const partValues = blockValues / parts;
  if (cursor.unsigned() !== count || count === 0 || partValues % 8 !== 0 || partValues === 0)
    throw new ParquetFormatError('differences are not laid out as they should be');
  let value = cursor.integer();
  let isExact = isWhole(value);
  values[0] = value;
  for (let filled = 1; filled < count && isExact; ) {
    const least = cursor.integer();
    const { start: widths } = cursor.bytes(parts);
    for (let part = 0; part < parts && filled < count; part++) {
      const width = bytes[widths + part] ?? 0;
      if (width > MAX_EXACT_BITS || !isWhole(least)) return null;
      let bit = cursor.bytes((partValues * width) / 8).start * 8;
      for (const last = Math.min(count, filled + partValues); filled < last; bit += width) {
        value += least + (width === 0 ? 0 : bitsAt(bytes, bit, width));
        isExact &&= Number.isSafeInteger(value);
        values[filled++] = value;
      }
    }
  }
  return isExact ? values : null;
}

const MAX_EXACT_BITS = 52;

/** Whether a signed integer was read exactly: it was written with one bit more. */
function isWhole(value: number): boolean {
  return Math.abs(value) < 2 ** MAX_EXACT_BITS;
}

/** An unsigned integer of `width` bits, the lowest first. */
function bitsAt(bytes: Uint8Array, firstBit: number, width: number): number {
  let value = 0;
  let weight = 1;
  let at = firstBit >>> 3;
  let skip = firstBit & 7;
  for (let left = width; left > 0; at += 1) {
    const taken = Math.min(8 - skip, left);
    value += (((bytes[at] ?? 0) >>> skip) & ((1 << taken) - 1)) * weight;
    weight *= 1 << taken;
    left -= taken;
    skip = 0;
  }
  return value;
}
