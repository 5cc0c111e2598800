import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesToHex, type Hex, hexToBytes } from '../../../src/core/hex.js';
import type { Message, TokenTransfer } from '../../../src/protocol/message.js';
import {
  decodeMessage,
  encodeMessage,
  MessageDecodeError,
  MessageEncodeError,
} from '../../../src/protocol/message-codec.js';
import { decodeTokenTransfer, encodeTokenTransfer } from '../../../src/protocol/token-transfer-codec.js';
import { messages, smallMessages, tokenTransfers } from './arbitraries.js';
import { lane, toMessage, vectors } from './fixtures.js';

const FIELDS = [
  'version',
  'sourceChainSelector',
  'destChainSelector',
  'messageNumber',
  'executionGasLimit',
  'ccipReceiveGasLimit',
  'finality',
  'ccvAndExecutorHash',
  'onRampAddress',
  'offRampAddress',
  'sender',
  'receiver',
  'destBlob',
  'tokenTransfer',
  'data',
];

const sample: Message = {
  version: 1,
  sourceChainSelector: 14_767_482_510_784_806_043n,
  destChainSelector: 2n,
  messageNumber: 3n,
  executionGasLimit: 4,
  ccipReceiveGasLimit: 5,
  finality: 0x0001_0000,
  ccvAndExecutorHash: `0x${'cc'.repeat(32)}`,
  onRampAddress: '0x1111',
  offRampAddress: '0x2222',
  sender: '0x3333',
  receiver: '0x4444',
  destBlob: '0x5555',
  tokenTransfer: {
    version: 1,
    amount: 2n ** 256n - 1n,
    sourcePoolAddress: '0x66',
    sourceTokenAddress: '0x77',
    destTokenAddress: '0x88',
    tokenReceiver: '0x99',
    extraData: '0xaabb',
  },
  data: '0xdddd',
};

/** Where each field of `sample` ends. */
const SAMPLE_ENDS = [1, 9, 17, 25, 29, 33, 37, 69, 72, 75, 78, 81, 85, 132, 136];

function decodeFailure(bytes: Uint8Array): MessageDecodeError {
  try {
    decodeMessage(bytes);
  } catch (thrown) {
    if (thrown instanceof MessageDecodeError) return thrown;
    throw thrown;
  }
  throw new Error('decoded');
}

function encodeFailure(message: Message): MessageEncodeError {
  try {
    encodeMessage(message);
  } catch (thrown) {
    if (thrown instanceof MessageEncodeError) return thrown;
    throw thrown;
  }
  throw new Error('encoded');
}

describe('recorded messages', () => {
  it.each(lane.messages.map((m) => [m.label, m] as const))(
    'decodes and re-encodes %s',
    (_, { event, decodedMessage }) => {
      const message = decodeMessage(hexToBytes(event.encodedMessage));
      expect(message).toEqual(toMessage(decodedMessage));
      expect(bytesToHex(encodeMessage(message))).toBe(event.encodedMessage);
    },
  );

  it('decodes and re-encodes every vector', () => {
    const whole = vectors.filter((vector) => vector.decoded);
    expect(whole.length).toBeGreaterThan(1);
    for (const { encodedMessage, decoded } of whole) {
      const message = decodeMessage(hexToBytes(encodedMessage!));
      expect(message).toEqual(toMessage(decoded!));
      expect(bytesToHex(encodeMessage(message))).toBe(encodedMessage);
    }
  });

  it('refuses the older layout with a finality of two bytes', () => {
    const older = vectors.find((vector) => vector.note?.includes('older layout'));
    expect(() => decodeMessage(hexToBytes(older!.encodedMessage!))).toThrow(MessageDecodeError);
  });
});

describe('encode and decode', () => {
  it('are inverse on values', () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
    );
  });

  it('are inverse on the bytes of a token transfer', () => {
    fc.assert(
      fc.property(tokenTransfers, (transfer) => {
        const bytes = encodeTokenTransfer(transfer);
        expect(decodeTokenTransfer(bytes)).toEqual(transfer);
        expect(bytesToHex(encodeTokenTransfer(decodeTokenTransfer(bytes)))).toBe(bytesToHex(bytes));
      }),
    );
  });

  it('read a view into a larger buffer', () => {
    const bytes = encodeMessage(sample);
    const larger = new Uint8Array(bytes.length + 20).fill(0xff);
    larger.set(bytes, 7);
    expect(decodeMessage(larger.subarray(7, 7 + bytes.length))).toEqual(sample);
  });

  it('put the selectors where storages read them', () => {
    const view = new DataView(encodeMessage(sample).buffer);
    expect(view.getBigUint64(1)).toBe(sample.sourceChainSelector);
    expect(view.getBigUint64(9)).toBe(sample.destChainSelector);
  });

  it('take upper-case hex and give lower-case back', () => {
    const upper = { ...sample, sender: '0xABCDEF' as Hex };
    expect(decodeMessage(encodeMessage(upper)).sender).toBe('0xabcdef');
  });

  it('give bytes that are no view into a shared pool', () => {
    const bytes = encodeMessage(sample);
    expect(bytes.buffer.byteLength).toBe(bytes.length);
  });
});

describe('bytes that are not one whole message', () => {
  it('name the field in which they end', () => {
    const bytes = encodeMessage(sample);
    expect(bytes.length).toBe(SAMPLE_ENDS.at(-1));
    for (let length = 0; length < bytes.length; length++) {
      const error = decodeFailure(bytes.subarray(0, length));
      expect(error.field, `${length} bytes`).toBe(FIELDS[SAMPLE_ENDS.findIndex((end) => length < end)]);
      expect(error.retryable).toBe(false);
      expect(error.details).toMatchObject({
        field: error.field,
        expected: expect.any(String),
        found: expect.any(String),
      });
    }
  });

  it('are refused at a field of the message however they are cut', () => {
    fc.assert(
      fc.property(smallMessages, fc.nat(), (message, cut) => {
        const bytes = encodeMessage(message);
        expect(FIELDS).toContain(decodeFailure(bytes.subarray(0, cut % bytes.length)).field);
      }),
    );
  });

  it('are refused at the end when bytes follow', () => {
    fc.assert(
      fc.property(smallMessages, fc.uint8Array({ minLength: 1, maxLength: 40 }), (message, extra) => {
        const error = decodeFailure(Buffer.concat([encodeMessage(message), extra]));
        expect(error.field).toBe('end');
        expect(error.details).toMatchObject({ found: `${extra.length} more bytes` });
      }),
    );
  });

  it.each([0, 2, 255])('name the version when it is %i', (version) => {
    const bytes = encodeMessage(sample);
    bytes[0] = version;
    expect(decodeFailure(bytes).field).toBe('version');
  });

  it('name the version of the token transfer', () => {
    const bytes = encodeMessage(sample);
    bytes[87] = 2;
    expect(decodeFailure(bytes)).toMatchObject({ field: 'tokenTransfer.version', details: { offset: 87 } });
  });
});

describe('a length that lies', () => {
  const bytes = encodeMessage(sample);
  const lie = (at: number, length: number): MessageDecodeError => {
    const lied = Uint8Array.from(bytes);
    lied[at] = length;
    return decodeFailure(lied);
  };

  it.each([
    [69, 'onRampAddress'],
    [72, 'offRampAddress'],
    [75, 'sender'],
    [78, 'receiver'],
    [81, 'destBlob'],
    [85, 'tokenTransfer'],
    [120, 'tokenTransfer.sourcePoolAddress'],
    [122, 'tokenTransfer.sourceTokenAddress'],
    [124, 'tokenTransfer.destTokenAddress'],
    [126, 'tokenTransfer.tokenReceiver'],
    [128, 'tokenTransfer.extraData'],
    [132, 'data'],
  ])('past the end, at byte %i, is an error at %s', (at, field) => {
    expect(lie(at, 0xff).field).toBe(field);
  });

  it('inside the token transfer leaves bytes over in it', () => {
    expect(lie(129, 1).field).toBe('tokenTransfer.end');
  });

  it('of the token transfer, one short, cuts its last field', () => {
    expect(lie(86, 44).field).toBe('tokenTransfer.extraData');
  });

  it('of the data leaves bytes over or misses some', () => {
    expect(lie(133, 1).field).toBe('end');
    expect(lie(133, 3).field).toBe('data');
  });

  it('anywhere is a typed error, or decodes to a message of exactly those bytes', () => {
    fc.assert(
      fc.property(smallMessages, fc.nat(), fc.integer({ min: 0, max: 255 }), (message, position, value) => {
        const lied = encodeMessage(message);
        lied[position % lied.length] = value;
        try {
          expect(bytesToHex(encodeMessage(decodeMessage(lied)))).toBe(bytesToHex(lied));
        } catch (thrown) {
          if (!(thrown instanceof MessageDecodeError)) throw thrown;
          expect(['end', ...FIELDS]).toContain(thrown.field.split('.')[0]);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('in arbitrary bytes is a typed error, or decodes to a message of exactly those bytes', () => {
    const body = fc.array(fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 20, 39, 40, 255), { minLength: 60, maxLength: 160 });
    fc.assert(
      fc.property(body, (values) => {
        const bytes = Uint8Array.from([1, ...values]);
        try {
          expect(bytesToHex(encodeMessage(decodeMessage(bytes)))).toBe(bytesToHex(bytes));
        } catch (thrown) {
          if (!(thrown instanceof MessageDecodeError)) throw thrown;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a value that does not fit its field', () => {
  const transfer = sample.tokenTransfer as TokenTransfer;
  const cases: readonly [string, Partial<Record<keyof Message, unknown>>][] = [
    ['version', { version: 2 }],
    ['sourceChainSelector', { sourceChainSelector: 2n ** 64n }],
    ['destChainSelector', { destChainSelector: -1n }],
    ['messageNumber', { messageNumber: 7 }],
    ['executionGasLimit', { executionGasLimit: 2 ** 32 }],
    ['ccipReceiveGasLimit', { ccipReceiveGasLimit: 1.5 }],
    ['finality', { finality: -1 }],
    ['ccvAndExecutorHash', { ccvAndExecutorHash: `0x${'cc'.repeat(31)}` }],
    ['onRampAddress', { onRampAddress: `0x${'11'.repeat(256)}` }],
    ['offRampAddress', { offRampAddress: '0x1' }],
    ['sender', { sender: '3333' }],
    ['receiver', { receiver: '0x\u0130\u0130' }],
    ['receiver', { receiver: undefined }],
    ['destBlob', { destBlob: `0x${'00'.repeat(65_536)}` }],
    ['data', { data: '0xzz' }],
    ['tokenTransfer', { tokenTransfer: { ...transfer, extraData: `0x${'00'.repeat(65_500)}` } }],
    ['tokenTransfer.version', { tokenTransfer: { ...transfer, version: 0 } }],
    ['tokenTransfer.amount', { tokenTransfer: { ...transfer, amount: 2n ** 256n } }],
    ['tokenTransfer.sourcePoolAddress', { tokenTransfer: { ...transfer, sourcePoolAddress: `0x${'11'.repeat(256)}` } }],
    ['tokenTransfer.extraData', { tokenTransfer: { ...transfer, extraData: `0x${'00'.repeat(65_536)}` } }],
  ];

  it.each(cases)('is an error at %s', (field, change) => {
    const error = encodeFailure({ ...sample, ...change } as Message);
    expect(error.field).toBe(field);
    expect(error.retryable).toBe(false);
    expect(error.message.length).toBeLessThan(200);
  });
});
