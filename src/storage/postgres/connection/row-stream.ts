import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import pg from 'pg';
import { SentRow } from './sent-row.js';

/** Of every message of the server: a byte for its type, then the length of the rest with these four bytes. */
const HEADER_BYTES = 5;
const DATA_ROW = 0x44;

/** The driver's method that takes a stream, which is plain or encrypted by then. */
interface Attaching {
  attachListeners(stream: EventEmitter): void;
}

/**
 * A client that takes rows out of the stream itself, as places in the received bytes. The driver's parser makes a
 * string of every field; it gets all other messages, in order with the rows.
 */
export class RowClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    const { connection } = this as unknown as { readonly connection: pg.Connection & Attaching };
    const attach = connection.attachListeners.bind(connection);
    connection.attachListeners = (stream) => {
      const others = new EventEmitter();
      attach(others);
      const split = createSplitter({
        row: (row) => connection.emit('dataRow', row),
        others: (bytes) => others.emit('data', bytes),
      });
      (stream as Duplex).on('data', split).on('end', () => others.emit('end'));
    };
  }
}

/** Takes chunks of a stream of messages. `others`: whole messages, one or more. */
export function createSplitter(take: {
  readonly row: (row: SentRow) => void;
  readonly others: (bytes: Buffer) => void;
}): (chunk: Buffer) => void {
  /** A message that has begun, in parts, and the bytes to wait for: those of its header, then all of it. */
  let parts: Buffer[] = [];
  let partBytes = 0;
  let wantedBytes = 0;

  /** @returns the bytes behind the last whole message. */
  function split(bytes: Buffer): Buffer {
    let at = 0;
    /** From here on are messages for `others`. */
    let from = 0;
    while (at + HEADER_BYTES <= bytes.length) {
      const behind = at + messageBytes(bytes, at);
      if (behind > bytes.length) break;
      if (bytes[at] === DATA_ROW) {
        if (from < at) take.others(bytes.subarray(from, at));
        take.row(new SentRow(bytes, at + HEADER_BYTES, behind, null));
        from = behind;
      }
      at = behind;
    }
    if (from < at) take.others(bytes.subarray(from, at));
    return bytes.subarray(at);
  }

  function begin(bytes: Buffer): void {
    parts = [bytes];
    partBytes = bytes.length;
    wantedBytes = bytes.length < HEADER_BYTES ? HEADER_BYTES : messageBytes(bytes, 0);
  }

  /** Adds to the message that has begun. Only that one is copied. @returns the bytes of the chunk behind it. */
  function goOn(chunk: Buffer): Buffer {
    let at = 0;
    while (partBytes > 0 && at < chunk.length) {
      const part = chunk.subarray(at, at + wantedBytes - partBytes);
      parts.push(part);
      partBytes += part.length;
      at += part.length;
      if (partBytes < wantedBytes) break;
      const bytes = Buffer.concat(parts, partBytes);
      parts = [];
      partBytes = 0;
      if (messageBytes(bytes, 0) > bytes.length) begin(bytes);
      else split(bytes);
    }
    return chunk.subarray(at);
  }

  return (chunk) => {
    const rest = split(goOn(chunk));
    if (rest.length > 0) begin(rest);
  };
}

function messageBytes(chunk: Buffer, at: number): number {
  return 1 + chunk.readUInt32BE(at + 1);
}
