import type { Hex } from '../core/hex.js';

const PADDED_CHARS = 2 + 64;
const PADDING = '0x000000000000000000000000';

/**
 * The one form in which two spellings of an address compare equal: lower case, and 20 bytes where it is a 20-byte
 * address left-padded to 32 (EVM addresses on the wire come in both). Other addresses are opaque and stay as they are.
 */
export function canonicalAddress(address: Hex): Hex {
  const lower = address.toLowerCase() as Hex;
  return lower.length === PADDED_CHARS && lower.startsWith(PADDING) ? `0x${lower.slice(PADDING.length)}` : lower;
}
