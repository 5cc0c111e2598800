import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { IndexerError, toError } from '../../../core/errors.js';
import { type Hex, hexToBytes } from '../../../core/hex.js';

/** The `.proto` files, beside this folder in the sources and in the package. */
const PROTO_FOLDER = fileURLToPath(new URL('../../../../src/verifiers/aggregator/proto', import.meta.url));

// 64-bit integers are decimal text here, and bigint everywhere else: a number would round them
const definitions = loadSync(['verifier.proto', 'message_discovery.proto', 'envelopes.proto'], {
  includeDirs: [PROTO_FOLDER],
  keepCase: true,
  longs: String,
  defaults: true,
  arrays: true,
});

/** The methods of an aggregator that are called. */
export type AggregatorMethod = 'GetMessagesSince' | 'GetVerifierResultsForMessage';

/** The full path of each method, which is signed as well. */
export const METHOD_PATHS: Readonly<Record<AggregatorMethod, string>> = {
  GetMessagesSince: '/chainlink_ccv.message_discovery.v1.MessageDiscovery/GetMessagesSince',
  GetVerifierResultsForMessage: '/chainlink_ccv.verifier.v1.Verifier/GetVerifierResultsForMessage',
};

/** An entry of `errors` in an answer: a code of gRPC, and words. */
export interface StatusEntry {
  readonly code: number;
  readonly message: string;
}

/** A `VerifierResult` as it is decoded, before any check. Absent messages are null, absent bytes empty. */
export interface DecodedResult {
  readonly message: DecodedMessage | null;
  readonly message_ccv_addresses: readonly Buffer[];
  readonly message_executor_address: Buffer;
  readonly ccv_data: Buffer;
  readonly metadata: {
    /** Decimal text. */
    readonly timestamp: string;
    readonly verifier_source_address: Buffer;
    readonly verifier_dest_address: Buffer;
  } | null;
}

type MessageBytes =
  | 'sender'
  | 'data'
  | 'on_ramp_address'
  | 'token_transfer'
  | 'off_ramp_address'
  | 'dest_blob'
  | 'receiver';

/** A `Message` as it is decoded; 64-bit numbers as decimal text. */
export type DecodedMessage = { readonly [Field in MessageBytes | 'ccv_and_executor_hash']: Buffer } & {
  readonly [Field in MessageBytes as `${Field}_length`]: number;
} & {
  readonly source_chain_selector: string;
  readonly dest_chain_selector: string;
  readonly sequence_number: string;
  readonly execution_gas_limit: number;
  readonly ccip_receive_gas_limit: number;
  readonly finality: number;
  readonly version: number;
};

interface DecodedEntry {
  readonly verifierResult: Buffer;
  readonly sequence: string;
}

/** Bytes are not the protobuf message that was expected. */
export class WireError extends IndexerError {
  constructor(expected: string, cause: unknown) {
    super('PROTOBUF', `not the bytes of a ${expected}: ${toError(cause).message}`, false);
  }
}

function typeOf<T>(name: string): MessageTypeDefinition<T, T> {
  const found = definitions[name];
  if (found === undefined || !('serialize' in found))
    throw new IndexerError('PROTOBUF', `the .proto files define no message ${name}`, false);
  return found as MessageTypeDefinition<unknown, unknown> as MessageTypeDefinition<T, T>;
}

const resultType = typeOf<DecodedResult>('chainlink_ccv.verifier.v1.VerifierResult');
const resultsRequest = typeOf<{ readonly message_ids: readonly Uint8Array[] }>(
  'chainlink_ccv.verifier.v1.GetVerifierResultsForMessageRequest',
);
const sinceRequest = typeOf<{ readonly sinceSequence?: string }>(
  'chainlink_ccv.message_discovery.v1.GetMessagesSinceRequest',
);
const results = typeOf<{ readonly results: readonly Buffer[]; readonly errors: readonly StatusEntry[] }>(
  'ccv_indexer.envelopes.Results',
);
const sequenced = typeOf<{ readonly results: readonly Buffer[] }>('ccv_indexer.envelopes.Sequenced');
const entry = typeOf<DecodedEntry>('ccv_indexer.envelopes.Entry');

/** The request bytes for these message ids, in this order. */
export const encodeResultsRequest = (messageIds: readonly Hex[]): Buffer =>
  resultsRequest.serialize({ message_ids: messageIds.map(hexToBytes) });

/**
 * The request bytes for the entries from `sequence` on. A zero is left out, as proto3 wants it: a server that encodes
 * the request again to check its signature must get the same bytes.
 */
export const encodeSinceRequest = (sequence: bigint): Buffer =>
  sinceRequest.serialize(sequence === 0n ? {} : { sinceSequence: String(sequence) });

/** The elements of an answer by id, each as its own bytes. @throws WireError */
export const decodeResults = (bytes: Buffer) => decode(results, bytes, 'GetVerifierResultsForMessageResponse');

/** The elements of a page, each as its own bytes. @throws WireError */
export const decodeSequenced = (bytes: Buffer) => decode(sequenced, bytes, 'GetMessagesSinceResponse').results;

/** One element of a page. @throws WireError */
export const decodeEntry = (bytes: Buffer) => decode(entry, bytes, 'VerifierResultWithSequence');

/** One verifier result. @throws WireError */
export const decodeResult = (bytes: Uint8Array) =>
  decode(resultType, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 'VerifierResult');

function decode<T>(type: MessageTypeDefinition<T, T>, bytes: Buffer, expected: string): T {
  try {
    return type.deserialize(bytes);
  } catch (cause) {
    throw new WireError(expected, cause);
  }
}
