import { expect, test } from 'vitest';
import { unite } from '../../../src/model/held.js';

interface Row {
  readonly id: string;
  readonly position: bigint;
  readonly says: string;
}
const row = (id: string, position: bigint, says: string): Row => ({ id, position, says });
const held = (afterPosition: bigint, throughPosition: bigint, ...value: Row[]) => ({
  value,
  afterPosition,
  throughPosition,
});
const united = (minPosition: bigint, ...parts: ReturnType<typeof held>[]) =>
  unite(parts, ({ id }) => id, minPosition)?.map(({ says }) => says);

test('of each record the latest state counts, whoever told it', () => {
  const cold = held(0n, 10n, row('a', 3n, 'old'), row('b', 9n, 'only cold'));
  const warm = held(8n, 20n, row('a', 15n, 'new'), row('c', 18n, 'only warm'));
  const expected = ['new', 'only cold', 'only warm'];
  expect(united(20n, cold, warm)?.sort()).toEqual(expected);
  expect(united(20n, warm, cold)?.sort()).toEqual(expected);
});

test('nothing is told while a range is missing: in between, from the beginning, or up to what was seen', () => {
  expect(united(0n, held(0n, 10n), held(11n, 20n))).toBeUndefined();
  expect(united(0n, held(1n, 20n))).toBeUndefined();
  expect(united(21n, held(0n, 10n), held(10n, 20n))).toBeUndefined();
  expect(united(20n, held(0n, 10n), held(10n, 20n))).toEqual([]);
});
