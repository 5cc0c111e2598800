import { LRUCache } from 'lru-cache';
import { IndexerError } from '../core/errors.js';
import { type Hex, hexToBytes, isHex } from '../core/hex.js';
import { keccak256 } from './keccak.js';

const MAX_CCVS = 255;
const MAX_ADDRESS_BYTES = 255;

/** The addresses cannot be hashed: no hex, unequal or too long, or too many CCVs. `details.field` says which. */
export class CCVAndExecutorHashError extends IndexerError {
  constructor(field: string, expected: string, found: string) {
    super('CCV_AND_EXECUTOR_HASH', `cannot hash ${field}: expected ${expected}, found ${found}`, false, {
      details: { field, expected, found },
    });
  }
}

/**
 * `keccak256(u8 addressLength ‖ ccv1 ‖ … ‖ executor)` (`README.md`). Addresses are as they are on the source
 * chain, unpadded (20 bytes on EVM chains), in receipt order, hex of either case.
 * @throws CCVAndExecutorHashError when addresses differ in length from the executor's, or CCVs are more than 255.
 */
export function computeCCVAndExecutorHash(ccvs: readonly Hex[], executor: Hex): Hex {
  if (ccvs.length > MAX_CCVS)
    throw new CCVAndExecutorHashError('ccvs', `at most ${MAX_CCVS} addresses`, `${ccvs.length}`);
  const length = addressLength('executor', executor);
  if (length > MAX_ADDRESS_BYTES)
    throw new CCVAndExecutorHashError('executor', `at most ${MAX_ADDRESS_BYTES} bytes`, `${length} bytes`);
  let digits = '';
  ccvs.forEach((ccv, index) => {
    const found = addressLength(`ccvs[${index}]`, ccv);
    if (found !== length)
      throw new CCVAndExecutorHashError(`ccvs[${index}]`, `${length} bytes as the executor has`, `${found} bytes`);
    digits += ccv.slice(2);
  });
  return keccak256(hexToBytes(`0x${length.toString(16).padStart(2, '0')}${digits}${executor.slice(2)}`));
}

/** `computeCCVAndExecutorHash` by any means. */
export type CCVAndExecutorHasher = (ccvs: readonly Hex[], executor: Hex) => Hex;

/**
 * A hasher that remembers the last `maxEntries` hashes: thousands of messages share their CCVs and executor, and a
 * hash takes about ten times as long as finding it again.
 */
export function createCCVAndExecutorHasher(maxEntries = 1_000): CCVAndExecutorHasher {
  const known = new LRUCache<string, Hex>({ max: maxEntries });
  return (ccvs, executor) => {
    // no two lists make the same text: x is no digit
    const key = ccvs.join('') + executor;
    const found = known.get(key);
    if (found !== undefined) return found;
    const hash = computeCCVAndExecutorHash(ccvs, executor);
    known.set(key, hash);
    return hash;
  };
}

function addressLength(field: string, address: Hex): number {
  if (!isHex(address))
    throw new CCVAndExecutorHashError(field, '0x and an even number of hex digits', String(address).slice(0, 20));
  return (address.length - 2) >>> 1;
}
