import { IndexerError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';

/** Bytes that are not the expected ABI encoding: the field, the expectation, the finding. */
export class AbiDecodeError extends IndexerError {
  constructor(field: string, expected: string, found: string, offset: number) {
    super('ABI_DECODE', `${field} at byte ${offset}: expected ${expected}, found ${found}`, false, {
      details: { field, expected, found, offset },
    });
  }
}

const WORD = 32;

/**
 * Reads fields of the contract ABI at given places. Every offset and length is checked against the end of the bytes
 * before it is used; numbers and addresses that are wider than their type are refused, as Solidity's own decoder does.
 */
export class AbiReader {
  readonly #bytes: Buffer;
  /** Of the same bytes: its reads are single instructions, those of a Buffer are calls. */
  readonly #view: DataView;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The unsigned number of at most 6 bytes in the word at `at`: an offset or a length. */
  small(field: string, at: number): number {
    this.#require(field, at, WORD);
    // no valid offset or length is larger; a number holds six bytes exactly
    const view = this.#view;
    const high = view.getUint16(at + WORD - 6);
    if (this.#zeroWords(at, 6) && view.getUint16(at + WORD - 8) === 0)
      return high * 2 ** 32 + view.getUint32(at + WORD - 4);
    throw this.#error(field, 'a number within the data', 'a larger one', at);
  }

  /** A uint32. */
  u32(field: string, at: number): number {
    this.#require(field, at, WORD);
    if (!this.#zeroWords(at, 7)) throw this.#error(field, 'a uint32', 'a larger number', at);
    return this.#view.getUint32(at + WORD - 4);
  }

  /** A word of any content. */
  word(field: string, at: number): void {
    this.#require(field, at, WORD);
  }

  address(field: string, at: number): Hex {
    this.#require(field, at, WORD);
    if (!this.#zeroWords(at, 3)) throw this.#error(field, 'an address', 'a larger number', at);
    return `0x${this.#bytes.toString('hex', at + WORD - 20, at + WORD)}`;
  }

  /** Where the dynamic value starts whose offset, relative to `base`, stands at `at`. */
  follow(field: string, at: number, base: number): number {
    const target = base + this.small(field, at);
    if (target + WORD > this.#bytes.length)
      throw this.#error(field, 'an offset within the data', String(target - base), at);
    return target;
  }

  /** The content of a `bytes` value that starts at `at`, as a view. */
  bytes(field: string, at: number): Buffer {
    const length = this.small(field, at);
    const start = at + WORD;
    if (length > this.#bytes.length - start)
      throw this.#error(field, `at most ${this.#bytes.length - start} bytes`, `a length of ${length}`, at);
    return this.#bytes.subarray(start, start + length);
  }

  /**
   * Number of elements of an array of dynamic values that starts at `at`; their offsets follow, relative to `at +
   * 32`.
   */
  count(field: string, at: number, atMost: number): number {
    const count = this.small(field, at);
    if (count > atMost) throw this.#error(field, `at most ${atMost} elements`, String(count), at);
    this.#require(field, at + WORD, count * WORD);
    return count;
  }

  #require(field: string, at: number, length: number): void {
    if (at + length > this.#bytes.length)
      throw this.#error(field, `${length} bytes`, `${Math.max(0, this.#bytes.length - at)} bytes`, at);
  }

  /** Whether the `count` times four bytes from `at` on are zero. */
  #zeroWords(at: number, count: number): boolean {
    let bits = 0;
    for (let index = 0; index < count; index++) bits |= this.#view.getUint32(at + 4 * index);
    return bits === 0;
  }

  #error(field: string, expected: string, found: string, offset: number): AbiDecodeError {
    return new AbiDecodeError(field, expected, found, offset);
  }
}
