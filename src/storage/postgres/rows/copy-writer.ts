import type { Hex } from '../../../core/hex.js';

/** Messages of the protocol, each a byte and the length of the rest. */
const COPY_DATA = 0x64;
const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4]);
const MESSAGE_HEADER_BYTES = 5;

/** Of the binary format: signature, flags, length of the extension. */
const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
const TRAILER = Buffer.from([0xff, 0xff]);
const END_BYTES = TRAILER.length + COPY_DONE.length;
/** Of a chunk, beside its rows. */
const OVERHEAD_BYTES = MESSAGE_HEADER_BYTES + HEADER.length + END_BYTES;

/**
 * Most bytes of one chunk, unless a single row is larger. A socket takes about this much at once: the database has all
 * of a chunk, and works on it, while the next one is made.
 */
const CHUNK_BYTES = 1 << 18;

/** Writes the fields of rows one behind the other, each an i32 length (−1 = null) and bytes. */
export class CopyWriter {
  #buffer: Buffer;
  /** Of the same bytes: its writes are single instructions. */
  #view: DataView;
  #at = MESSAGE_HEADER_BYTES;

  /** @param sizeBytes of all rows, at most. */
  constructor(sizeBytes: number) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, OVERHEAD_BYTES + sizeBytes));
    this.#view = viewOf(this.#buffer);
    this.#at += HEADER.copy(this.#buffer, this.#at);
  }

  /** True when `sizeBytes` more do not fit into the chunk. */
  isFull(sizeBytes: number): boolean {
    return this.#at + sizeBytes + END_BYTES > this.#buffer.length;
  }

  /** The chunk as it is, as a message; the next one has room for `sizeBytes`. */
  take(sizeBytes: number): Buffer {
    const taken = this.#message();
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, OVERHEAD_BYTES + sizeBytes));
    this.#view = viewOf(this.#buffer);
    this.#at = MESSAGE_HEADER_BYTES;
    return taken;
  }

  /** The last chunk, as the last messages. */
  end(): Buffer {
    this.#at += TRAILER.copy(this.#buffer, this.#at);
    const sizeBytes = this.#message().length;
    COPY_DONE.copy(this.#buffer, sizeBytes);
    return this.#buffer.subarray(0, sizeBytes + COPY_DONE.length);
  }

  /** Begins a row. */
  row(fields: number): void {
    this.#view.setInt16(this.#at, fields);
    this.#at += 2;
  }

  null(): void {
    this.#length(-1);
  }

  bytes(value: Uint8Array): void {
    this.#length(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }

  hex(value: Hex): void {
    const length = (value.length - 2) >>> 1;
    this.#length(length);
    this.#buffer.write(value.slice(2), this.#at, 'hex');
    this.#at += length;
  }

  /** A field of `sizeBytes` that `write` puts at a place. */
  written(sizeBytes: number, write: (buffer: Buffer, at: number) => void): void {
    this.#length(sizeBytes);
    write(this.#buffer, this.#at);
    this.#at += sizeBytes;
  }

  text(value: string): void {
    const length = this.#buffer.write(value, this.#at + 4, 'utf8');
    this.#length(length);
    this.#at += length;
  }

  /** A `bigint` from a bigint. */
  bigint(value: bigint): void {
    this.#length(8);
    this.#view.setBigInt64(this.#at, value);
    this.#at += 8;
  }

  /** A `bigint` from a number. */
  integer(value: number): void {
    this.#length(8);
    this.#view.setInt32(this.#at, Math.floor(value / 2 ** 32));
    this.#view.setUint32(this.#at + 4, value >>> 0);
    this.#at += 8;
  }

  smallint(value: number): void {
    this.#length(2);
    this.#view.setInt16(this.#at, value);
    this.#at += 2;
  }

  boolean(value: boolean): void {
    this.#length(1);
    this.#view.setUint8(this.#at, value ? 1 : 0);
    this.#at += 1;
  }

  #length(bytes: number): void {
    this.#view.setInt32(this.#at, bytes);
    this.#at += 4;
  }

  #message(): Buffer {
    this.#buffer[0] = COPY_DATA;
    this.#buffer.writeInt32BE(this.#at - 1, 1);
    return this.#buffer.subarray(0, this.#at);
  }
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
}

/**
 * Rows in the format of `COPY … FROM STDIN (FORMAT binary)`, as the messages that carry them: chunks of CopyData, the
 * last with CopyDone behind it. A chunk is made when it is asked for.
 * @param mostBytes of a row, at least.
 */
export function* copyMessages<T>(
  rows: readonly T[],
  mostBytes: (row: T) => number,
  write: (writer: CopyWriter, row: T) => void,
): Generator<Buffer, void, void> {
  let allBytes = 0;
  for (const row of rows) allBytes += mostBytes(row);
  const writer = new CopyWriter(allBytes);
  for (const row of rows) {
    const sizeBytes = mostBytes(row);
    if (writer.isFull(sizeBytes)) yield writer.take(sizeBytes);
    write(writer, row);
  }
  yield writer.end();
}
