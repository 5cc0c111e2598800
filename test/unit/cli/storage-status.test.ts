import { expect, test } from 'vitest';
import { withHoldup, withLag } from '../../../src/cli/storage/status.js';
import { describeTier } from '../../../src/cli/storage/status-text.js';
import type { TierStatus } from '../../../src/cli/storage/tier-status.js';

const database = (backend: string, position: bigint, oldestMs = 0): TierStatus => ({
  ...{ backend, condition: 'always', type: 'postgres' },
  description: {
    ...{ namespace: 'ccv', position, headPosition: position, headMs: Number(position) * 1_000 },
    ...{ floorPosition: 0n, floorMs: -1, oldestMs, newestMs: 0, hasOwnCommits: true, tables: [] },
  },
});
const cold = (
  position: bigint,
  { role = 'follower', headPosition = position }: { role?: 'follower' | 'leader'; headPosition?: bigint } = {},
): TierStatus => ({
  ...{ backend: 'cold', condition: 'always', type: 's3', place: 'here', role },
  description: {
    ...{ position, headPosition, headMs: position === 0n ? -1 : Number(position) * 1_000, tornFiles: 0, tables: [] },
    waitingForVacuum: { files: 0, bytes: 0 },
  },
});
const lagsOf = (tiers: readonly TierStatus[]) =>
  tiers.map((tier) => (tier.type === 'memory' ? undefined : tier.lag?.positions));

test('lag is what the system of record has and a tier has not, whatever their order', () => {
  expect(lagsOf(withLag([database('backup', 5n), database('primary', 9n), cold(7n)], 'primary'))).toEqual([
    4n,
    undefined,
    2n,
  ]);
});

test('without the system of record nobody is said to hold everything', () => {
  const away: TierStatus = {
    ...{ backend: 'primary', condition: 'always', type: 'postgres' },
    unreachable: { code: 'STORAGE_UNAVAILABLE', message: 'refused' },
  };
  expect(lagsOf(withLag([away, database('backup', 5n), cold(7n)], 'primary'))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('a cold tier alone is the system of record', () => {
  expect(lagsOf(withLag([cold(7n, { role: 'leader' })], undefined))).toEqual([undefined]);
});

test('one that holds nothing is behind by positions, not since 1970', () => {
  expect(withLag([database('primary', 9n), cold(0n)], 'primary')[1]).toMatchObject({
    lag: { positions: 9n, ms: null },
  });
});

test('a cold tier says whether it is complete, empty, or in the middle of a backlog', () => {
  const described = (tier: TierStatus) => describeTier(tier, 0)[1]?.trim();
  expect(described(cold(0n))).toBe('empty');
  expect(described(cold(7n))).toBe('complete for positions 1 to 7');
  expect(described(cold(7n, { headPosition: 9n }))).toBe(
    'CATCHING UP: at position 7 of 9; a backlog is flushed in parts',
  );
});

test('a database with records beyond its retention says which tier its pruning waits for', () => {
  const nowMs = 1_000_000;
  const aged = (oldestMs: number) => database('warm', 900n, oldestMs);
  const linesOf = (tier: TierStatus, other: TierStatus) =>
    describeTier(withHoldup([tier, other], new Map([['warm', 400_000]]), nowMs)[0]!, nowMs).filter((line) =>
      line.includes('pruning'),
    );
  const away: TierStatus = {
    ...{ backend: 'cold', condition: 'always', type: 's3', place: 'here', role: 'follower' },
    unreachable: { code: 'X', message: 'away' },
  };
  const before = '  pruning of records before 1970-01-01T00:10:00.000Z waits for cold, which';
  expect(linesOf(aged(100_000), cold(500n))).toEqual([`${before} ends at 1970-01-01T00:08:20.000Z`]);
  expect(linesOf(aged(100_000), cold(0n))).toEqual([`${before} is empty`]);
  expect(linesOf(aged(100_000), away)).toEqual([`${before} cannot be relied on now`]);
  expect(linesOf(aged(100_000), cold(700n, { headPosition: 800n }))).toEqual([`${before} cannot be relied on now`]);
  // it holds what should go; nothing is due
  expect(linesOf(aged(100_000), cold(700n))).toEqual([]);
  expect(linesOf(aged(700_000), cold(500n))).toEqual([]);
});
