import type { Hex } from '../../../core/hex.js';

/**
 * Arrays in Postgres' binary format, to be passed as parameters. The text format would cost an escape and a parse for
 * every byte. Layout (`array_send`): i32 dimensions, i32 has nulls, i32 element type; i32 length, i32 lower bound; then
 * each element as i32 length (−1 = null) and bytes.
 */
const HEADER_BYTES = 20;
const OID = { bool: 16, bytea: 17, int8: 20, int2: 21, text: 25 } as const;

/** `bytea[]` of hex strings. */
export function hexArray(values: readonly (Hex | null)[]): Buffer {
  return writeArray(
    OID.bytea,
    values,
    (hex) => (hex.length - 2) >>> 1,
    (buffer, offset, hex) => {
      buffer.write(hex.slice(2), offset, 'hex');
    },
  );
}

/** `bytea[]` of byte strings. */
export function bytesArray(values: readonly (Uint8Array | null)[]): Buffer {
  return writeArray(
    OID.bytea,
    values,
    (bytes) => bytes.length,
    (buffer, offset, bytes) => {
      buffer.set(bytes, offset);
    },
  );
}

/** `bytea[]` of elements that `write` puts at an offset: spares a buffer for each. */
export function writtenArray<T>(
  values: readonly T[],
  sizeOf: (value: T) => number,
  write: (buffer: Buffer, offset: number, value: T) => void,
): Buffer {
  return writeArray(OID.bytea, values, sizeOf, write);
}

/** `bigint[]`. */
export function bigintArray(values: readonly (bigint | number | null)[]): Buffer {
  return writeArray(OID.int8, values, () => 8, writeInt64);
}

/** `smallint[]`. */
export function smallintArray(values: readonly (number | null)[]): Buffer {
  return writeArray(
    OID.int2,
    values,
    () => 2,
    (buffer, offset, value) => {
      buffer.writeInt16BE(value, offset);
    },
  );
}

/** `boolean[]`. */
export function booleanArray(values: readonly boolean[]): Buffer {
  return writeArray(
    OID.bool,
    values,
    () => 1,
    (buffer, offset, value) => {
      buffer[offset] = value ? 1 : 0;
    },
  );
}

/** `text[]`. The strings must not hold U+0000, which Postgres cannot store. */
export function textArray(values: readonly string[]): Buffer {
  return writeArray(
    OID.text,
    values,
    (text) => Buffer.byteLength(text),
    (buffer, offset, text) => {
      buffer.write(text, offset, 'utf8');
    },
  );
}

/** Without a detour over a `BigInt` where there is none: that takes longer than the rest, and leaves garbage. */
function writeInt64(buffer: Buffer, offset: number, value: bigint | number): void {
  if (typeof value === 'number') {
    buffer.writeInt32BE(Math.floor(value / 2 ** 32), offset);
    buffer.writeUInt32BE(value >>> 0, offset + 4);
  } else {
    new DataView(buffer.buffer, buffer.byteOffset + offset, 8).setBigInt64(0, value);
  }
}

function writeArray<T>(
  elementType: number,
  values: readonly (T | null)[],
  sizeOf: (value: T) => number,
  write: (buffer: Buffer, offset: number, value: T) => void,
): Buffer {
  // by index: an iterator over arrays of every kind of element makes an object a step
  let sizeBytes = HEADER_BYTES + 4 * values.length;
  let nulls = 0;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as T | null;
    if (value === null) nulls = 1;
    else sizeBytes += sizeOf(value);
  }
  const buffer = Buffer.allocUnsafe(sizeBytes);
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(nulls, 4);
  buffer.writeInt32BE(elementType, 8);
  buffer.writeInt32BE(values.length, 12);
  buffer.writeInt32BE(1, 16);
  let offset = HEADER_BYTES;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as T | null;
    const size = value === null ? -1 : sizeOf(value);
    buffer.writeInt32BE(size, offset);
    offset += 4;
    if (value === null) continue;
    write(buffer, offset, value);
    offset += size;
  }
  return buffer;
}
