import type { Hex } from '../core/hex.js';
import { MessageDecodeError } from './message-errors.js';

/**
 * Reads big-endian fields in order. Every read names its field, so that the error for bytes that end too early says
 * where they ended. `prefix` goes before field names; `base` is added to offsets in errors.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #prefix: string;
  readonly #base: number;
  #offset = 0;

  constructor(bytes: Uint8Array, prefix = '', base = 0) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#prefix = prefix;
    this.#base = base;
  }

  /** Where the next read starts. */
  get offset(): number {
    return this.#base + this.#offset;
  }

  u8(field: string): number {
    return this.#bytes[this.#advance(field, 1)] ?? 0;
  }

  u16(field: string): number {
    return this.#bytes.readUInt16BE(this.#advance(field, 2));
  }

  u32(field: string): number {
    return this.#bytes.readUInt32BE(this.#advance(field, 4));
  }

  u64(field: string): bigint {
    return this.#bytes.readBigUInt64BE(this.#advance(field, 8));
  }

  u256(field: string): bigint {
    const start = this.#advance(field, 32);
    return BigInt(`0x${this.#bytes.toString('hex', start, start + 32)}`);
  }

  hex(field: string, length: number): Hex {
    if (length === 0) return '0x';
    const start = this.#advance(field, length);
    return `0x${this.#bytes.toString('hex', start, start + length)}`;
  }

  /** The next `length` bytes as a view. */
  view(field: string, length: number): Uint8Array {
    const start = this.#advance(field, length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Passes over `length` bytes. */
  skip(field: string, length: number): void {
    this.#advance(field, length);
  }

  /** Bytes after a length of one byte. */
  hex8(field: string): Hex {
    return this.hex(field, this.u8(field));
  }

  /** Bytes after a length of two bytes. */
  hex16(field: string): Hex {
    return this.hex(field, this.u16(field));
  }

  /** @throws MessageDecodeError unless the byte just read as `field` is version 1. */
  version(field: string): 1 {
    const version = this.u8(field);
    if (version !== 1) {
      throw new MessageDecodeError({
        field: this.#prefix + field,
        expected: 'version 1',
        found: `version ${version}`,
        offset: this.offset - 1,
      });
    }
    return version;
  }

  /** @throws MessageDecodeError unless every byte was read. */
  end(): void {
    const left = this.#bytes.length - this.#offset;
    if (left === 0) return;
    throw new MessageDecodeError({
      field: `${this.#prefix}end`,
      expected: 'no more bytes',
      found: `${left} more bytes`,
      offset: this.offset,
    });
  }

  #advance(field: string, length: number): number {
    const start = this.#offset;
    const end = start + length;
    if (end > this.#bytes.length) {
      throw new MessageDecodeError({
        field: this.#prefix + field,
        expected: `${length} bytes`,
        found: `${this.#bytes.length - start} bytes`,
        offset: this.offset,
      });
    }
    this.#offset = end;
    return start;
  }
}
