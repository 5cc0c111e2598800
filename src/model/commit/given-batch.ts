import type { Hex } from '../../core/hex.js';
import type { WriteBatch } from '../batch.js';
import type { MessageBody, NewMessage, QuarantineEntry, VerifierResult } from '../records.js';

/** A record of a batch. A leader that loads hashes instead of bodies gives the hash of each body with it. */
export type Given<T> = T & { readonly bodyHash?: Hex | undefined };

/** A checked batch, to be planned. */
export interface GivenBatch extends WriteBatch {
  readonly messages?: readonly Given<NewMessage>[];
  readonly verifierResults?: readonly Given<VerifierResult>[];
}

/** Takes over a checked batch: each byte string of the copy has memory of its own, and the caller may reuse its own. */
export function takeBatch(batch: WriteBatch, bodyHashOf?: (body: MessageBody) => Hex): GivenBatch {
  const { messages = [], verifierResults = [], quarantine = [] } = batch;
  return {
    ...batch,
    messages: messages.map((message) => takeMessage(message, bodyHashOf?.(message))),
    verifierResults: verifierResults.map((result) => takeResult(result, bodyHashOf?.(result))),
    quarantine: quarantine.map((entry): QuarantineEntry => ({ ...entry, raw: new Uint8Array(entry.raw) })),
  };
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
    bodyHash,
  };
}
