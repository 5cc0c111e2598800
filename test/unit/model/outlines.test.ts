import { expect, test } from 'vitest';
import { boundedBy, outlineOfMessage } from '../../../src/model/outlines.js';
import type { StoredMessage } from '../../../src/model/records.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(1);
const stored = (index: number): StoredMessage => ({
  ...make.message({ dataBytes: 1_000 }),
  ...{ status: 'processing', ingestionMs: index, position: BigInt(index), firstMs: index, orphaned: false },
});

test('what is bounded has no whole record behind an outline, whoever made that one', () => {
  const records = [0, 1, 2, 3].map(stored);
  const shape = (bounded: readonly StoredMessage[]) => bounded.map(({ outline }) => outline ?? false);
  expect(boundedBy(records, 1_000_000, outlineOfMessage)).toBe(records);
  expect(shape(boundedBy(records, 1, outlineOfMessage))).toEqual([false, true, true, true]);
  const withGap = [records[0]!, outlineOfMessage(records[1]!), records[2]!, records[3]!];
  expect(shape(boundedBy(withGap, 1_000_000, outlineOfMessage))).toEqual([false, true, true, true]);
});
