import { expect, it } from 'vitest';
import { laneGaps } from '../../../src/app/doctor/lane-gaps.js';
import type { LanePlace } from '../../../src/storage/postgres/diagnosis/lanes.js';

const place = (number: number, dest = 1n, onRamp = '0x01'): LanePlace => ({
  destChainSelector: dest,
  onRampAddress: onRamp as `0x${string}`,
  messageNumber: BigInt(number),
  blockNumber: BigInt(number * 10),
});
const found = (numbers: readonly number[], without: readonly number[] = []) =>
  laneGaps(
    numbers.map((number) => place(number)),
    without.map((number) => ({ ...place(number), blockNumber: null })),
  ).map(({ first, last, missing, fromBlock, toBlock }) => [first, last, missing, fromBlock, toBlock].map(Number));

it('a gap is what is missing between two messages of a lane, with the blocks around it', () => {
  expect(found([])).toEqual([]);
  expect(found([5, 6, 7])).toEqual([]);
  expect(found([5, 8, 9, 11])).toEqual([
    [6, 7, 2, 50, 80],
    [10, 10, 1, 90, 110],
  ]);
});

it('messages that are known without a block fill gaps', () => {
  expect(found([5, 8], [6, 7])).toEqual([]);
  expect(found([5, 9], [7, 42])).toEqual([[6, 8, 2, 50, 90]]);
});

it('each lane of each OnRamp has numbers of its own', () => {
  const others = [place(1), place(1, 2n), place(2), place(1, 1n, '0x02'), place(2, 2n), place(3)];
  expect(laneGaps(others, [])).toEqual([]);
});
