import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Hex, hexToBytes } from '../../../src/core/hex.js';
import { parseExactJson, stringifyExactJson } from '../../../src/protocol/exact-json.js';
import type { Message } from '../../../src/protocol/message.js';
import { decodeMessage, encodeMessage } from '../../../src/protocol/message-codec.js';
import { MessageJsonError, messageFromJson, messageJson } from '../../../src/protocol/message-json.js';
import { messages } from './arbitraries.js';
import { lane } from './fixtures.js';

const empty: Message = {
  version: 1,
  sourceChainSelector: 0n,
  destChainSelector: 0n,
  messageNumber: 0n,
  executionGasLimit: 0,
  ccipReceiveGasLimit: 0,
  finality: 0,
  ccvAndExecutorHash: `0x${'00'.repeat(32)}`,
  onRampAddress: '0x',
  offRampAddress: '0x',
  sender: '0x',
  receiver: '0x',
  destBlob: '0x',
  tokenTransfer: null,
  data: '0x',
};

const full: Message = {
  version: 1,
  sourceChainSelector: 14_767_482_510_784_806_043n,
  destChainSelector: 3_379_446_385_462_418_246n,
  messageNumber: 2n ** 64n - 1n,
  executionGasLimit: 4_294_967_295,
  ccipReceiveGasLimit: 5,
  finality: 65_536,
  ccvAndExecutorHash: `0x${'cc'.repeat(32)}`,
  onRampAddress: '0x01',
  offRampAddress: '0x0202',
  sender: '0x030303',
  receiver: '0x04040404',
  destBlob: '0x0505050505',
  tokenTransfer: {
    version: 1,
    amount: 2n ** 256n - 1n,
    sourcePoolAddress: '0x06',
    sourceTokenAddress: '0x0707',
    destTokenAddress: '0x080808',
    tokenReceiver: '0x09090909',
    extraData: '0x',
  },
  data: '0xabcdef',
};

const asJson = (message: Message): Record<string, unknown> =>
  parseExactJson(messageJson(encodeMessage(message))) as Record<string, unknown>;

describe('messageJson', () => {
  it('writes every field of a full message, in the order of the wire', () => {
    expect(messageJson(encodeMessage(full))).toBe(
      `{"sender":"0x030303","data":"0xabcdef","on_ramp_address":"0x01","token_transfer":{"amount":${2n ** 256n - 1n},` +
        '"source_pool_address":"0x06","source_token_address":"0x0707","dest_token_address":"0x080808",' +
        '"token_receiver":"0x09090909","extra_data":null,"version":1,"source_pool_address_length":1,' +
        '"source_token_address_length":2,"dest_token_address_length":3,"token_receiver_length":4,"extra_data_length":0},' +
        '"off_ramp_address":"0x0202","dest_blob":"0x0505050505","receiver":"0x04040404",' +
        '"source_chain_selector":14767482510784806043,"dest_chain_selector":3379446385462418246,' +
        '"sequence_number":18446744073709551615,"execution_gas_limit":4294967295,"ccip_receive_gas_limit":5,' +
        `"finality":65536,"ccv_and_executor_hash":"0x${'cc'.repeat(32)}","dest_blob_length":5,` +
        '"token_transfer_length":49,"data_length":3,"receiver_length":4,"sender_length":3,"version":1,' +
        '"off_ramp_address_length":2,"on_ramp_address_length":1}',
    );
  });

  it('writes empty bytes as null and empty addresses as ""', () => {
    expect(messageJson(encodeMessage(empty))).toBe(
      '{"sender":"","data":null,"on_ramp_address":"","token_transfer":null,"off_ramp_address":"","dest_blob":null,' +
        '"receiver":"","source_chain_selector":0,"dest_chain_selector":0,"sequence_number":0,"execution_gas_limit":0,' +
        `"ccip_receive_gas_limit":0,"finality":0,"ccv_and_executor_hash":"0x${'00'.repeat(32)}","dest_blob_length":0,` +
        '"token_transfer_length":0,"data_length":0,"receiver_length":0,"sender_length":0,"version":1,' +
        '"off_ramp_address_length":0,"on_ramp_address_length":0}',
    );
  });

  it('is read back as the same message', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const bytes = encodeMessage(message);
        expect(Buffer.from(encodeMessage(messageFromJson(parseExactJson(messageJson(bytes))))).equals(bytes)).toBe(
          true,
        );
      }),
    );
  });

  it('holds for every recorded message', () => {
    for (const { event } of lane.messages) {
      const bytes = hexToBytes(event.encodedMessage);
      expect(messageFromJson(parseExactJson(messageJson(bytes)))).toEqual(decodeMessage(bytes));
    }
  });
});

describe('messageFromJson', () => {
  const LENGTHS = [
    'dest_blob_length',
    'token_transfer_length',
    'data_length',
    'receiver_length',
    'sender_length',
    'off_ramp_address_length',
    'on_ramp_address_length',
  ];

  it.each([null, '', '0x', undefined])('takes %o for every empty byte field', (nothing) => {
    const json = asJson(empty);
    for (const name of ['sender', 'data', 'on_ramp_address', 'off_ramp_address', 'dest_blob', 'receiver']) {
      if (nothing === undefined) delete json[name];
      else json[name] = nothing;
    }
    expect(messageFromJson(json)).toEqual(empty);
  });

  it('takes hex of either case, and numbers as bigint or number', () => {
    const json: Record<string, unknown> = {
      ...asJson(full),
      data: '0xABCDEF',
      dest_chain_selector: 7,
      sequence_number: 8n,
    };
    expect(messageFromJson(json)).toEqual({ ...full, destChainSelector: 7n, messageNumber: 8n });
  });

  it('does without length fields and ignores what it does not know', () => {
    const json = { ...asJson(full), unknown: { nested: true } };
    for (const name of LENGTHS) delete (json as Record<string, unknown>)[name];
    expect(messageFromJson(json)).toEqual(full);
  });

  it.each(LENGTHS)('refuses a %s that disagrees with the bytes', (name) => {
    const json = asJson(full);
    const failure = (): unknown => messageFromJson({ ...json, [name]: Number(json[name]) + 1 });
    expect(failure).toThrow(expect.objectContaining({ path: `message.${name}`, retryable: false }));
    expect(failure).toThrow(MessageJsonError);
  });

  it('keeps the error short for an integer of any size', () => {
    const json = { ...asJson(full), sequence_number: 10n ** 100_000n };
    expect(() => messageFromJson(json)).toThrow(/^.{1,120}$/);
  });

  it('refuses a length for a token transfer that is not there', () => {
    expect(() => messageFromJson({ ...asJson(empty), token_transfer_length: 39 })).toThrow(
      expect.objectContaining({ path: 'message.token_transfer_length' }),
    );
  });

  const wrong: readonly [string, unknown][] = [
    ['version', 2],
    ['version', undefined],
    ['source_chain_selector', undefined],
    ['source_chain_selector', '1'],
    ['source_chain_selector', 2n ** 64n],
    ['dest_chain_selector', 2 ** 53],
    ['sequence_number', -1],
    ['sequence_number', 1.5],
    ['execution_gas_limit', 2 ** 32],
    ['ccip_receive_gas_limit', null],
    ['finality', '0x00000000'],
    ['ccv_and_executor_hash', '0x00'],
    ['ccv_and_executor_hash', null],
    ['sender', 'q80='],
    ['sender', 5],
    ['receiver', `0x${'00'.repeat(256)}`],
    ['data', '0xabc'],
    ['dest_blob', `0x${'00'.repeat(65_536)}`],
    ['token_transfer', []],
    ['token_transfer', 'x'],
  ];

  it.each(wrong)('names the path when %s is %o', (name, value) => {
    const failure = (): unknown => messageFromJson({ ...asJson(full), [name]: value }, 'results[3].message');
    expect(failure).toThrow(MessageJsonError);
    expect(failure).toThrow(expect.objectContaining({ path: `results[3].message.${name}` }));
  });

  it.each([
    ['amount', 2n ** 256n],
    ['amount', null],
    ['version', 0],
    ['token_receiver', '0x0'],
    ['extra_data_length', 1],
    ['extra_data', `0x${'00'.repeat(65_536)}`],
  ])('names the path inside the token transfer when %s is %o', (name, value) => {
    const json = asJson(full);
    const transfer = { ...(json['token_transfer'] as object), [name]: value };
    expect(() => messageFromJson({ ...json, token_transfer: transfer })).toThrow(
      expect.objectContaining({ path: `message.token_transfer.${name}` }),
    );
  });

  it('refuses a token transfer whose bytes do not fit two bytes of length', () => {
    const json = asJson(full);
    const large: Hex = `0x${'00'.repeat(65_520)}`;
    const transfer = { ...(json['token_transfer'] as object), extra_data: large, extra_data_length: 65_520 };
    expect(() => messageFromJson({ ...json, token_transfer: transfer, token_transfer_length: undefined })).toThrow(
      expect.objectContaining({ path: 'message.token_transfer' }),
    );
  });

  it.each([null, undefined, 'x', 5, []])('refuses %o in place of a message', (value) => {
    expect(() => messageFromJson(value)).toThrow(expect.objectContaining({ path: 'message' }));
  });

  it('accepts what it accepts only when it can be encoded', () => {
    fc.assert(
      fc.property(messages, fc.constantFrom(...Object.keys(asJson(full))), fc.jsonValue(), (message, name, value) => {
        const json = parseExactJson(stringifyExactJson({ ...asJson(message), [name]: value }));
        let accepted: Message;
        try {
          accepted = messageFromJson(json);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(MessageJsonError);
          return;
        }
        expect(decodeMessage(encodeMessage(accepted))).toEqual(accepted);
      }),
    );
  });
});
