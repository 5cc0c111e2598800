import type { Hex } from '../../core/hex.js';
import { MalformedAnswerError } from './json-rpc-transport.js';

const QUANTITY = /^0x[0-9a-fA-F]{1,13}$/;
const HASH = /^0x[0-9a-f]{64}$/;
const HASH_LENGTH = 66;
const ADDRESS = /^0x[0-9a-f]{40}$/;
const ADDRESS_LENGTH = 42;
/** Nine million years of blocks, one a second: no chain is there. */
export const MAX_BLOCK = 2 ** 48;
/** The last second of the year 9999, beyond which a date has no standard form. */
const MAX_SECONDS = 253_402_300_799;
/** As stored. */
export const MAX_LOG_INDEX = 2 ** 31 - 1;

/**
 * A block number, index or time of at most `max`: hex, or a JSON number as some nodes write it.
 * @throws MalformedAnswerError
 */
export function parseQuantity(value: unknown, field: string, max = Number.MAX_SAFE_INTEGER): number {
  const quantity = typeof value === 'string' && QUANTITY.test(value) ? Number.parseInt(value, 16) : value;
  if (typeof quantity !== 'number' || !Number.isSafeInteger(quantity) || quantity < 0)
    throw new MalformedAnswerError(`${field} is not a quantity`);
  if (quantity > max) throw new MalformedAnswerError(`${field} is ${quantity}, at most ${max} is possible`);
  return quantity;
}

/** Unix seconds as milliseconds. @throws MalformedAnswerError */
export function parseSecondsAsMs(value: unknown, field: string): number {
  return parseQuantity(value, field, MAX_SECONDS) * 1000;
}

/** 32 bytes as lower-case hex. @throws MalformedAnswerError */
export function parseHash(value: unknown, field: string): Hex {
  return parseFixed(value, HASH, HASH_LENGTH) ?? refuse(field, '32 bytes of hex');
}

/** 20 bytes as lower-case hex. @throws MalformedAnswerError */
export function parseAddress(value: unknown, field: string): Hex {
  return parseFixed(value, ADDRESS, ADDRESS_LENGTH) ?? refuse(field, '20 bytes of hex');
}

/** Looks at the length first: a text of many megabytes must not be looked at by its digits. */
function parseFixed(value: unknown, pattern: RegExp, length: number): Hex | null {
  if (typeof value !== 'string' || value.length !== length) return null;
  if (pattern.test(value)) return value as Hex;
  const lower = value.toLowerCase();
  return pattern.test(lower) ? (lower as Hex) : null;
}

function refuse(field: string, expected: string): never {
  throw new MalformedAnswerError(`${field} is not ${expected}`);
}

/** Bytes of hex of either case. @throws MalformedAnswerError */
export function parseBytes(value: unknown, field: string): Buffer {
  if (typeof value !== 'string' || !value.startsWith('0x')) throw new MalformedAnswerError(`${field} is not hex`);
  const bytes = Buffer.from(value.slice(2), 'hex');
  // decoding stops at the first character that is not hex: faster than looking at each of them before
  if (bytes.length * 2 + 2 !== value.length) throw new MalformedAnswerError(`${field} is not hex`);
  return bytes;
}
