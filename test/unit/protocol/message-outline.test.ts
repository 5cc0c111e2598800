import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hexToBytes } from '../../../src/core/hex.js';
import {
  decodeMessage,
  encodeMessage,
  MessageDecodeError,
  outlineMessage,
} from '../../../src/protocol/message-codec.js';
import { messages } from './arbitraries.js';
import { vectors } from './fixtures.js';

describe('the outline of a message', () => {
  /** The fields, or the error in full. */
  function outcome(read: (bytes: Uint8Array) => unknown, bytes: Uint8Array): unknown {
    try {
      return read(bytes);
    } catch (thrown) {
      if (!(thrown instanceof MessageDecodeError)) throw thrown;
      return { refused: thrown.message, details: thrown.details };
    }
  }

  function expectSame(bytes: Uint8Array): void {
    const whole = outcome(decodeMessage, bytes);
    const outline = outcome(outlineMessage, bytes) as object;
    const fields = Object.keys(outline).map((field) => [field, (whole as Record<string, unknown>)[field]]);
    expect(outline).toEqual(Object.fromEntries(fields));
  }

  it('has the fields that decoding gives, and the same error for bytes that are changed or cut', () => {
    fc.assert(
      fc.property(messages, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat(), (message, at, value, end) => {
        const bytes = encodeMessage(message);
        expectSame(bytes);
        const lied = Uint8Array.from(bytes);
        lied[at % lied.length] = value;
        expectSame(lied);
        expectSame(lied.subarray(0, end % (lied.length + 1)));
      }),
      { numRuns: 500 },
    );
    for (const { encodedMessage, decoded } of vectors) {
      if (!decoded) continue;
      const bytes = hexToBytes(encodedMessage!);
      expect(Object.keys(outlineMessage(bytes))).toHaveLength(6);
      for (let end = 0; end <= bytes.length; end += 1) expectSame(bytes.subarray(0, end));
    }
  });
});
