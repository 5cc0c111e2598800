import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/core/random.js';
import { SequenceGaps } from '../../../src/discovery/sequence-gaps.js';

describe('the gaps that were passed', () => {
  it('are the sequences that were passed and not filled, by any order of both', () => {
    const random = seededRandom(3);
    for (let round = 0; round < 50; round++) {
      const gaps = new SequenceGaps(10_000n);
      const missing = new Map<bigint, number>();
      let next = 1n;
      for (let nowMs = 0; nowMs < 60; nowMs++) {
        const length = BigInt(Math.floor(random() * 4));
        gaps.pass(next, next + length - 1n, nowMs);
        for (let sequence = next; sequence < next + length; sequence++) missing.set(sequence, nowMs);
        next += length + 1n;
        const filled = BigInt(Math.floor(random() * Number(next)));
        gaps.fill(filled);
        missing.delete(filled);
      }
      const left = [...missing.keys()];
      for (let sequence = 0n; sequence < next; sequence++) {
        expect(gaps.has(sequence)).toBe(missing.has(sequence));
        expect(gaps.next(sequence)).toBe(left.find((each) => each >= sequence) ?? null);
      }
      for (const atMs of [0, 20, 59, 60])
        expect(gaps.lowest(atMs)).toBe(left.find((each) => (missing.get(each) ?? 0) >= atMs) ?? null);
    }
  });

  it('are forgotten below the window of sequences, and when they were passed by a time', () => {
    const gaps = new SequenceGaps(100n);
    gaps.pass(10n, 50n, 0);
    gaps.pass(60n, 60n, 400);
    gaps.bound(130n);
    expect(gaps.next(0n)).toBe(30n);
    gaps.forget(-1);
    expect(gaps.count).toBe(2);
    gaps.forget(0);
    expect(gaps.next(0n)).toBe(60n);
    gaps.bound(161n);
    expect(gaps.count).toBe(0);
  });
});
