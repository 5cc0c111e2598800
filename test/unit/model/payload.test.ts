import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { messagePayloadHash, readLane, verifierResultPayloadHash } from '../../../src/model/payload.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';

const make = createRecordMaker(60);

test('the lane is read from the bytes, also from the middle of a larger buffer', () => {
  const lane = { sourceChainSelector: SELECTORS.max, destChainSelector: SELECTORS.high };
  const { encodedMessage } = make.message(lane);
  const pool = new Uint8Array(1000);
  pool.set(encodedMessage, 333);
  expect(readLane(encodedMessage)).toEqual(lane);
  expect(readLane(pool.subarray(333, 333 + encodedMessage.length))).toEqual(lane);
  expect(() => readLane(encodedMessage.subarray(0, 78))).toThrow('encodedMessage has 78 bytes');
});

test('the payload of a verifier result is everything but who brought it and when', () => {
  const message = make.message({ ccvs: [make.hex(20), make.hex(20)] });
  const result = make.result(message);
  const hash = verifierResultPayloadHash(result);
  const again: typeof result = { ...result, attestationMs: 1, verifierName: 'other' };
  expect(verifierResultPayloadHash(again)).toBe(hash);
  const [a = '0x', b = '0x'] = result.messageCCVAddresses;
  const others = [
    { ...result, ccvData: result.ccvData.subarray(1) },
    { ...result, ccvData: new Uint8Array(0) },
    { ...result, messageExecutorAddress: make.hex(20) },
    { ...result, messageCCVAddresses: [b, a] },
    { ...result, messageCCVAddresses: [a] },
    { ...result, encodedMessage: make.message().encodedMessage },
    { ...result, messageCCVAddresses: [a], messageExecutorAddress: b },
    // a byte moved from one field to the next
    {
      ...result,
      encodedMessage: result.encodedMessage.subarray(0, -1),
      ccvData: Buffer.concat([result.encodedMessage.subarray(-1), result.ccvData]),
    },
  ];
  expect(new Set([hash, ...others.map(verifierResultPayloadHash)]).size).toBe(9);
});

// stored conflicts hold these hashes: the recipe cannot change without a migration
test('the hash recipe is fixed', () => {
  const given = {
    messageId: '0x',
    encodedMessage: Uint8Array.of(1, 2, 3),
    messageCCVAddresses: ['0xaa', '0xbb'],
    messageExecutorAddress: '0xcc',
  } as const;
  const text = Buffer.concat([Buffer.from('3\n'), given.encodedMessage, Buffer.from('\n0xaa,0xbb\n0xcc\n')]);
  expect(messagePayloadHash(given)).toBe(`0x${createHash('sha256').update(text).digest('hex')}`);
});
