import { expect, test } from 'vitest';
import { covers, fullCoverage } from '../../../src/model/coverage.js';
import { resolveListQuery } from '../../../src/model/list-query.js';

test('an empty query asks for the first hundred of everything', () => {
  expect(resolveListQuery({})).toEqual({
    startMs: 0,
    endMs: Number.POSITIVE_INFINITY,
    sourceChainSelectors: null,
    destChainSelectors: null,
    contents: null,
    limit: 100,
    offset: 0,
    after: null,
    maxBytes: Number.POSITIVE_INFINITY,
  });
});

test('empty selector lists filter nothing, repeated selectors count once', () => {
  expect(resolveListQuery({ sourceChainSelectors: [], destChainSelectors: [7n, 7n, 2n ** 64n - 1n] })).toMatchObject({
    sourceChainSelectors: null,
    destChainSelectors: new Set([7n, 2n ** 64n - 1n]),
  });
});

test('a start before all time is the beginning, which full coverage includes', () => {
  const { startMs, endMs } = resolveListQuery({ startMs: -5 });
  expect(startMs).toBe(0);
  expect(covers(fullCoverage(0n, 0n), startMs, endMs)).toBe(true);
});

test.each([
  ['limit is 0: pass a whole number of at least 1', { limit: 0 }],
  ['limit is 1.5: pass a whole number of at least 1', { limit: 1.5 }],
  ['offset is -1: pass a whole number of at least 0', { offset: -1 }],
  ['startMs is NaN: pass whole unix milliseconds', { startMs: Number.NaN }],
  ['endMs is -Infinity: pass whole unix milliseconds', { endMs: Number.NEGATIVE_INFINITY }],
  ['destChainSelectors holds -1: a chain selector is an unsigned 64-bit number', { destChainSelectors: [-1n] }],
])('refuses a query: %s', (message, query) => {
  expect(() => resolveListQuery(query)).toThrow(message);
});

test.each([
  [11, 20, true],
  [10, 20, false],
  [11, 21, false],
  [11, Number.POSITIVE_INFINITY, false],
])('coverage of (10, 20] includes %i to %i: %s', (startMs, endMs, included) => {
  const coverage = { afterMs: 10, throughMs: 20, afterPosition: 0n, throughPosition: 9n, movePosition: 0n };
  expect(covers(coverage, startMs, endMs)).toBe(included);
});
