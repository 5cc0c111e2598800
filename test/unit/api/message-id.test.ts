import { describe, expect, it } from 'vitest';
import { parseMessageId } from '../../../src/api/message-id.js';

const ID = 'db990e7f20f16d5778d1c9a9e9766d3fd4f30dcc6786dbbaf27400429ff928e8';

describe('a message id in a path', () => {
  it.each([`0x${ID}`, ID, ID.toUpperCase(), `0x${ID.toUpperCase()}`, `0X${ID}`])('is read from %s', (text) => {
    expect(parseMessageId(text)).toBe(`0x${ID}`);
  });

  it('is padded on the left when it is short', () => {
    expect(parseMessageId('0xABcd')).toBe(`0x${'0'.repeat(60)}abcd`);
    expect(parseMessageId('00')).toBe(`0x${'0'.repeat(64)}`);
    expect(parseMessageId('0x')).toBe(`0x${'0'.repeat(64)}`);
  });

  it.each(['', `0x${ID}00`, `${ID}0`, '0xabc', '0xzz', '0x0x00', ' 0x00', '0x00 ', 'x'.repeat(5_000)])(
    'is refused: %s',
    (text) => {
      expect(() => parseMessageId(text)).toThrow(
        expect.objectContaining({
          code: 'INVALID_ARGUMENT',
          message: 'bad messageID: must be hexadecimal, whole bytes, at most 32 of them',
        }),
      );
    },
  );
});
