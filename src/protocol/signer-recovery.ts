import { bytesToHex, type Hex } from '../core/hex.js';
import { keccak256Bytes } from './keccak.js';

/**
 * The address (20 bytes, lower-case) whose key signed `hash` (32 bytes) with `signature` (64 bytes: r, s); null where
 * no key did. As the precompile `ecrecover` of an EVM with v = 27: s may be high; r and s are below the order of the
 * curve, and neither is 0.
 */
export type RecoverSigner = (hash: Uint8Array, signature: Uint8Array) => Hex | null;

/** Parity of the y of r: v = 27. */
const EVEN = 0;
const ADDRESS_BYTES = 20;

let loading: Promise<RecoverSigner> | undefined;

/**
 * Loads libsecp256k1 as WebAssembly, once, when it is first needed: 50 ms. Measured on one core: 0.13 ms a signature,
 * where noble's (viem's) takes 2 ms.
 */
export function loadSignerRecovery(): Promise<RecoverSigner> {
  loading ??= load();
  return loading;
}

async function load(): Promise<RecoverSigner> {
  // its index would bring a virtual machine for another chain along
  const { instantiateSecp256k1 } = await import('@bitauth/libauth/build/lib/crypto/secp256k1.js');
  const { recoverPublicKeyUncompressed } = await instantiateSecp256k1();
  return (hash, signature) => {
    const key = recoverPublicKeyUncompressed(signature, EVEN, hash);
    // a text says why there is none
    return typeof key === 'string' ? null : bytesToHex(keccak256Bytes(key.subarray(1)).subarray(-ADDRESS_BYTES));
  };
}
