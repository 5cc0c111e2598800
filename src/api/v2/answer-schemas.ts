import { z } from 'zod';
import { MESSAGE_STATUSES } from '../../model/status.js';
import { EXECUTION_STATES, SIGNATURE_VERDICTS } from '../../protocol/records.js';
import * as figures from './figure-schemas.js';
import { bytes, bytes32, decimal, time, uint32 } from './schema-values.js';

/**
 * Schemas of the answers, for the OpenAPI document and the tests that hold real answers against it. `records.ts` makes
 * the answers; none passes through a schema at run time.
 */
const place = z.strictObject({
  blockNumber: decimal,
  blockHash: bytes32,
  blockTime: time,
  transactionHash: bytes,
  logIndex: uint32,
});

const tokenTransfer = z.strictObject({
  amount: decimal,
  sourceToken: bytes,
  sourcePool: bytes,
  destToken: bytes,
  receiver: bytes,
  extraData: bytes,
});

const finality = z.strictObject({
  value: uint32.describe('The four bytes as a number.'),
  kind: z.enum(['finalized', 'safe', 'depth']).describe('The depth that the sender asks to be waited for.'),
  depth: uint32.nullable().describe('Blocks on top of its own; null unless kind is depth.'),
});

const messageFields = {
  messageId: bytes32,
  sourceChainSelector: decimal,
  destChainSelector: decimal,
  messageNumber: decimal,
  status: z
    .enum(MESSAGE_STATUSES)
    .describe('processing: verifications are missing; success: all are here; timeout: given up.'),
  orphaned: z.boolean().describe('A reorg removed the message from its source chain.'),
  sender: bytes,
  receiver: bytes,
  onRamp: bytes,
  offRamp: bytes,
  executor: bytes,
  ccvs: z.array(bytes).describe('The CCVs that must attest, as the source chain names them.'),
  finality,
  executionGasLimit: uint32,
  ccipReceiveGasLimit: uint32,
  ccvAndExecutorHash: bytes32,
  tokenTransfer: tokenTransfer.nullable(),
  data: bytes,
  destBlob: bytes,
  encodedMessage: bytes.describe('The canonical bytes: keccak256 of them is the message id.'),
  origin: place.nullable().describe('The log on the source chain; null when it was not read from there.'),
  ingestedAt: time,
  firstIngestedAt: time.describe('Of the first record that was ever stored for the message.'),
  position: decimal.describe('Position of its last change in the feed.'),
};

/** A message of a list. */
export const message = z.strictObject(messageFields);

/** One verifier's attestation. */
export const verification = z.strictObject({
  verifierSourceAddress: bytes,
  verifierDestAddress: bytes,
  verifierName: z.string().describe('The configured reader that brought it.'),
  ccvData: bytes,
  attestedAt: time.describe('As the verifier says.'),
  ingestedAt: time,
  verdict: z
    .strictObject({
      verdict: z.enum(SIGNATURE_VERDICTS),
      configBlock: decimal.describe('Block of the destination chain whose configuration it was judged by.'),
    })
    .nullable()
    .describe('Whether the destination chain would take its signatures; null: not judged.'),
  orphaned: z.boolean(),
  position: decimal,
});

/** One change of the message's state on its destination chain. */
export const execution = z.strictObject({
  state: z.enum(EXECUTION_STATES).describe('failure is not final.'),
  returnData: bytes,
  messageNumber: decimal,
  offRamp: bytes,
  place,
  orphaned: z.boolean().describe('A reorg removed it from the destination chain.'),
  ingestedAt: time,
  position: decimal,
});

const requiredCCV = z.strictObject({
  address: bytes,
  verifications: z.array(verification),
  missing: z
    .enum(['waiting', 'timeout', 'orphaned', 'no-verifier'])
    .nullable()
    .describe(
      'Why there is none: still waited for, given up, the message was removed, or no configured verifier answers for ' +
        'the CCV; null when there is one.',
    ),
});

/** `GET /v2/messages/{messageID}` */
export const messageAnswer = z.strictObject({
  ...messageFields,
  requiredCCVs: z.array(requiredCCV),
  otherVerifications: z.array(verification).describe('Those of verifiers that the message does not name.'),
  executions: z.array(execution).describe('In the order of the destination chain.'),
  transactions: z
    .strictObject({ source: bytes.nullable(), destination: z.array(bytes) })
    .describe('That sent it (null: not known), and those of its executions that stand, each once.'),
});

/** `GET /v2/transactions/{transactionHash}` */
export const transactionAnswer = z.strictObject({
  transactionHash: bytes,
  messages: z.array(message).describe('Sent in it, by log index.'),
  executions: z
    .array(
      z.strictObject({
        messageId: bytes32,
        sourceChainSelector: decimal,
        destChainSelector: decimal,
        ...execution.shape,
        message: message.nullable().describe('Null: not known, as where its source chain is not read.'),
      }),
    )
    .describe('Made in it, by log index.'),
  position: decimal.describe('The state that is shown: every change up to this position.'),
});

/** `GET /v2/messages` */
export const messagesAnswer = z.strictObject({
  messages: z.array(message),
  nextCursor: z
    .string()
    .nullable()
    .describe('Pass it as cursor for the next page, also after a page that is shorter than its limit; null: the end.'),
  position: decimal.describe('The state that the page shows: every change up to this position.'),
});

/** One change: the present state of its record. */
const change = z.strictObject({
  position: decimal,
  kind: z.enum(['message', 'verifierResult', 'execution']),
  messageId: bytes32,
  sourceChainSelector: decimal,
  destChainSelector: decimal,
  message: message.optional(),
  verification: verification.optional(),
  execution: execution.optional(),
});

/** `GET /v2/feed` as a page; the data of an event is one change. */
export const feedAnswer = z.strictObject({
  changes: z.array(change),
  nextAfter: decimal.describe('Pass it as after for the next page, also when this one has no changes.'),
  headPosition: decimal.describe('The last position there is: the feed is read when nextAfter has come there.'),
});

/** Every answer that is not a 200: RFC 9457. */
export const problemSchema = z.strictObject({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.number().int().min(400).max(599),
  detail: z.string(),
  instance: z.string().describe('The request id, which logs name.'),
});

/** Schemas by the name they have under `#/components/schemas`. */
export const NAMED_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  MessageV2: message,
  MessageDetailV2: messageAnswer,
  MessagesV2: messagesAnswer,
  TransactionV2: transactionAnswer,
  VerificationV2: verification,
  ExecutionV2: execution,
  ChangeV2: change,
  FeedV2: feedAnswer,
  DurationsV2: figures.durations,
  LaneWindowV2: figures.laneWindow,
  LaneV2: figures.lane,
  LanesV2: figures.lanesAnswer,
  LaneDetailV2: figures.laneAnswer,
  VerifierV2: figures.verifier,
  VerifiersV2: figures.verifiersAnswer,
  StatsV2: figures.statsAnswer,
  Problem: problemSchema,
};
