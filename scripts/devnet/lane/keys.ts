import { keccak256, stringToHex } from 'viem';
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts';
import type { Hex } from '../../../src/core/hex.js';

/** A signer of the devnet. */
export type DevnetRole = `owner of ${string}` | 'sender' | 'executor' | `committee ${string} signer ${number}`;

/**
 * The key of a role: derived from its public name alone, so every devnet has the same ones and a data directory holds
 * no secret. THROW-AWAY KEYS: anybody can compute them. Never fund their accounts on a chain that is worth something.
 */
export function devnetKey(role: DevnetRole): Hex {
  return keccak256(stringToHex(`ccv-indexer devnet throw-away key: ${role}`));
}

/** The account of a role. */
export function devnetAccount(role: DevnetRole): PrivateKeyAccount {
  return privateKeyToAccount(devnetKey(role));
}
