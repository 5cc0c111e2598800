import { keccak256, stringToHex } from 'viem';
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts';
import type { Hex } from '../../../src/core/hex.js';

/** A holder of keys in the devnet. */
export type DevnetRole =
  | `owner of ${string}`
  | 'sender'
  | 'executor'
  | 'developer'
  | `committee ${string} signer ${number}`
  | `client of ${string}`;

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

/** How a client of a committee's aggregator signs its requests. */
export interface DevnetCredentials {
  /** A UUID. */
  readonly apiKey: string;
  /** 32 bytes, hex without prefix. */
  readonly secret: string;
}

/** The credentials of the one client of an aggregator, as worthless as the keys. */
export function devnetCredentials(committee: string): DevnetCredentials {
  const secret = devnetKey(`client of ${committee}`);
  const apiKey = keccak256(secret).replace(/^0x(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
  return { apiKey, secret: secret.slice(2) };
}
