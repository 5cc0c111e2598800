import { describe, expect, it } from 'vitest';
import { bytesField, encodeResult } from '../../../../scripts/devnet/aggregator/wire.js';
import { type Hex, hexToBytes } from '../../../../src/core/hex.js';
import { computeMessageId } from '../../../../src/protocol/keccak.js';
import { decodeMessage, encodeMessage } from '../../../../src/protocol/message-codec.js';
import { readProtobufClaim } from '../../../../src/verifiers/aggregator/client/protobuf-claim.js';
import { createRecordMaker, SELECTORS } from '../../../support/records.js';

const make = createRecordMaker(11);

/** A result whose message has selectors above 2^63, a token transfer and data of 300 bytes. */
function fullResult() {
  const given = make.result(make.message({ sourceChainSelector: SELECTORS.max, dataBytes: 300 }));
  const encodedMessage = encodeMessage({
    ...decodeMessage(given.encodedMessage),
    messageNumber: 2n ** 64n - 2n,
    finality: 0xffff_ffff,
    destBlob: '0x0badcafe',
    tokenTransfer: {
      version: 1,
      amount: 2n ** 256n - 1n,
      sourcePoolAddress: `0x${'11'.repeat(32)}`,
      sourceTokenAddress: `0x${'22'.repeat(32)}`,
      destTokenAddress: `0x${'33'.repeat(20)}`,
      tokenReceiver: `0x${'44'.repeat(20)}`,
      extraData: '0x',
    },
  });
  return { ...given, encodedMessage, messageId: computeMessageId(encodedMessage) };
}

describe('a verifier result in protobuf', () => {
  it('is read with every digit of its numbers and every byte of its fields', () => {
    const result = fullResult();
    const read = readProtobufClaim(encodeResult(result));
    expect(read).toEqual({
      kind: 'claim',
      claim: {
        messageId: result.messageId,
        encodedMessage: result.encodedMessage,
        ccvAndExecutorHash: decodeMessage(result.encodedMessage).ccvAndExecutorHash,
        messageCCVAddresses: result.messageCCVAddresses,
        messageExecutorAddress: result.messageExecutorAddress,
        ccvData: result.ccvData,
        attestationMs: result.attestationMs,
        verifierSourceAddress: result.verifierSourceAddress,
        verifierDestAddress: result.verifierDestAddress,
      },
    });
  });

  it('that is empty says that the message is not known', () => {
    expect(readProtobufClaim(new Uint8Array(0))).toEqual({ kind: 'empty' });
    // an unknown field alone
    expect(readProtobufClaim(hexToBytes('0xf80601'))).toEqual({ kind: 'empty' });
  });

  // written by hand: field 1 message { 20 version = 2 }, { 19 sender_length = 5 }, { 14 hash of 2 bytes }
  it.each<[string, Hex, string]>([
    ['another version', '0x0a03a00102', 'message.version: expected version 1, found 2'],
    ['a length that is not that of the bytes', '0x0a06a00101980105', 'message.sender_length: expected the length 0'],
    ['a hash of two bytes', '0x0a07a00101720203e8', 'ccvAndExecutorHash'],
  ])('with a message of %s is rejected as a message', (_, bytes, words) => {
    const read = readProtobufClaim(hexToBytes(bytes));
    expect(read).toMatchObject({ kind: 'rejected', reason: 'message', messageId: null });
    expect(read.kind === 'rejected' ? read.detail : '').toContain(words);
  });

  it('without metadata is rejected under the id of its message', () => {
    const result = fullResult();
    const metadata = encodeResult({ ...result, messageCCVAddresses: [], ccvData: new Uint8Array(0) });
    // the metadata is the last field: tag 0x2a
    const cut = metadata.subarray(0, metadata.lastIndexOf(0x2a, metadata.length - 50));
    expect(readProtobufClaim(cut)).toMatchObject({
      kind: 'rejected',
      reason: 'shape',
      messageId: result.messageId,
      detail: 'metadata: missing',
    });
  });

  it('without a message, or that is no protobuf, is rejected', () => {
    expect(readProtobufClaim(bytesField(4, Buffer.from('3c4605eb', 'hex')))).toMatchObject({
      kind: 'rejected',
      reason: 'message',
      detail: 'message: missing',
    });
    for (const bytes of ['0x0a', '0x0aff01', '0x07', '0x0a7f00'] as const)
      expect(readProtobufClaim(hexToBytes(bytes))).toMatchObject({ kind: 'rejected', reason: 'shape' });
  });

  it('keeps its bytes when those of the answer change', () => {
    const result = fullResult();
    const bytes = encodeResult(result);
    const read = readProtobufClaim(bytes);
    bytes.fill(0);
    if (read.kind !== 'claim') throw new Error(read.kind);
    expect(read.claim.ccvData).toEqual(result.ccvData);
  });
});
