import { expect, test } from 'vitest';
import type { Backend } from '../../../src/sink/backend.js';
import { lastKeeper, pruneLimit } from '../../../src/sink/prune/prune-limit.js';

const NOW_MS = 1_000_000;

interface BackendState {
  readonly name: string;
  readonly tier: Backend['tier'];
  readonly throughPosition: bigint;
  readonly throughMs?: number;
  readonly afterMs?: number;
  readonly durable?: boolean;
  readonly isPlaced?: boolean;
}

/** Only what the limit is made from. */
function backend({ name, tier, durable = true, isPlaced = true, ...state }: BackendState): Backend {
  const coverage = { afterMs: -1, throughMs: Number.POSITIVE_INFINITY, ...state };
  return { name, tier, storage: { durable, coverage: () => coverage }, follower: { progress: { isPlaced } } } as never;
}

const pruned = { name: 'warm', storage: {} as never, retentionMs: 1_000 };
const warm = backend({ name: 'warm', tier: 'warm', throughPosition: 90n });
const cold = { name: 'cold', tier: 'cold', throughPosition: 50n, throughMs: 900_000 } as const;
const limit = (...others: Backend[]) => pruneLimit([warm, ...others], pruned, NOW_MS);

test('promise 8: nothing is pruned above what the cold tier has committed, by position and by time', () => {
  expect(limit(backend(cold))).toEqual({ position: 50n, ingestionMs: 900_000 });
});

test('nothing is pruned before its retention is over', () => {
  expect(limit(backend({ ...cold, throughMs: 999_500 }))).toEqual({ position: 50n, ingestionMs: 998_999 });
});

test('promise 8: every durable backend must have it, a memory need not', () => {
  const second = backend({ name: 'second', tier: 'warm', throughPosition: 20n });
  const hot = backend({ name: 'hot', tier: 'hot', throughPosition: 1n, durable: false });
  expect(limit(backend(cold), second, hot)?.position).toBe(20n);
});

test('promise 8: of two keepers the one that is behind decides, in position and in time, whichever comes first', () => {
  const behind = backend({ ...cold, name: 'behind', throughPosition: 30n, throughMs: 800_000 });
  const further = backend({ ...cold, name: 'further', throughPosition: 70n, throughMs: 950_000 });
  for (const keepers of [[behind, further] as const, [further, behind] as const]) {
    expect(limit(...keepers)).toEqual({ position: 30n, ingestionMs: 800_000 });
    expect(lastKeeper([warm, ...keepers], pruned)).toEqual({ name: 'behind', throughPosition: 30n });
  }
});

test('nothing is pruned without a cold tier that is known to hold everything from the beginning', () => {
  expect(limit()).toBeNull();
  expect(limit(backend({ name: 'second', tier: 'warm', throughPosition: 80n }))).toBeNull();
  expect(limit(backend({ ...cold, isPlaced: false }))).toBeNull();
  expect(limit(backend({ ...cold, afterMs: 5 }))).toBeNull();
  expect(limit(backend({ ...cold, throughMs: -1 }))).toBeNull();
  expect(limit(backend({ ...cold, throughPosition: 0n }))).toBeNull();
});
