import type { Hex } from '../../core/hex.js';
import type { WriteBatch } from '../batch.js';
import { checkBatch } from '../check-batch.js';
import type { Execution, MessageBody, NewMessage, QuarantineEntry, VerifierResult } from '../records.js';

/** A record of a batch. A leader that loads hashes instead of bodies gives the hash of each body with it. */
export type Given<T> = T & { readonly bodyHash?: Hex | undefined };

/** A batch to be planned. */
export interface GivenBatch extends WriteBatch {
  readonly messages?: readonly Given<NewMessage>[];
  readonly verifierResults?: readonly Given<VerifierResult>[];
}

/** A batch that a leader has taken over. */
export interface TakenBatch extends GivenBatch {
  /** Everything in it. */
  readonly records: number;
  /** Of payloads. */
  readonly sizeBytes: number;
}

/**
 * Checks a batch, and takes it over: each byte string of the copy has memory of its own, and the caller may reuse its
 * own.
 * @throws InvalidArgumentError
 */
export function takeBatch(batch: WriteBatch, bodyHashOf?: (body: MessageBody) => Hex): TakenBatch {
  checkBatch(batch);
  const { lease, replacesFor, ...parts } = batch;
  const { messages = [], verifierResults = [], executions = [], quarantine = [] } = parts;
  let records = 0;
  // a caller in JavaScript may give a part as undefined
  for (const part of Object.values(parts)) records += part?.length ?? 0;
  let sizeBytes = 0;
  for (const message of messages) sizeBytes += bodySizeBytes(message);
  for (const result of verifierResults) sizeBytes += bodySizeBytes(result) + result.ccvData.length;
  for (const { returnData } of executions) sizeBytes += returnData.length;
  for (const { raw } of quarantine) sizeBytes += raw.length;
  return {
    ...batch,
    records,
    sizeBytes,
    messages: messages.map((message) => takeMessage(message, bodyHashOf?.(message))),
    verifierResults: verifierResults.map((result) => takeResult(result, bodyHashOf?.(result))),
    executions: executions.map(
      (execution): Execution => ({ ...execution, returnData: new Uint8Array(execution.returnData) }),
    ),
    quarantine: quarantine.map((entry): QuarantineEntry => ({ ...entry, raw: new Uint8Array(entry.raw) })),
  };
}

function bodySizeBytes({ encodedMessage, messageCCVAddresses, messageExecutorAddress }: MessageBody): number {
  let sizeBytes = encodedMessage.length + hexSizeBytes(messageExecutorAddress);
  for (const address of messageCCVAddresses) sizeBytes += hexSizeBytes(address);
  return sizeBytes;
}

function hexSizeBytes(hex: Hex): number {
  return (hex.length - 2) >>> 1;
}

function takeMessage(given: NewMessage, bodyHash: Hex | undefined): Given<NewMessage> {
  return {
    messageId: given.messageId,
    encodedMessage: new Uint8Array(given.encodedMessage),
    messageCCVAddresses: given.messageCCVAddresses,
    messageExecutorAddress: given.messageExecutorAddress,
    origin: given.origin,
    bodyHash,
  };
}

function takeResult(given: VerifierResult, bodyHash: Hex | undefined): Given<VerifierResult> {
  return {
    messageId: given.messageId,
    verifierSourceAddress: given.verifierSourceAddress,
    verifierDestAddress: given.verifierDestAddress,
    encodedMessage: new Uint8Array(given.encodedMessage),
    messageCCVAddresses: given.messageCCVAddresses,
    messageExecutorAddress: given.messageExecutorAddress,
    ccvData: new Uint8Array(given.ccvData),
    attestationMs: given.attestationMs,
    verifierName: given.verifierName,
    ...(given.verdict && { verdict: given.verdict }),
    bodyHash,
  };
}
