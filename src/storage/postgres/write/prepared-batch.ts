import { createHash } from 'node:crypto';
import type { Hex } from '../../../core/hex.js';
import type { WriteBatch } from '../../../model/batch.js';
import { checkBatch } from '../../../model/check-batch.js';
import { quarantineIdentity, resultIdentity } from '../../../model/identity.js';
import type { MessageOrigin, QuarantineEntry, VerifierResult } from '../../../model/records.js';
import { bodySizeBytes, hashBody, type MessageBody } from '../rows/message-body.js';

/** A body to store. */
export interface NewBody {
  readonly content: MessageBody;
  readonly hash: Hex;
}

export interface PreparedMessage {
  readonly messageId: Hex;
  readonly body: NewBody;
  readonly origin: MessageOrigin | null;
}

export interface PreparedResult {
  readonly key: string;
  readonly body: NewBody;
  /** A copy: its bytes are not the caller's. */
  readonly result: VerifierResult;
}

export interface PreparedQuarantine {
  readonly identity: Hex;
  readonly entry: QuarantineEntry;
}

/** A checked batch with everything done that needs neither the database nor the caller's buffers. */
export interface PreparedBatch {
  readonly orphanings: NonNullable<WriteBatch['orphanings']>;
  readonly messages: readonly PreparedMessage[];
  readonly results: readonly PreparedResult[];
  readonly statuses: NonNullable<WriteBatch['statuses']>;
  readonly quarantine: readonly PreparedQuarantine[];
  readonly cursors: NonNullable<WriteBatch['cursors']>;
  /** Everything in it. */
  readonly records: number;
  /** Of payloads. */
  readonly sizeBytes: number;
}

/**
 * Takes over a batch.
 * @throws InvalidArgumentError
 */
export function prepareBatch(batch: WriteBatch): PreparedBatch {
  checkBatch(batch);
  const orphanings = batch.orphanings ?? [];
  const statuses = batch.statuses ?? [];
  const cursors = batch.cursors ?? [];
  const messages = (batch.messages ?? []).map((message) => ({
    messageId: message.messageId,
    body: newBody(message),
    origin: message.origin,
  }));
  const results = (batch.verifierResults ?? []).map(prepareResult);
  const quarantine = (batch.quarantine ?? []).map((entry) => ({
    identity: hashIdentity(quarantineIdentity(entry)),
    entry: { ...entry, raw: new Uint8Array(entry.raw) },
  }));
  let sizeBytes = 0;
  for (const { body } of messages) sizeBytes += bodySizeBytes(body.content);
  for (const { body, result } of results) sizeBytes += bodySizeBytes(body.content) + result.ccvData.length;
  for (const { entry } of quarantine) sizeBytes += entry.raw.length;
  const records =
    messages.length + results.length + quarantine.length + orphanings.length + statuses.length + cursors.length;
  return { orphanings, messages, results, statuses, quarantine, cursors, records, sizeBytes };
}

/** An identity as rows have it: sha256 of its text. */
export function hashIdentity(identity: string): Hex {
  return `0x${createHash('sha256').update(identity).digest('hex')}`;
}

/** The body of a record given by a caller. Nothing of it is the caller's: each byte string has memory of its own. */
function newBody(given: MessageBody): NewBody {
  const { messageCCVAddresses, messageExecutorAddress } = given;
  const encodedMessage = new Uint8Array(given.encodedMessage);
  return { content: { encodedMessage, messageCCVAddresses, messageExecutorAddress }, hash: hashBody(given) };
}

function prepareResult(given: VerifierResult): PreparedResult {
  const body = newBody(given);
  return {
    key: resultIdentity(given),
    body,
    result: {
      messageId: given.messageId,
      verifierSourceAddress: given.verifierSourceAddress,
      verifierDestAddress: given.verifierDestAddress,
      encodedMessage: body.content.encodedMessage,
      messageCCVAddresses: given.messageCCVAddresses,
      messageExecutorAddress: given.messageExecutorAddress,
      ccvData: new Uint8Array(given.ccvData),
      attestationMs: given.attestationMs,
      verifierName: given.verifierName,
    },
  };
}
