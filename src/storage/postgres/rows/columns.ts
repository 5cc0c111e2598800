import { IndexerError } from '../../../core/errors.js';
import type { Hex } from '../../../core/hex.js';

/** Decoders of Postgres' text format. Each takes a field of a row; null only where the name says so. */

/** A `bigint` or `smallint` that fits a number. */
export function toNumber(field: string | null | undefined): number {
  return Number(present(field));
}

/** A `bigint`. */
export function toBigint(field: string | null | undefined): bigint {
  return BigInt(present(field));
}

/** A `boolean`: `t` or `f`, or in full where it was cast to text. */
export function toBoolean(field: string | null | undefined): boolean {
  return present(field).startsWith('t');
}

/** A `text`. */
export function toText(field: string | null | undefined): string {
  return present(field);
}

/** A `bytea` as hex: the server's `\x` becomes our `0x`. */
export function toHex(field: string | null | undefined): Hex {
  return `0x${present(field).slice(2)}`;
}

/** A nullable `bytea` as hex. */
export function toHexOrNull(field: string | null | undefined): Hex | null {
  return field == null ? null : toHex(field);
}

/** A `bytea` as bytes of their own. */
export function toBytes(field: string | null | undefined): Buffer {
  const text = present(field);
  const bytes = Buffer.allocUnsafeSlow((text.length - 2) >>> 1);
  bytes.write(text.slice(2), 'hex');
  return bytes;
}

function present(field: string | null | undefined): string {
  if (field == null) throw new IndexerError('NULL_COLUMN', 'the database holds a null where none can be', false);
  return field;
}

/** A chain selector as a parameter: uint64 in a `bigint`, by two's complement. */
export function fromSelector(selector: bigint): bigint {
  return BigInt.asIntN(64, selector);
}

/** The inverse of `fromSelector`, of a field. */
export function toSelector(field: string | null | undefined): bigint {
  return BigInt.asUintN(64, toBigint(field));
}

const HALF = 2n ** 63n;

/** A message number as a parameter: uint64 less 2^63, so that `bigint` has the order of the numbers. */
export function fromMessageNumber(number: bigint): bigint {
  return number - HALF;
}

/** The inverse of `fromMessageNumber`, of a field. */
export function toMessageNumber(field: string | null | undefined): bigint {
  return toBigint(field) + HALF;
}
