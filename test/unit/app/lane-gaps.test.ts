import { expect, it } from 'vitest';
import { laneGaps, withoutKnown } from '../../../src/app/doctor/lane-gaps.js';
import type { LanePlace } from '../../../src/storage/postgres/diagnosis/lanes.js';

const place = (number: number, dest = 1n, onRamp = '0x01'): LanePlace => ({
  destChainSelector: dest,
  onRampAddress: onRamp as `0x${string}`,
  messageNumber: BigInt(number),
  blockNumber: BigInt(number * 10),
});
/** The gaps of these numbers in the order of their chain, the newest first. */
async function found(numbers: readonly number[], without: readonly number[] = []) {
  const gaps = await laneGaps(numbers.map((number) => place(number)).reverse());
  const left = withoutKnown(
    gaps,
    without.map((number) => ({ ...place(number), blockNumber: null })),
  );
  return left.map(({ first, last, missing, fromBlock, toBlock }) =>
    [first, last, missing, fromBlock, toBlock].map(Number),
  );
}

it('a gap is what is missing between two messages of a lane, with the blocks around it', async () => {
  expect(await found([])).toEqual([]);
  expect(await found([5, 6, 7])).toEqual([]);
  expect(await found([5, 8, 9, 11])).toEqual([
    [10, 10, 1, 90, 110],
    [6, 7, 2, 50, 80],
  ]);
});

it('messages that are known without a block fill gaps', async () => {
  expect(await found([5, 8], [6, 7])).toEqual([]);
  expect(await found([5, 9], [7, 42])).toEqual([[6, 8, 2, 50, 90]]);
});

it('each lane of each OnRamp has numbers of its own', async () => {
  const others = [place(1), place(1, 2n), place(2), place(1, 1n, '0x02'), place(2, 2n), place(3)];
  expect(await laneGaps(others.reverse())).toEqual([]);
});
