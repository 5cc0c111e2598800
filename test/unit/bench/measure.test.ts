import { expect, it } from 'vitest';
import { compareInTurn, isMet, median, type Row } from '../../../scripts/bench/measure.js';
import { formatTable } from '../../../scripts/bench/table.js';

const ROW: Row = {
  ...{ what: 'writes', unit: 'records/s', product: 12_345.6, ceiling: 20_000, ratio: 0.617, spread: [0.5, 0.7] },
  ...{ aim: { kind: 'atLeast', ratio: 0.6 }, note: '' },
};

it('holds each figure against the ceilings around it, after a round that does not count', async () => {
  const ceilings = [1, 100, 50, 25];
  const products = [1, 60, 30];
  const compared = await compareInTurn(2, {
    product: async () => products.shift()!,
    ceiling: async () => ceilings.shift()!,
  });
  expect(compared).toEqual({ product: 60, ceiling: 50, ratio: 0.8, spread: [0.8, 0.8] });
});

it('takes the middle value', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([])).toBeNaN();
});

it('tells whether an aim is met, in either direction', () => {
  expect(isMet(ROW)).toBe(true);
  expect(isMet({ ...ROW, ratio: 0.59 })).toBe(false);
  expect(isMet({ ...ROW, aim: { kind: 'atMost', ratio: 0.6 } })).toBe(false);
  expect(isMet({ ...ROW, aim: null })).toBeNull();
});

it('prints a line for each row, under aligned heads', () => {
  const [head, rule, line] = formatTable([ROW]).split('\n');
  expect(head).toMatch(/^what +product +ceiling +unit +ratio +spread +aim +met$/);
  expect(rule).toMatch(/^[- ]+$/);
  expect(line).toBe('writes   12,346   20,000  records/s   0.62  0.50–0.70  ≥ 0.60  yes');
});
