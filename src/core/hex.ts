/** Lower-case `0x`-prefixed hexadecimal, an even number of digits; `0x` is the empty byte string. */
export type Hex = `0x${string}`;

/** Bytes as lower-case `0x` hex. */
export function bytesToHex(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;
}

const HEX = /^0x(?:[0-9a-fA-F]{2})*$/;

/** True for `0x` followed by an even number of hexadecimal digits of either case. */
export function isHex(value: unknown): value is Hex {
  return typeof value === 'string' && HEX.test(value);
}

/**
 * Bytes of a hex string (either case). The result owns its memory: it is never a view into a shared pool.
 * @throws RangeError when `hex` is not `0x` plus an even number of hex digits.
 */
export function hexToBytes(hex: string): Uint8Array {
  if (!isHex(hex)) throw new RangeError(`not a hex byte string: ${hex.length > 40 ? `${hex.slice(0, 40)}…` : hex}`);
  const bytes = Buffer.allocUnsafeSlow((hex.length - 2) >>> 1);
  bytes.write(hex.slice(2), 'hex');
  return bytes;
}
