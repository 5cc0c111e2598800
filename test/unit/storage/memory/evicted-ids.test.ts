import { expect, test } from 'vitest';
import { EvictedIds } from '../../../../src/storage/memory/evicted-ids.js';
import { createRecordMaker } from '../../../support/records.js';

test('an id that was evicted is always known, others hardly ever look so', () => {
  const make = createRecordMaker(62);
  const ids = new EvictedIds();
  const evicted = Array.from({ length: 40_000 }, () => make.hex(32));
  for (const id of evicted) ids.add(id);
  expect(evicted.every((id) => ids.has(id))).toBe(true);
  const mistaken = Array.from({ length: 20_000 }, () => make.hex(32)).filter((id) => ids.has(id));
  expect(mistaken.length).toBeLessThan(20);
});
