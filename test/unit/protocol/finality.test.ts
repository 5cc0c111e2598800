import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '../../../src/core/errors.js';
import { isFinalityReached, parseFinality } from '../../../src/protocol/finality.js';

describe('parseFinality', () => {
  it.each([
    [0, { kind: 'finalized' }],
    [1, { kind: 'depth', depth: 1 }],
    [0xffff, { kind: 'depth', depth: 0xffff }],
    [0x0001_0000, { kind: 'safe' }],
    [0x0001_0001, { kind: 'finalized' }],
    [0x0002_0000, { kind: 'finalized' }],
    [0x8000_0000, { kind: 'finalized' }],
    [0xffff_ffff, { kind: 'finalized' }],
  ])('reads %i', (value, finality) => {
    expect(parseFinality(value)).toEqual(finality);
  });

  it.each([-1, 1.5, 2 ** 32, Number.NaN])('refuses %d', (value) => {
    expect(() => parseFinality(value)).toThrow(InvalidArgumentError);
  });
});

describe('isFinalityReached', () => {
  const heads = { latest: 110n, safe: 105n, finalized: 100n };

  it.each([
    ['finalized, at the finalized block', 0, 100n, heads, true],
    ['finalized, one above it', 0, 101n, heads, false],
    ['finalized, where the chain has none', 0, 1n, { ...heads, finalized: null }, false],
    ['safe, at the safe block', 0x0001_0000, 105n, heads, true],
    ['safe, one above it', 0x0001_0000, 106n, heads, false],
    ['safe without the tag, at the finalized block', 0x0001_0000, 100n, { ...heads, safe: null }, true],
    ['safe without the tag, one above it', 0x0001_0000, 101n, { ...heads, safe: null }, false],
    ['depth 5, exactly so deep', 5, 105n, heads, true],
    ['depth 5, one short', 5, 106n, heads, false],
    ['a depth beyond what is finalized already', 0xffff, 100n, heads, true],
    ['a depth without finality on the chain', 5, 105n, { ...heads, finalized: null }, true],
    ['an unknown flag, at the safe block', 0x0002_0005, 105n, heads, false],
    ['an unknown flag, at the finalized block', 0x0002_0005, 100n, heads, true],
  ])('%s', (_, finality, block, at, reached) => {
    expect(isFinalityReached(finality, block, at)).toBe(reached);
  });
});
