import { ParquetFormatError } from './parquet-format-error.js';

/**
 * Field types of Thrift's compact protocol
 * (apache/thrift, doc/specs/thrift-compact-protocol.md), which Parquet's footers and page headers are written in.
 */
const BOOLEAN_TRUE = 1;
const BOOLEAN_FALSE = 2;
const BYTE = 3;
const I16 = 4;
const I32 = 5;
const I64 = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const STRUCT = 12;

/** Deeper structures than Parquet has are damage. */
const MAX_DEPTH = 32;

/**
 * Walks over compact Thrift without building objects: a footer of a thousand row groups has tens of thousands of
 * structs. Every method throws ParquetFormatError when the bytes end early or make no sense.
 */
export class ThriftCursor {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** The cursor's place. Within `onField`: after the field's header. */
  get position(): number {
    return this.#at;
  }

  /** Calls `onField` with the id and type of each field of a struct; it must read the value or `skip` it. */
  struct(onField: (id: number, type: number) => void): void {
    let id = 0;
    for (;;) {
      const header = this.#byte();
      const type = header & 0x0f;
      if (type === 0) return;
      const delta = header >>> 4;
      id = delta === 0 ? this.integer() : id + delta;
      onField(id, type);
    }
  }

  /** Calls `onItem` once for each item of a list, which it must read. Returns how many there were. */
  list(onItem: (type: number, index: number) => void): number {
    const header = this.#byte();
    const size = header >>> 4 === 15 ? this.unsigned() : header >>> 4;
    if (size > this.#end - this.#at) throw new ParquetFormatError('a list is longer than its metadata');
    for (let index = 0; index < size; index++) onItem(header & 0x0f, index);
    return size;
  }

  /** An unsigned integer of any width, exact up to 2^53. */
  unsigned(): number {
    let value = 0;
    let weight = 1;
    for (;;) {
      const byte = this.#byte();
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value;
      weight *= 128;
      if (weight > 2 ** 63) throw new ParquetFormatError('its metadata holds a number of more than 64 bits');
    }
  }

  /** A signed integer of any width, exact up to 2^53. */
  integer(): number {
    const zigzag = this.unsigned();
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  }

  /** The place of the bytes of a binary or string. */
  binary(): { readonly start: number; readonly end: number } {
    return this.bytes(this.unsigned());
  }

  /** The place of the next `length` bytes. */
  bytes(length: number): { readonly start: number; readonly end: number } {
    const start = this.#at;
    if (length > this.#end - start) throw new ParquetFormatError('its metadata is cut off');
    this.#at = start + length;
    return { start, end: this.#at };
  }

  /** A string. */
  text(): string {
    const { start, end } = this.binary();
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start).toString('utf8');
  }

  /** Passes over a value of a type. */
  skip(type: number, depth = 0): void {
    if (depth > MAX_DEPTH) throw new ParquetFormatError('its metadata is nested too deep');
    switch (type) {
      case BOOLEAN_TRUE:
      case BOOLEAN_FALSE:
        return;
      case BYTE:
        this.#byte();
        return;
      case I16:
      case I32:
      case I64:
        this.unsigned();
        return;
      case DOUBLE:
        this.#at += 8;
        return;
      case BINARY:
        this.binary();
        return;
      case LIST:
      case SET:
        // in a list, unlike in a struct, a boolean takes a byte
        this.list((item) => this.skip(item === BOOLEAN_TRUE || item === BOOLEAN_FALSE ? BYTE : item, depth + 1));
        return;
      case STRUCT:
        this.struct((_id, field) => this.skip(field, depth + 1));
        return;
      default:
        throw new ParquetFormatError(`its metadata holds an unknown type ${type}`);
    }
  }

  #byte(): number {
    const byte = this.#at < this.#end ? this.#bytes[this.#at] : undefined;
    if (byte === undefined) throw new ParquetFormatError('its metadata is cut off');
    this.#at += 1;
    return byte;
  }
}
