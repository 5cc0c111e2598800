import type { Hex } from '../../core/hex.js';
import { hexToBytes } from '../../core/hex.js';
import { keccak256 } from '../../protocol/keccak.js';

/** Tests whether a block's logs bloom contains everything that was looked for: false means surely not. */
export type BloomTest = (logsBloom: Hex | null) => boolean;

/**
 * The worth of the blooms of a chain: `proveNothing` once a log was seen in a block whose bloom denies it (some chains
 * have empty blooms throughout), `prove` while logs were seen and no bloom denied one.
 */
export type BloomWorth = 'unknown' | 'prove' | 'proveNothing';

/** The blooms of one chain, not relied on any more once they prove nothing. */
export interface ChainBlooms {
  readonly worth: BloomWorth;
  /** True when the bloom says that the block may hold a message; never when there is none, or blooms prove nothing. */
  readonly mayHoldMessage: BloomTest;
  /** A message was found in a block; `admitted`: its bloom says that it may hold one. */
  noteMessage(admitted: boolean): void;
}

/** `test`: whether a bloom admits a message. `onWorthless` is called once. */
export function createChainBlooms(test: BloomTest, onWorthless: () => void): ChainBlooms {
  let worth: BloomWorth = 'unknown';
  return {
    get worth() {
      return worth;
    },
    mayHoldMessage: (logsBloom) => logsBloom !== null && worth !== 'proveNothing' && test(logsBloom),
    noteMessage(admitted) {
      if (worth === 'proveNothing') return;
      worth = admitted ? 'prove' : 'proveNothing';
      if (!admitted) onWorthless();
    },
  };
}

/**
 * A test for blooms (Ethereum yellow paper, 4.3.1: of each value's keccak, the first three pairs of bytes modulo 2048
 * are bits, counted from the end of the 256 bytes) that reads the hex digits as they are.
 */
export function createBloomTest(values: readonly Hex[]): BloomTest {
  const bits = values.flatMap((value) => {
    const hash = keccak256(hexToBytes(value));
    return [0, 4, 8].map((at) => {
      const bit = Number.parseInt(hash.slice(2 + at, 6 + at), 16) & 2047;
      return { digit: 2 + 511 - (bit >>> 2), mask: 1 << (bit & 3) };
    });
  });
  return (logsBloom) =>
    logsBloom === null || bits.every(({ digit, mask }) => (Number.parseInt(logsBloom.charAt(digit), 16) & mask) !== 0);
}
