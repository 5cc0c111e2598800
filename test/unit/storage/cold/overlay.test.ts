import { expect, test } from 'vitest';
import type { Hex } from '../../../../src/core/hex.js';
import { Overlay } from '../../../../src/storage/cold/namespace/overlay.js';
import type { RowKey } from '../../../../src/storage/cold/rows/row-kind.js';

const key = (messageId: Hex, position: bigint, ingestionMs = 10, firstMs = ingestionMs): RowKey => ({
  messageId,
  verifierSourceAddress: '0x',
  verifierDestAddress: '0x',
  ingestionMs,
  firstMs,
  position,
  orphaned: false,
  sourceChainSelector: 1n,
  destChainSelector: 2n,
});

test('a row is superseded by a higher position of its identity alone, as of each view', () => {
  const overlay = new Overlay();
  overlay.addFile('a', [key('0x01', 5n), key('0x01', 9n), key('0x02', 6n)]);
  expect(overlay.supersedes(key('0x01', 1n), 4n)).toBe(false);
  expect(overlay.supersedes(key('0x01', 1n), 5n)).toBe(true);
  expect(overlay.supersedes(key('0x01', 5n), 8n)).toBe(false);
  expect(overlay.supersedes(key('0x01', 5n), 9n)).toBe(true);
  expect(overlay.supersedes(key('0x01', 9n), 100n)).toBe(false);
  expect(overlay.supersedes(key('0x03', 1n), 100n)).toBe(false);
  expect(overlay.supersedes({ ...key('0x01', 1n), verifierSourceAddress: '0x02' }, 100n)).toBe(false);
  expect(overlay.positionOfMessage('0x01', 8n)).toBe(5n);
  expect(overlay.positionOfMessage('0x01', 100n)).toBe(9n);
  expect(overlay.positionOfMessage('0x02', 5n)).toBeUndefined();
});

test('a file that is added twice counts once', () => {
  const overlay = new Overlay();
  overlay.addFile('a', [key('0x01', 5n)]);
  overlay.addFile('a', [key('0x01', 7n)]);
  expect(overlay.positionOfMessage('0x01', 100n)).toBe(5n);
});

test('times are touched when a row in them may be superseded, also where a record was before it moved', () => {
  const overlay = new Overlay();
  expect(overlay.touches(0, Number.POSITIVE_INFINITY)).toBe(false);
  overlay.addFile('a', [key('0x01', 5n, 30), key('0x02', 6n, 10)]);
  for (const [fromMs, toMs, touched] of [
    [0, 9, false],
    [10, 10, true],
    [11, 29, false],
    [25, 40, true],
    [31, 99, false],
  ] as const)
    expect(overlay.touches(fromMs, toMs)).toBe(touched);
  overlay.addFile('b', [key('0x03', 7n, 60, 50)]);
  expect(overlay.touches(55, 56)).toBe(true);
  expect(overlay.touches(61, 70)).toBe(false);
});
