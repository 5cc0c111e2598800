import { describe, expect, test } from 'vitest';
import type { WriteBatch } from '../../../src/model/batch.js';
import { checkBatch } from '../../../src/model/check-batch.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(61);
const message = make.message();
const result = make.result(message);
const cursor = { sourceId: 's', height: 1n, hash: null, expectedHeight: null };
const quarantined = { sourceId: 's', key: 'k', reason: 'R', detail: '', raw: new Uint8Array(0), messageId: null };

test('a good batch passes, and so does an empty one', () => {
  checkBatch({});
  checkBatch({
    orphanings: [{ messageId: message.messageId, blockHash: make.hex(32) }],
    messages: [message, { ...message, origin: null, messageExecutorAddress: '0x' }],
    verifierResults: [result, { ...result, ccvData: new Uint8Array(0), verifierName: '☃ 👍' }],
    statuses: [{ messageId: message.messageId, status: 'timeout' }],
    quarantine: [quarantined],
    cursors: [cursor, { ...cursor, hash: make.hex(32), expectedHeight: 2n ** 63n - 1n }],
  });
});

describe('a bad batch is refused with the path of the field', () => {
  const origin = make.origin(1n);
  const bad: [string, WriteBatch][] = [
    ['messages[1].messageId', { messages: [message, { ...message, messageId: '0x' }] }],
    ['messages[0].encodedMessage has 9 bytes', { messages: [{ ...message, encodedMessage: new Uint8Array(9) }] }],
    ['messages[0].messageCCVAddresses[1]', { messages: [{ ...message, messageCCVAddresses: ['0x', '0xA0'] }] }],
    ['messages[0].messageExecutorAddress', { messages: [{ ...message, messageExecutorAddress: '0x1' }] }],
    ['messages[0].origin.logIndex is -1', { messages: [{ ...message, origin: { ...origin, logIndex: -1 } }] }],
    [
      'messages[0].origin.blockTimestampMs',
      { messages: [{ ...message, origin: { ...origin, blockTimestampMs: 0.5 } }] },
    ],
    [
      'messages[0].origin.transactionHash',
      { messages: [{ ...message, origin: { ...origin, transactionHash: '0xz0' } }] },
    ],
    ['verifierResults[0].ccvData must be', { verifierResults: [{ ...result, ccvData: '0x' as never }] }],
    ['verifierResults[0].verifierSourceAddress', { verifierResults: [{ ...result, verifierSourceAddress: '0xgg' }] }],
    ['verifierResults[0].attestationMs is NaN', { verifierResults: [{ ...result, attestationMs: Number.NaN }] }],
    ['verifierResults[0].verifierName', { verifierResults: [{ ...result, verifierName: 'a\0' }] }],
    ['statuses[0].status is done', { statuses: [{ messageId: message.messageId, status: 'done' as never }] }],
    ['orphanings[0].blockHash', { orphanings: [{ messageId: message.messageId, blockHash: '0x00' }] }],
    ['quarantine[0].key is empty', { quarantine: [{ ...quarantined, key: '' }] }],
    ['quarantine[0].detail', { quarantine: [{ ...quarantined, detail: '\udc00' }] }],
    ['quarantine[0].messageId', { quarantine: [{ ...quarantined, messageId: '0x01' }] }],
    ['cursors[0].height is 9223372036854775808', { cursors: [{ ...cursor, height: 2n ** 63n }] }],
    ['cursors[0].expectedHeight is -1', { cursors: [{ ...cursor, expectedHeight: -1n }] }],
  ];
  test.each(bad)('%s', (path, batch) => {
    expect(() => checkBatch(batch)).toThrow(path);
  });
});
