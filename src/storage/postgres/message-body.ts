import { createHash } from 'node:crypto';
import { bytesToHex, type Hex } from '../../core/hex.js';
import type { NewMessage } from '../records.js';

/** What a message and its verifier results have in common. */
export type MessageBody = Pick<NewMessage, 'encodedMessage' | 'messageCCVAddresses' | 'messageExecutorAddress'>;

/** A body as the database keeps it. */
export interface PackedBody {
  readonly bytes: Buffer;
  /** sha256 of `bytes`. */
  readonly hash: Buffer;
}

/**
 * One byte string: u8 number of CCV addresses, each u8 length and bytes; the executor address in the same way; the canonical
 * message to the end. Two bodies are equal when their bytes are.
 */
export function packBody(body: MessageBody): PackedBody {
  const { encodedMessage, messageCCVAddresses, messageExecutorAddress } = body;
  let sizeBytes = 1 + (messageExecutorAddress.length >>> 1) + encodedMessage.length;
  for (const address of messageCCVAddresses) sizeBytes += address.length >>> 1;
  const bytes = Buffer.allocUnsafe(sizeBytes);
  bytes[0] = messageCCVAddresses.length;
  let offset = 1;
  for (const address of messageCCVAddresses) offset = writeAddress(bytes, offset, address);
  offset = writeAddress(bytes, offset, messageExecutorAddress);
  bytes.set(encodedMessage, offset);
  return { bytes, hash: hashBody(bytes) };
}

/** sha256 of a packed body. */
export function hashBody(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** The inverse of `packBody`. The result shares memory with `bytes`. */
export function unpackBody(bytes: Buffer): MessageBody {
  let offset = 1;
  const readAddress = (): Hex => {
    const end = offset + 1 + (bytes[offset] ?? 0);
    const address = bytesToHex(bytes.subarray(offset + 1, end));
    offset = end;
    return address;
  };
  const messageCCVAddresses = Array.from({ length: bytes[0] ?? 0 }, readAddress);
  const messageExecutorAddress = readAddress();
  return { messageCCVAddresses, messageExecutorAddress, encodedMessage: bytes.subarray(offset) };
}

// hex with its prefix takes one byte more than the bytes: just what the length byte needs
function writeAddress(bytes: Buffer, offset: number, address: Hex): number {
  const length = (address.length - 2) >>> 1;
  bytes[offset] = length;
  bytes.write(address.slice(2), offset + 1, 'hex');
  return offset + 1 + length;
}
