import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesToHex } from '../../../src/core/hex.js';
import {
  compareOrderKeys,
  decodeCursor,
  encodeCursor,
  messageOrderKey,
  type OrderKey,
} from '../../../src/model/order.js';

const bytes = fc.uint8Array({ maxLength: 5 });
const keyBytes = fc.record({ ms: fc.nat(3), id: bytes, source: bytes, dest: bytes });
type KeyBytes = { ms: number; id: Uint8Array; source: Uint8Array; dest: Uint8Array };

const toKey = ({ ms, id, source, dest }: KeyBytes): OrderKey => ({
  ingestionMs: ms,
  messageId: bytesToHex(id),
  verifierSourceAddress: bytesToHex(source),
  verifierDestAddress: bytesToHex(dest),
});

describe('the one order', () => {
  test('promise 4: is time, then ids and addresses as bytes, a prefix first', () => {
    fc.assert(
      fc.property(keyBytes, keyBytes, (a, b) => {
        const expected =
          a.ms - b.ms ||
          Buffer.compare(a.id, b.id) ||
          Buffer.compare(a.source, b.source) ||
          Buffer.compare(a.dest, b.dest);
        expect(Math.sign(compareOrderKeys(toKey(a), toKey(b)))).toBe(Math.sign(expected));
      }),
    );
  });

  test('puts a message before the verifier results of its commit', () => {
    const message = { ingestionMs: 5, messageId: '0xaa' } as const;
    const result = { ...message, verifierSourceAddress: '0x01', verifierDestAddress: '0x' } as const;
    expect(compareOrderKeys(messageOrderKey(message), result)).toBeLessThan(0);
  });
});

describe('a page cursor', () => {
  test('decodes to the key it was made of, and is safe in a URL', () => {
    fc.assert(
      fc.property(keyBytes, (key) => {
        const cursor = encodeCursor(toKey(key));
        expect(decodeCursor(cursor)).toEqual(toKey(key));
        expect(cursor).toMatch(/^[\w-]+$/);
      }),
    );
  });

  const key = toKey({ ms: 1, id: Uint8Array.of(1), source: Uint8Array.of(0xab), dest: new Uint8Array() });
  const forge = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  test.each([
    ['nothing', ''],
    ['no base64', '*'],
    ['no JSON', Buffer.from('x').toString('base64url')],
    ['another shape', forge({ key })],
    ['a field missing', forge([1, '0x01', '0xab'])],
    ['a fractional time', forge([1.5, '0x01', '0xab', '0x'])],
    ['an upper-case address', forge([1, '0x01', '0xAB', '0x'])],
    ['half a byte', forge([1, '0x01', '0xabc', '0x'])],
    ['cut short', encodeCursor(key).slice(0, -8)],
  ])('of %s is refused', (_, cursor) => {
    expect(() => decodeCursor(cursor)).toThrow('cursor is not one of ours');
  });
});
