import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { messageEntryJson, verifierResultJson } from '../../../src/api/v1/record-json.js';
import { type Hex, hexToBytes } from '../../../src/core/hex.js';
import type { StoredMessage, StoredVerifierResult } from '../../../src/model/records.js';
import { computeMessageId } from '../../../src/protocol/keccak.js';
import type { Message } from '../../../src/protocol/message.js';
import { encodeMessage } from '../../../src/protocol/message-codec.js';

const lane = JSON.parse(readFileSync(new URL('../../fixtures/lane.json', import.meta.url), 'utf8'));
const withToken = lane.messages.find((message: { label: string }) => message.label === 'token+data').event;

const STAMP = { ingestionMs: 1_767_323_045_678, position: 7n, firstMs: 1_767_323_045_678, orphaned: false };

const TOKEN_MESSAGE_JSON =
  '{"sender":"0x00000000000000000000000070997970c51812dc3a010c7d01b50e0d17dc79c8","data":"0x7769746820746f6b656e",' +
  '"on_ramp_address":"0x000000000000000000000000c5a5c42992decbae36851359345fe25997f5c42d",' +
  '"token_transfer":{"amount":1500000000000000000,' +
  '"source_pool_address":"0x000000000000000000000000e6e340d132b5f46d1e472debcd681b2abc16e57e",' +
  '"source_token_address":"0x000000000000000000000000dc64a140aa3e981100a9beca4e685f962f0cf6c9",' +
  '"dest_token_address":"0x8a791620dd6260079bf849dc5567adc3f2fdc318",' +
  '"token_receiver":"0x70e0ba845a1a0f2da3359c97e0285013525ffc49",' +
  '"extra_data":"0x0000000000000000000000000000000000000000000000000000000000000012","version":1,' +
  '"source_pool_address_length":32,"source_token_address_length":32,"dest_token_address_length":20,' +
  '"token_receiver_length":20,"extra_data_length":32},' +
  '"off_ramp_address":"0xa82ff9afd8f496c3d6ac40e2a0f282e47488cfc9","dest_blob":null,' +
  '"receiver":"0x70e0ba845a1a0f2da3359c97e0285013525ffc49","source_chain_selector":3379446385462418246,' +
  '"dest_chain_selector":12922642891491394802,"sequence_number":3,"execution_gas_limit":453073,' +
  '"ccip_receive_gas_limit":150000,"finality":0,' +
  '"ccv_and_executor_hash":"0xe8604358338a96fc9386c492525db4916ae839d29e3531eddc7dad9f262deb03",' +
  '"dest_blob_length":0,"token_transfer_length":175,"data_length":10,"receiver_length":20,"sender_length":32,' +
  '"version":1,"off_ramp_address_length":20,"on_ramp_address_length":32}';

/** Everything that may be empty is, everything that may be big is. */
const EMPTY: Message = {
  version: 1,
  sourceChainSelector: 14767482510784806043n,
  destChainSelector: 2n ** 64n - 1n,
  messageNumber: 2n ** 64n - 1n,
  executionGasLimit: 0,
  ccipReceiveGasLimit: 4294967295,
  finality: 65536,
  ccvAndExecutorHash: `0x${'ab'.repeat(32)}`,
  onRampAddress: '0x',
  offRampAddress: '0x',
  sender: '0x',
  receiver: '0x',
  destBlob: '0x',
  tokenTransfer: {
    version: 1,
    amount: 2n ** 256n - 1n,
    sourcePoolAddress: '0x',
    sourceTokenAddress: '0x',
    destTokenAddress: '0x',
    tokenReceiver: '0x',
    extraData: '0x',
  },
  data: '0x',
};

const EMPTY_MESSAGE_JSON =
  '{"sender":"","data":null,"on_ramp_address":"","token_transfer":{"amount":' +
  '115792089237316195423570985008687907853269984665640564039457584007913129639935,"source_pool_address":null,' +
  '"source_token_address":null,"dest_token_address":null,"token_receiver":null,"extra_data":null,"version":1,' +
  '"source_pool_address_length":0,"source_token_address_length":0,"dest_token_address_length":0,' +
  '"token_receiver_length":0,"extra_data_length":0},"off_ramp_address":"","dest_blob":null,"receiver":"",' +
  '"source_chain_selector":14767482510784806043,"dest_chain_selector":18446744073709551615,' +
  '"sequence_number":18446744073709551615,"execution_gas_limit":0,"ccip_receive_gas_limit":4294967295,' +
  `"finality":65536,"ccv_and_executor_hash":"0x${'ab'.repeat(32)}","dest_blob_length":0,"token_transfer_length":39,` +
  '"data_length":0,"receiver_length":0,"sender_length":0,"version":1,"off_ramp_address_length":0,' +
  '"on_ramp_address_length":0}';

function storedResult(overrides: Partial<StoredVerifierResult> = {}): StoredVerifierResult {
  const encodedMessage = hexToBytes(withToken.encodedMessage);
  return {
    messageId: withToken.messageId as Hex,
    verifierSourceAddress: '0x3aa5ebb10dc797cac828524e59a333d0a371443c',
    verifierDestAddress: '0x84ea74d481ee0a5332c457a4d796187f6ba67feb',
    encodedMessage,
    messageCCVAddresses: ['0x3aa5ebb10dc797cac828524e59a333d0a371443c'],
    messageExecutorAddress: '0xb7f8bc63bbcad18155201308c8f3540b07f84f5e',
    ccvData: hexToBytes('0xe9a05a200000'),
    attestationMs: 1_767_323_044_001,
    verifierName: 'committee-1',
    verdict: null,
    ...STAMP,
    ...overrides,
  };
}

describe('a verifier result as JSON', () => {
  it('is byte for byte what the page of the API says, for a real message with a token', () => {
    expect(verifierResultJson(storedResult())).toBe(
      `{"verifierResult":{"message_id":"${withToken.messageId}","message":${TOKEN_MESSAGE_JSON},` +
        '"message_ccv_addresses":["0x3aa5ebb10dc797cac828524e59a333d0a371443c"],' +
        '"message_executor_address":"0xb7f8bc63bbcad18155201308c8f3540b07f84f5e","ccv_data":"0xe9a05a200000",' +
        '"timestamp":"2026-01-02T03:04:04.001Z",' +
        '"verifier_source_address":"0x3aa5ebb10dc797cac828524e59a333d0a371443c",' +
        '"verifier_dest_address":"0x84ea74d481ee0a5332c457a4d796187f6ba67feb"},' +
        '"metadata":{"verifierName":"committee-1","attestationTimestamp":"2026-01-02T03:04:04.001Z",' +
        '"ingestionTimestamp":"2026-01-02T03:04:05.678Z"}}',
    );
  });

  it('writes empty bytes as null, empty addresses as "", and every digit of 64 and 256 bits', () => {
    const encodedMessage = encodeMessage(EMPTY);
    const messageId = computeMessageId(encodedMessage);
    const record = storedResult({
      messageId,
      encodedMessage,
      messageCCVAddresses: [],
      messageExecutorAddress: '0x',
      verifierSourceAddress: '0x',
      verifierDestAddress: '0x',
      ccvData: new Uint8Array(0),
      attestationMs: 0,
      verifierName: 'a "b" \\ é\n',
    });
    expect(verifierResultJson(record)).toBe(
      `{"verifierResult":{"message_id":"${messageId}","message":${EMPTY_MESSAGE_JSON},"message_ccv_addresses":[],` +
        '"message_executor_address":"","ccv_data":null,"timestamp":"1970-01-01T00:00:00.000Z",' +
        '"verifier_source_address":"","verifier_dest_address":""},"metadata":{"verifierName":"a \\"b\\" \\\\ é\\n",' +
        '"attestationTimestamp":"1970-01-01T00:00:00.000Z","ingestionTimestamp":"2026-01-02T03:04:05.678Z"}}',
    );
  });

  it('stays readable when a verifier claims a time that RFC 3339 cannot say', () => {
    const json = JSON.parse(verifierResultJson(storedResult({ attestationMs: Number.MAX_SAFE_INTEGER })));
    expect(json.verifierResult.timestamp).toBe('9999-12-31T23:59:59.999Z');
  });
});

describe('a message entry as JSON', () => {
  const stored: StoredMessage = {
    messageId: withToken.messageId,
    encodedMessage: hexToBytes(withToken.encodedMessage),
    messageCCVAddresses: ['0x3aa5ebb10dc797cac828524e59a333d0a371443c', '0x'],
    messageExecutorAddress: '0xb7f8bc63bbcad18155201308c8f3540b07f84f5e',
    origin: null,
    status: 'processing',
    ...STAMP,
  };

  it('is byte for byte what the page of the API says', () => {
    expect(messageEntryJson(stored)).toBe(
      `{"message":${TOKEN_MESSAGE_JSON},"metadata":{"status":0,"ingestionTimestamp":"2026-01-02T03:04:05.678Z"},` +
        '"messageCCVAddresses":["0x3aa5ebb10dc797cac828524e59a333d0a371443c",""]}',
    );
  });

  it('has no messageCCVAddresses when there are none, and a number for each status', () => {
    const tail = (status: StoredMessage['status']) =>
      messageEntryJson({ ...stored, messageCCVAddresses: [], status }).slice(TOKEN_MESSAGE_JSON.length + 11);
    const time = '"ingestionTimestamp":"2026-01-02T03:04:05.678Z"';
    expect(tail('processing')).toBe(`,"metadata":{"status":0,${time}}}`);
    expect(tail('success')).toBe(`,"metadata":{"status":1,${time}}}`);
    expect(tail('timeout')).toBe(`,"metadata":{"status":2,${time}}}`);
  });
});
