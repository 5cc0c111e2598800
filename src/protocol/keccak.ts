import { createKeccak } from 'hash-wasm';
import type { Hex } from '../core/hex.js';

// One hasher for all: every use resets it and ends before anything else can run. Measured per 500 bytes: 2 µs, where
// noble's (viem's) takes 27 µs; a backfill hashes every message and every CCV list.
const hasher = await createKeccak(256);

/** Keccak-256 (the original padding, as on Ethereum) as lower-case hex. */
export function keccak256(bytes: Uint8Array): Hex {
  return `0x${hasher.init().update(bytes).digest('hex')}`;
}

/** Keccak-256 as 32 bytes. */
export function keccak256Bytes(bytes: Uint8Array): Uint8Array {
  return hasher.init().update(bytes).digest('binary');
}

/** The id of a message: keccak256 of its canonical bytes. */
export function computeMessageId(encodedMessage: Uint8Array): Hex {
  return keccak256(encodedMessage);
}
