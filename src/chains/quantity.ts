import type { Hex } from '../core/hex.js';
import { MalformedAnswerError } from './json-rpc-transport.js';

const QUANTITY = /^0x[0-9a-fA-F]{1,13}$/;
const HASH = /^0x[0-9a-f]{64}$/;
const HEX = /^0x(?:[0-9a-f]{2})*$/;

/** A block number, index or timestamp: hex, below 2^52. @throws MalformedAnswerError */
export function parseQuantity(value: unknown, field: string): number {
  if (typeof value !== 'string' || !QUANTITY.test(value)) throw new MalformedAnswerError(`${field} is not a quantity`);
  return Number.parseInt(value, 16);
}

/** 32 bytes as lower-case hex. @throws MalformedAnswerError */
export function parseHash(value: unknown, field: string): Hex {
  if (typeof value === 'string') {
    if (HASH.test(value)) return value as Hex;
    const lower = value.toLowerCase();
    if (HASH.test(lower)) return lower as Hex;
  }
  throw new MalformedAnswerError(`${field} is not 32 bytes of hex`);
}

/** Bytes as lower-case hex. @throws MalformedAnswerError */
export function parseHex(value: unknown, field: string): Hex {
  if (typeof value === 'string') {
    if (HEX.test(value)) return value as Hex;
    const lower = value.toLowerCase();
    if (HEX.test(lower)) return lower as Hex;
  }
  throw new MalformedAnswerError(`${field} is not hex`);
}

/** Bytes of hex of either case. @throws MalformedAnswerError */
export function parseBytes(value: unknown, field: string): Buffer {
  if (typeof value !== 'string' || !value.startsWith('0x')) throw new MalformedAnswerError(`${field} is not hex`);
  const bytes = Buffer.from(value.slice(2), 'hex');
  // decoding stops at the first character that is not hex: faster than looking at each of them before
  if (bytes.length * 2 + 2 !== value.length) throw new MalformedAnswerError(`${field} is not hex`);
  return bytes;
}

/** A number as JSON-RPC writes it. */
export function toQuantity(value: number): Hex {
  return `0x${value.toString(16)}`;
}
