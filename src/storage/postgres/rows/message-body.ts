import { hash } from 'node:crypto';
import type { Hex } from '../../../core/hex.js';
import type { MessageBody } from '../../../model/records.js';

/** Where bodies are put together to be hashed: nothing of it outlives a call. */
let scratch = Buffer.allocUnsafeSlow(16_384);

/** Bytes of a packed body. */
export function bodySizeBytes({ encodedMessage, messageCCVAddresses, messageExecutorAddress }: MessageBody): number {
  // hex with its prefix counts one byte more than the bytes: the length byte
  let sizeBytes = 1 + (messageExecutorAddress.length >>> 1) + encodedMessage.length;
  for (const address of messageCCVAddresses) sizeBytes += address.length >>> 1;
  return sizeBytes;
}

/**
 * A body as one byte string: u8 number of CCV addresses, each u8 length and bytes; the executor address in the same
 * way; the canonical message to the end. Two bodies are equal when their bytes are.
 */
export function writeBody(buffer: Buffer, offset: number, body: MessageBody): void {
  let at = offset;
  buffer[at] = body.messageCCVAddresses.length;
  at += 1;
  for (const address of body.messageCCVAddresses) at = writeAddress(buffer, at, address);
  at = writeAddress(buffer, at, body.messageExecutorAddress);
  buffer.set(body.encodedMessage, at);
}

/** sha256 of the packed body. */
export function hashBody(body: MessageBody): Hex {
  const sizeBytes = bodySizeBytes(body);
  if (sizeBytes > scratch.length) scratch = Buffer.allocUnsafeSlow(2 * sizeBytes);
  writeBody(scratch, 0, body);
  return `0x${hash('sha256', scratch.subarray(0, sizeBytes), 'hex')}`;
}

/** The inverse of `writeBody`. The result shares memory with `bytes`. */
export function unpackBody(bytes: Buffer): MessageBody {
  let offset = 1;
  const readAddress = (): Hex => {
    const end = offset + 1 + (bytes[offset] ?? 0);
    const address: Hex = `0x${bytes.toString('hex', offset + 1, end)}`;
    offset = end;
    return address;
  };
  const messageCCVAddresses = Array.from({ length: bytes[0] ?? 0 }, readAddress);
  const messageExecutorAddress = readAddress();
  return { messageCCVAddresses, messageExecutorAddress, encodedMessage: bytes.subarray(offset) };
}

function writeAddress(buffer: Buffer, offset: number, address: Hex): number {
  const length = (address.length - 2) >>> 1;
  buffer[offset] = length;
  buffer.write(address.slice(2), offset + 1, 'hex');
  return offset + 1 + length;
}
