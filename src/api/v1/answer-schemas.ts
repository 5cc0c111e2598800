import { z } from 'zod';

/**
 * Schemas of the answers, for the OpenAPI document and the tests that hold real answers against it. `record-json.ts`
 * writes the answers; none passes through a schema at run time.
 */
const bytes = z
  .string()
  .regex(/^0x(?:[0-9a-f]{2})+$/)
  .nullable()
  .describe('Bytes as 0x and lower-case hex; null when empty.');
const address = z
  .string()
  .regex(/^(?:0x(?:[0-9a-f]{2}){1,255})?$/)
  .describe('Up to 255 bytes as 0x and lower-case hex; "" when empty.');
const bytes32 = z.string().regex(/^0x[0-9a-f]{64}$/);
const time = z.iso.datetime({ offset: true }).describe('RFC 3339, UTC, milliseconds.');
/** A number that JSON.parse of most languages' defaults would round: written with all its digits. */
const bigNumber = (bits: 64 | 256) =>
  z.unknown().meta({
    type: 'integer',
    format: `uint${bits}`,
    minimum: 0,
    description: `A JSON number of up to ${bits} bits, all digits written: read it with a parser that keeps them.`,
  });
const uint = (bits: 8 | 16 | 32) =>
  z
    .number()
    .int()
    .min(0)
    .max(2 ** bits - 1);

const tokenTransfer = z.strictObject({
  amount: bigNumber(256),
  source_pool_address: bytes,
  source_token_address: bytes,
  dest_token_address: bytes,
  token_receiver: bytes,
  extra_data: bytes,
  version: uint(8),
  source_pool_address_length: uint(8),
  source_token_address_length: uint(8),
  dest_token_address_length: uint(8),
  token_receiver_length: uint(8),
  extra_data_length: uint(16),
});

const message = z.strictObject({
  sender: address,
  data: bytes,
  on_ramp_address: address,
  token_transfer: tokenTransfer.nullable(),
  off_ramp_address: address,
  dest_blob: bytes,
  receiver: address,
  source_chain_selector: bigNumber(64),
  dest_chain_selector: bigNumber(64),
  sequence_number: bigNumber(64),
  execution_gas_limit: uint(32),
  ccip_receive_gas_limit: uint(32),
  finality: uint(32),
  ccv_and_executor_hash: bytes32,
  dest_blob_length: uint(16),
  token_transfer_length: uint(16),
  data_length: uint(16),
  receiver_length: uint(8),
  sender_length: uint(8),
  version: uint(8),
  off_ramp_address_length: uint(8),
  on_ramp_address_length: uint(8),
});

const verifierResult = z.strictObject({
  message_id: bytes32,
  message,
  message_ccv_addresses: z.array(address),
  message_executor_address: address,
  ccv_data: bytes,
  timestamp: time,
  verifier_source_address: address,
  verifier_dest_address: address,
});

const verifierResultWithMetadata = z.strictObject({
  verifierResult,
  metadata: z.strictObject({ verifierName: z.string(), attestationTimestamp: time, ingestionTimestamp: time }),
});

const messageWithMetadata = z.strictObject({
  message,
  metadata: z.strictObject({
    status: z.union([z.literal(0), z.literal(1), z.literal(2)]).describe('0 processing, 1 success, 2 timeout.'),
    ingestionTimestamp: time,
  }),
  messageCCVAddresses: z.array(address).optional().describe('Absent when empty.'),
});

/** `GET /v1/verifierresults` */
export const verifierResultsAnswer = z.strictObject({
  success: z.literal(true),
  verifierResults: z.record(bytes32, z.array(verifierResultWithMetadata)),
});

/** `GET /v1/verifierresults/{messageID}` */
export const verifierResultsByIdAnswer = z.strictObject({
  success: z.literal(true),
  results: z.array(verifierResultWithMetadata),
  messageID: bytes32,
});

/** `GET /v1/messages` */
export const messagesAnswer = z.strictObject({
  success: z.literal(true),
  messages: z.record(bytes32, messageWithMetadata),
});

/** Every answer that is not a 200. */
export const errorAnswerSchema = z.strictObject({
  success: z.literal(false),
  status: z.number().int().min(400).max(599),
  message: z.string(),
});

/** Schemas by the name they have under `#/components/schemas`. */
export const NAMED_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  TokenTransfer: tokenTransfer,
  Message: message,
  VerifierResult: verifierResult,
  VerifierResultWithMetadata: verifierResultWithMetadata,
  MessageWithMetadata: messageWithMetadata,
  VerifierResultsResponse: verifierResultsAnswer,
  VerifierResultsByMessageIDResponse: verifierResultsByIdAnswer,
  MessagesResponse: messagesAnswer,
  ErrorResponse: errorAnswerSchema,
};
