import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { hexToBytes } from '../../../src/core/hex.js';
import { decodeMessage } from '../../../src/protocol/message-codec.js';
import { messageJson } from '../../../src/protocol/message-json.js';
import type { VerifierResult } from '../../../src/protocol/records.js';
import { encodeTokenTransfer } from '../../../src/protocol/token-transfer-codec.js';

const definitions = loadSync(['verifier.proto', 'message_discovery.proto'], {
  includeDirs: [fileURLToPath(new URL('../../../src/verifiers/aggregator/proto', import.meta.url))],
  keepCase: true,
  longs: String,
  defaults: true,
  arrays: true,
});
const type = (name: string) => definitions[`chainlink_ccv.${name}`] as MessageTypeDefinition<unknown, unknown>;

/** The bytes of a `VerifierResult`, all fields given as an aggregator gives them. */
export function encodeResult(result: VerifierResult): Buffer {
  const message = decodeMessage(result.encodedMessage);
  const json = JSON.parse(messageJson(result.encodedMessage)) as Readonly<Record<string, number>>;
  const lengths = Object.fromEntries(Object.entries(json).filter(([field]) => field.endsWith('_length')));
  return type('verifier.v1.VerifierResult').serialize({
    message: {
      ...lengths,
      version: message.version,
      sender: hexToBytes(message.sender),
      data: hexToBytes(message.data),
      on_ramp_address: hexToBytes(message.onRampAddress),
      token_transfer: message.tokenTransfer ? encodeTokenTransfer(message.tokenTransfer) : [],
      off_ramp_address: hexToBytes(message.offRampAddress),
      dest_blob: hexToBytes(message.destBlob),
      receiver: hexToBytes(message.receiver),
      source_chain_selector: String(message.sourceChainSelector),
      dest_chain_selector: String(message.destChainSelector),
      sequence_number: String(message.messageNumber),
      execution_gas_limit: message.executionGasLimit,
      ccip_receive_gas_limit: message.ccipReceiveGasLimit,
      finality: message.finality,
      ccv_and_executor_hash: hexToBytes(message.ccvAndExecutorHash),
    },
    message_ccv_addresses: result.messageCCVAddresses.map(hexToBytes),
    message_executor_address: hexToBytes(result.messageExecutorAddress),
    ccv_data: result.ccvData,
    metadata: {
      timestamp: String(result.attestationMs),
      verifier_source_address: hexToBytes(result.verifierSourceAddress),
      verifier_dest_address: hexToBytes(result.verifierDestAddress),
    },
  });
}

/** One `VerifierResult`'s bytes with its sequence. */
export interface PageEntry {
  readonly sequence: bigint;
  readonly result: Uint8Array;
}

/** A field of bytes, number 1 to 15: its tag, its length, the bytes. */
export function bytesField(number: number, bytes: Uint8Array): Buffer {
  const length: number[] = [];
  let rest = bytes.length;
  while (rest > 0x7f) {
    length.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length, rest]), bytes]);
}

const entryType = type('message_discovery.v1.VerifierResultWithSequence');

/** A page, of results that need not be decodable. */
export function encodePage(entries: readonly PageEntry[]): Buffer {
  return Buffer.concat(
    entries.map(({ sequence, result }) =>
      bytesField(1, Buffer.concat([bytesField(1, result), entryType.serialize({ sequence: String(sequence) })])),
    ),
  );
}

/** The answer about ids, of results that need not be decodable; empty: not known, with an error for each. */
export function encodeResults(results: readonly Uint8Array[]): Buffer {
  const errors = results
    .filter((result) => result.length === 0)
    .map(() => ({ code: 5, message: 'message ID not found' }));
  return Buffer.concat([
    ...results.map((result) => bytesField(1, result)),
    type('verifier.v1.GetVerifierResultsForMessageResponse').serialize({ errors }),
  ]);
}

/** The `sinceSequence` of a request. */
export function decodeSince(request: Buffer): bigint {
  const { sinceSequence } = type('message_discovery.v1.GetMessagesSinceRequest').deserialize(request) as {
    readonly sinceSequence: string;
  };
  return BigInt(sinceSequence);
}

/** The ids of a request. */
export function decodeIds(request: Buffer): readonly Buffer[] {
  const { message_ids } = type('verifier.v1.GetVerifierResultsForMessageRequest').deserialize(request) as {
    readonly message_ids: readonly Buffer[];
  };
  return message_ids;
}
