import { privateKeyToAccount } from 'viem/accounts';
import { type Hex, hexToBytes } from '../../../src/core/hex.js';
import { keccak256 } from '../../../src/protocol/keccak.js';
import { COMMITTEE_TAG, signCommitteeProof } from '../../../src/protocol/signatures.js';

/** The message that proofs are of, unless they say another. */
export const MESSAGE_ID: Hex = `0x${'ab'.repeat(32)}`;
/** The order of secp256k1. */
export const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** Keys in the order of their addresses. */
export const KEYS = Array.from({ length: 5 }, (_, index) => keccak256(Buffer.from(`committee key ${index}`)))
  .map((key) => ({ key, address: privateKeyToAccount(key).address.toLowerCase() as Hex }))
  .sort((a, b) => (a.address < b.address ? -1 : 1));
export const MEMBERS = KEYS.slice(0, 4);
export const STRANGER = KEYS[4]!;

export const signed = (keys: readonly { readonly key: Hex }[], tag = COMMITTEE_TAG, messageId = MESSAGE_ID) =>
  signCommitteeProof(
    tag,
    messageId,
    keys.map(({ key }) => key),
  );
export const signatureOf = (proof: Uint8Array, index: number) =>
  Buffer.from(proof.subarray(6 + 64 * index, 70 + 64 * index));

export function proofOf(
  signatures: readonly Uint8Array[],
  tag = COMMITTEE_TAG,
  length = 64 * signatures.length,
): Uint8Array {
  return Buffer.concat([hexToBytes(`${tag}${length.toString(16).padStart(4, '0')}`), ...signatures]);
}

/** The signature as it is when v = 28 is not folded into s. */
export function unfolded(signature: Uint8Array): Uint8Array {
  const s = ORDER - BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`);
  return Buffer.concat([signature.subarray(0, 32), hexToBytes(`0x${s.toString(16).padStart(64, '0')}`)]);
}
