import type { Hex } from '../../core/hex.js';
import type { LanePlace } from '../../storage/postgres/diagnosis/lanes.js';

/** Numbers of a lane that no message has, between two that messages have; both ends inclusive. */
export interface LaneGap {
  readonly destChainSelector: bigint;
  readonly onRampAddress: Hex;
  readonly first: bigint;
  readonly last: bigint;
  /** How many of them no message has: others may be known without a block. */
  readonly missing: bigint;
  /** Blocks of the messages before and after it. */
  readonly fromBlock: bigint;
  readonly toBlock: bigint;
}

/**
 * The gaps in the numbers of the messages of one source chain. An OnRamp numbers the messages of each lane without a
 * gap, in the order of its chain.
 * @param inOrder messages that were read from the chain, in its order, without one left out between two of them.
 * @param withoutBlock messages that are known otherwise.
 */
export function laneGaps(inOrder: readonly LanePlace[], withoutBlock: readonly LanePlace[]): readonly LaneGap[] {
  const laneOf = ({ destChainSelector, onRampAddress }: LanePlace) => `${destChainSelector} ${onRampAddress}`;
  const before = new Map<string, LanePlace>();
  const gaps: LaneGap[] = [];
  for (const place of inOrder) {
    const lane = laneOf(place);
    const previous = before.get(lane);
    before.set(lane, place);
    if (!previous || place.messageNumber <= previous.messageNumber + 1n) continue;
    const [first, last] = [previous.messageNumber + 1n, place.messageNumber - 1n];
    const known = new Set(
      withoutBlock
        .filter((each) => laneOf(each) === lane && each.messageNumber >= first && each.messageNumber <= last)
        .map(({ messageNumber }) => messageNumber),
    );
    const missing = last - first + 1n - BigInt(known.size);
    if (missing === 0n) continue;
    const { destChainSelector, onRampAddress } = place;
    const [fromBlock, toBlock] = [previous.blockNumber ?? 0n, place.blockNumber ?? 0n];
    gaps.push({ destChainSelector, onRampAddress, first, last, missing, fromBlock, toBlock });
  }
  return gaps;
}
