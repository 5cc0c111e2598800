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
 * The gaps in the numbers of the messages of one source chain, the newest first. An OnRamp numbers the messages of each
 * lane without a gap, in the order of its chain.
 * @param newestFirst messages that were read from the chain, against its order, none between two of them left out.
 */
export async function laneGaps(newestFirst: AsyncIterable<LanePlace> | Iterable<LanePlace>): Promise<LaneGap[]> {
  const above = new Map<string, LanePlace>();
  const gaps: LaneGap[] = [];
  for await (const place of newestFirst) {
    const lane = laneOf(place);
    const next = above.get(lane);
    above.set(lane, place);
    if (!next || next.messageNumber <= place.messageNumber + 1n) continue;
    const [first, last] = [place.messageNumber + 1n, next.messageNumber - 1n];
    const { destChainSelector, onRampAddress } = place;
    const [fromBlock, toBlock] = [place.blockNumber ?? 0n, next.blockNumber ?? 0n];
    gaps.push({ destChainSelector, onRampAddress, first, last, missing: last - first + 1n, fromBlock, toBlock });
  }
  return gaps;
}

/** The gaps that are left when messages are known without a block. */
export function withoutKnown(gaps: readonly LaneGap[], known: readonly LanePlace[]): readonly LaneGap[] {
  return gaps.flatMap((gap): LaneGap[] => {
    const inside = known.filter(
      (place) => laneOf(place) === laneOf(gap) && place.messageNumber >= gap.first && place.messageNumber <= gap.last,
    );
    const numbers = new Set(inside.map(({ messageNumber }) => messageNumber));
    const missing = gap.missing - BigInt(numbers.size);
    return missing > 0n ? [{ ...gap, missing }] : [];
  });
}

function laneOf({ destChainSelector, onRampAddress }: Pick<LanePlace, 'destChainSelector' | 'onRampAddress'>): string {
  return `${destChainSelector} ${onRampAddress}`;
}
