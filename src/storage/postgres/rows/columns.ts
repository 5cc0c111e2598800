import { IndexerError } from '../../../core/errors.js';
import type { Hex } from '../../../core/hex.js';
import type { Field, Row } from '../connection/statement.js';

/** Decoders of fields, of text or of a binary row. Null only where the name says so. */

/** An integer that fits a number. */
export function toNumber(field: Field | undefined): number {
  return Number(present(field));
}

/** A `bigint`. */
export function toBigint(field: Field | undefined): bigint {
  const value = present(field);
  return typeof value === 'bigint' ? value : BigInt(value as string | number);
}

/** A `boolean`: as text, `t` or `f`. */
export function toBoolean(field: Field | undefined): boolean {
  const value = present(field);
  return typeof value === 'boolean' ? value : toText(value).startsWith('t');
}

/** A `text`. */
export function toText(field: Field | undefined): string {
  const value = present(field);
  if (typeof value !== 'string') throw new TypeError(`a field of the database is ${typeof value}, not text`);
  return value;
}

/** A nullable `text`. */
export function toTextOrNull(field: Field | undefined): string | null {
  return field == null ? null : toText(field);
}

/** A `bytea` as hex: the `\x` of text becomes our `0x`. */
export function toHex(field: Field | undefined): Hex {
  const value = present(field);
  return Buffer.isBuffer(value) ? `0x${value.toString('hex')}` : `0x${toText(value).slice(2)}`;
}

/** A nullable `bytea` as hex. */
export function toHexOrNull(field: Field | undefined): Hex | null {
  return field == null ? null : toHex(field);
}

/** A `bytea` as bytes; those of a binary row are shared with it. */
export function toBytes(field: Field | undefined): Buffer {
  const value = present(field);
  if (Buffer.isBuffer(value)) return value;
  const text = toText(value);
  const bytes = Buffer.allocUnsafeSlow((text.length - 2) >>> 1);
  bytes.write(text.slice(2), 'hex');
  return bytes;
}

/** A composite value, of a binary row. */
export function toRecord(field: Field | undefined): Row {
  const value = present(field);
  if (!isRow(value)) throw new TypeError(`a field of the database is ${typeof value}, not a row`);
  return value;
}

function isRow(value: Exclude<Field, null>): value is Row {
  return Array.isArray(value);
}

function present(field: Field | undefined): Exclude<Field, null> {
  if (field == null) throw new IndexerError('NULL_COLUMN', 'the database holds a null where none can be', false);
  return field;
}

/** A chain selector as a parameter: uint64 in a `bigint`, by two's complement. */
export function fromSelector(selector: bigint): bigint {
  return BigInt.asIntN(64, selector);
}

/** The inverse of `fromSelector`, of a field. */
export function toSelector(field: Field | undefined): bigint {
  return BigInt.asUintN(64, toBigint(field));
}

const HALF = 2n ** 63n;

/** A message number as a parameter: uint64 less 2^63, so that `bigint` has the order of the numbers. */
export function fromMessageNumber(number: bigint): bigint {
  return number - HALF;
}

/** The inverse of `fromMessageNumber`, of a field. */
export function toMessageNumber(field: Field | undefined): bigint {
  return toBigint(field) + HALF;
}
