import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../../src/core/random.js';
import { SortedList } from '../../../../src/storage/memory/sorted-list.js';

interface Item {
  readonly key: number;
}

const newList = () =>
  new SortedList<Item, number>(
    (item, key) => item.key - key,
    (item) => item.key,
  );

describe('a sorted list equals a flat array', () => {
  // append-heavy with drops at the start, as in a hot tier; and anything anywhere
  test.each([
    { seed: 1, appends: 0.9, drops: 0.002 },
    { seed: 2, appends: 0.3, drops: 0.0005 },
    { seed: 3, appends: 0, drops: 0 },
  ])('after many operations ($seed)', ({ seed, appends, drops }) => {
    const random = seededRandom(seed);
    const list = newList();
    let flat: Item[] = [];
    let next = 0;
    for (let step = 0; step < 30_000; step += 1) {
      const choice = random();
      if (choice < drops) {
        const count = Math.floor(random() * flat.length);
        expect(list.shift(count)).toEqual(flat.slice(0, count));
        flat = flat.slice(count);
      } else if (choice < 0.25 && flat.length > 0) {
        const at = Math.floor(random() * flat.length);
        expect(list.delete({ key: flat[at]!.key })).toBe(true);
        flat.splice(at, 1);
      } else {
        next += 1;
        const key = random() < appends ? next : random() * next;
        const at = flat.findIndex((item) => item.key >= key);
        if (flat[at]?.key === key) continue;
        list.add({ key });
        flat.splice(at === -1 ? flat.length : at, 0, { key });
      }
      if (step % 1500 === 0) check(list, flat, random);
    }
    check(list, flat, random);
    expect(list.slice(0, list.length)).toEqual(flat);
  });

  test('emptied from the middle outwards and filled again', () => {
    const list = newList();
    for (let key = 0; key < 5000; key += 1) list.add({ key });
    for (let key = 1; key < 4999; key += 1) expect(list.delete({ key })).toBe(true);
    expect(list.slice(0, 10).map((item) => item.key)).toEqual([0, 4999]);
    expect(list.delete({ key: 2500 })).toBe(false);
    expect(list.delete({ key: 0 }) && list.delete({ key: 4999 })).toBe(true);
    expect([list.length, list.at(0), list.lowerBound(7)]).toEqual([0, undefined, 0]);
    list.add({ key: 7 });
    expect(list.slice(0, 9)).toEqual([{ key: 7 }]);
  });

  test('an item is replaced in its place', () => {
    const list = newList();
    for (let key = 0; key < 3000; key += 1) list.add({ key });
    const item = { key: 1234 };
    list.replace(item);
    expect(list.at(1234)).toBe(item);
    expect(list.length).toBe(3000);
  });
});

function check(list: SortedList<Item, number>, flat: readonly Item[], random: () => number): void {
  expect(list.length).toBe(flat.length);
  for (let i = 0; i < 20; i += 1) {
    const index = Math.floor(random() * (flat.length + 2));
    expect(list.at(index)).toEqual(flat[index]);
    expect(list.slice(index, index + 50)).toEqual(flat.slice(index, index + 50));
    const key = flat[index]?.key ?? 1e9;
    const below = flat.filter((item) => item.key < key).length;
    expect(list.lowerBound(key)).toBe(below);
    expect(list.upperBound(key)).toBe(index < flat.length ? below + 1 : below);
    expect(list.lowerBound(key - 1e-9)).toBe(below);
  }
}
