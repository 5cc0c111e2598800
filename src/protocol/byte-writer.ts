import { isHex } from '../core/hex.js';
import { MessageEncodeError } from './message-errors.js';

const U8 = 0xff;
const U16 = 0xffff;
const U32 = 0xffff_ffff;
const U64 = 2n ** 64n - 1n;
const U256 = 2n ** 256n - 1n;

/**
 * Writes big-endian fields in order into bytes of a size known beforehand. Every write names its field and checks that
 * the value fits. `prefix` goes before field names in errors.
 */
export class ByteWriter {
  readonly bytes: Buffer;
  readonly #prefix: string;
  #offset = 0;

  constructor(sizeBytes: number, prefix = '') {
    this.bytes = Buffer.allocUnsafeSlow(sizeBytes);
    this.#prefix = prefix;
  }

  version(field: string, value: number): void {
    if (value !== 1) this.#refuse(field, 'version 1', String(value));
    this.#offset = this.bytes.writeUInt8(1, this.#offset);
  }

  u32(field: string, value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > U32)
      this.#refuse(field, 'an unsigned 32-bit number', String(value));
    this.#offset = this.bytes.writeUInt32BE(value, this.#offset);
  }

  u64(field: string, value: bigint): void {
    if (typeof value !== 'bigint' || value < 0n || value > U64)
      this.#refuse(field, 'an unsigned 64-bit bigint', String(value));
    this.#offset = this.bytes.writeBigUInt64BE(value, this.#offset);
  }

  u256(field: string, value: bigint): void {
    if (typeof value !== 'bigint' || value < 0n || value > U256)
      this.#refuse(field, 'an unsigned 256-bit bigint', String(value));
    this.bytes.write(value.toString(16).padStart(64, '0'), this.#offset, 'hex');
    this.#offset += 32;
  }

  /** Exactly `length` bytes. */
  hex(field: string, value: string, length: number): void {
    const found = this.#lengthOf(field, value);
    if (found !== length) this.#refuse(field, `${length} bytes`, `${found} bytes`);
    this.#put(value, length);
  }

  /** At most 255 bytes after a length of one byte. */
  hex8(field: string, value: string): void {
    const length = this.#lengthOf(field, value);
    if (length > U8) this.#refuse(field, `at most ${U8} bytes`, `${length} bytes`);
    this.#offset = this.bytes.writeUInt8(length, this.#offset);
    this.#put(value, length);
  }

  /** At most 65 535 bytes after a length of two bytes. */
  hex16(field: string, value: string): void {
    const length = this.#lengthOf(field, value);
    if (length > U16) this.#refuse(field, `at most ${U16} bytes`, `${length} bytes`);
    this.#offset = this.bytes.writeUInt16BE(length, this.#offset);
    this.#put(value, length);
  }

  /** At most 65 535 bytes after a length of two bytes. */
  bytes16(field: string, value: Uint8Array): void {
    if (value.length > U16) this.#refuse(field, `at most ${U16} bytes`, `${value.length} bytes`);
    this.#offset = this.bytes.writeUInt16BE(value.length, this.#offset);
    this.bytes.set(value, this.#offset);
    this.#offset += value.length;
  }

  #lengthOf(field: string, value: string): number {
    if (!isHex(value)) this.#refuse(field, '0x and an even number of hex digits', String(value).slice(0, 20));
    return (value.length - 2) >>> 1;
  }

  #put(value: string, length: number): void {
    if (length > 0) this.bytes.write(value.slice(2), this.#offset, 'hex');
    this.#offset += length;
  }

  #refuse(field: string, expected: string, found: string): never {
    throw new MessageEncodeError({ field: this.#prefix + field, expected, found });
  }
}

/** Bytes that a hex string stands for; 0 for any other value, which the writer then refuses by name. */
export function hexByteLength(value: string): number {
  return typeof value === 'string' && value.length > 2 ? (value.length - 2) >>> 1 : 0;
}
