import { expect, test } from 'vitest';
import { ByteSlabs } from '../../../../src/storage/memory/byte-slabs.js';

const LARGE = 2_049;

test('copies stay as they were taken, whatever comes behind them and happens to the original', () => {
  const slabs = new ByteSlabs();
  const given = Array.from({ length: 200 }, (_, index) => new Uint8Array((index * 37) % 2_048).fill(index));
  const copies = given.map((bytes) => slabs.copy(bytes));
  const expected = given.map((bytes) => Uint8Array.from(bytes));
  for (const bytes of given) bytes.fill(0xff);
  expect(copies).toEqual(expected);
});

test('small ones share buffers of at most 16 KiB, a large one has a buffer of its size', () => {
  const slabs = new ByteSlabs();
  const copies = Array.from({ length: 100 }, () => slabs.copy(new Uint8Array(1_000)));
  const buffers = new Set(copies.map(({ buffer }) => buffer));
  expect(buffers.size).toBe(7);
  for (const { byteLength } of buffers) expect(byteLength).toBe(16 * 1024);
  expect(slabs.copy(new Uint8Array(LARGE)).buffer.byteLength).toBe(LARGE);
  expect(slabs.copy(new Uint8Array(0)).buffer.byteLength).toBe(0);
});
