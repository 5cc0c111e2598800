import { keccak256 as viemKeccak256 } from 'viem';
import type { Hex } from '../core/hex.js';

/** Keccak-256 (the original padding, as on Ethereum) as lower-case hex. */
export function keccak256(bytes: Uint8Array): Hex {
  return viemKeccak256(bytes);
}

/** The id of a message: keccak256 of its canonical bytes. */
export function computeMessageId(encodedMessage: Uint8Array): Hex {
  return keccak256(encodedMessage);
}
