import { InvalidArgumentError } from '../core/errors.js';

/** The depth that a message waits for on its source chain. */
export type Finality =
  | { readonly kind: 'finalized' }
  | { readonly kind: 'safe' }
  /** `depth` blocks on top of its own. */
  | { readonly kind: 'depth'; readonly depth: number };

/** Block numbers of a chain's heads; null where the chain has no such tag (or none yet). */
export interface ChainHeads {
  readonly latest: bigint;
  readonly safe: bigint | null;
  readonly finalized: bigint | null;
}

const SAFE_FLAG = 0x0001_0000;
const MAX_DEPTH = 0xffff;
const MAX_U32 = 0xffff_ffff;

/**
 * The meaning of a message's `finality` (`README.md`): 0 finalized, 0x00010000 the safe tag, 1 to 0xffff a
 * depth, anything else finalized.
 * @throws InvalidArgumentError unless `value` is an unsigned 32-bit number.
 */
export function parseFinality(value: number): Finality {
  if (!Number.isInteger(value) || value < 0 || value > MAX_U32)
    throw new InvalidArgumentError(`finality is ${value}: pass the four bytes as an unsigned 32-bit number`);
  if (value === SAFE_FLAG) return { kind: 'safe' };
  if (value >= 1 && value <= MAX_DEPTH) return { kind: 'depth', depth: value };
  return { kind: 'finalized' };
}

/**
 * True when a message in block `blockNumber` has the finality it asks for. A finalized block satisfies every request;
 * without a safe tag, safe means finalized.
 * @throws InvalidArgumentError unless `finality` is an unsigned 32-bit number.
 */
export function isFinalityReached(finality: number, blockNumber: bigint, heads: ChainHeads): boolean {
  const wanted = parseFinality(finality);
  if (heads.finalized !== null && blockNumber <= heads.finalized) return true;
  switch (wanted.kind) {
    case 'finalized':
      return false;
    case 'safe':
      return heads.safe !== null && blockNumber <= heads.safe;
    case 'depth':
      return blockNumber + BigInt(wanted.depth) <= heads.latest;
  }
}
