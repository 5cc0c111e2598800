import { describe, expect, test } from 'vitest';
import { type Contribution, findTear, mergedAsOf, withoutSuperseded } from '../../../src/sink/read/merge.js';

const OPEN = Number.POSITIVE_INFINITY;
const part = (position: bigint, movePosition: bigint, rest: Partial<Contribution> = {}): Contribution => ({
  asOf: { position, movePosition },
  endMs: OPEN,
  contributed: true,
  closedMs: 1_000,
  ...rest,
});

describe('merge', () => {
  test('parts of one state fit together', () => {
    expect(findTear([part(10n, 9n, { endMs: 99 }), part(10n, 9n)])).toBeNull();
    expect(findTear([])).toBeNull();
  });

  test('a move between the lowest and the furthest part is a tear, in either order', () => {
    expect(findTear([part(20n, 15n, { endMs: 99 }), part(10n, 0n)])).toBe(15n);
    expect(findTear([part(10n, 0n, { endMs: 99 }), part(20n, 15n)])).toBe(15n);
  });

  test('commits without a move between the parts are no tear', () => {
    expect(findTear([part(20n, 10n, { endMs: 99 }), part(10n, 10n)])).toBeNull();
  });

  test('an earlier slice that was still open when an older state of it was read is a tear', () => {
    expect(findTear([part(10n, 0n, { endMs: 99, closedMs: 50 }), part(20n, 0n)])).toBe(20n);
    expect(findTear([part(10n, 0n, { endMs: 99, closedMs: 99 }), part(20n, 0n)])).toBeNull();
    expect(findTear([part(20n, 0n, { endMs: 99, closedMs: 50 }), part(10n, 0n)])).toBeNull();
    expect(findTear([part(10n, 0n, { endMs: 99, closedMs: 50 }), part(20n, 0n, { contributed: false })])).toBeNull();
  });

  test('the merged answer is of the least advanced part', () => {
    expect(mergedAsOf([part(20n, 5n), part(10n, 4n), part(15n, 5n)])).toEqual({ position: 10n, movePosition: 5n });
  });

  test('of two records with one identity the later state stays, in its place', () => {
    const records = [
      { id: 'a', position: 1n },
      { id: 'b', position: 9n },
      { id: 'c', position: 3n },
      { id: 'a', position: 7n },
      { id: 'b', position: 8n },
    ];
    expect(withoutSuperseded(records, ({ id }) => id)).toEqual([records[1], records[2], records[3]]);
    const distinct = records.slice(0, 3);
    expect(withoutSuperseded(distinct, ({ id }) => id)).toBe(distinct);
  });
});
