import { InvalidArgumentError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { WriteBatch } from './batch.js';
import { readLane } from './payload.js';
import type { NewMessage, VerifierResult } from './records.js';

const LOWER_HEX = /^0x(?:[0-9a-f]{2})*$/;
const MAX_ADDRESS_BYTES = 255;
const MAX_CCVS = 255;

/**
 * Checks the shape of everything in a batch before any of it is stored.
 * @throws InvalidArgumentError with the path of the first bad field and what to pass instead.
 */
export function checkBatch(batch: WriteBatch): void {
  batch.messages?.forEach((message, index) => checkBody(message, `messages[${index}]`));
  batch.verifierResults?.forEach((result, index) => checkVerifierResult(result, `verifierResults[${index}]`));
  batch.statuses?.forEach((change, index) => checkId(change.messageId, `statuses[${index}].messageId`));
  batch.orphanings?.forEach((orphaning, index) => {
    checkId(orphaning.messageId, `orphanings[${index}].messageId`);
    checkId(orphaning.blockHash, `orphanings[${index}].blockHash`);
  });
}

/** @throws InvalidArgumentError */
export function checkVerifierResult(result: VerifierResult, path: string): void {
  checkBody(result, path);
  checkAddress(result.verifierSourceAddress, `${path}.verifierSourceAddress`);
  checkAddress(result.verifierDestAddress, `${path}.verifierDestAddress`);
  if (!(result.ccvData instanceof Uint8Array)) throw new InvalidArgumentError(`${path}.ccvData must be a Uint8Array`);
  if (!Number.isSafeInteger(result.attestationMs) || result.attestationMs < 0)
    throw new InvalidArgumentError(`${path}.attestationMs is ${result.attestationMs}: pass whole unix milliseconds`);
}

/** @throws InvalidArgumentError unless `messageId` is 32 bytes of lower-case hex. */
export function checkId(messageId: Hex, path: string): void {
  if (messageId.length !== 66 || !LOWER_HEX.test(messageId))
    throw new InvalidArgumentError(`${path} must be 0x and 64 lower-case hex digits`);
}

function checkBody(body: Omit<NewMessage, 'origin'>, path: string): void {
  checkId(body.messageId, `${path}.messageId`);
  if (!(body.encodedMessage instanceof Uint8Array))
    throw new InvalidArgumentError(`${path}.encodedMessage must be a Uint8Array`);
  readLane(body.encodedMessage);
  if (body.messageCCVAddresses.length > MAX_CCVS)
    throw new InvalidArgumentError(
      `${path}.messageCCVAddresses has ${body.messageCCVAddresses.length} entries: at most ${MAX_CCVS}`,
    );
  body.messageCCVAddresses.forEach((address, index) => checkAddress(address, `${path}.messageCCVAddresses[${index}]`));
  checkAddress(body.messageExecutorAddress, `${path}.messageExecutorAddress`);
}

function checkAddress(address: Hex, path: string): void {
  if (typeof address !== 'string' || address.length > 2 + 2 * MAX_ADDRESS_BYTES || !LOWER_HEX.test(address))
    throw new InvalidArgumentError(`${path} must be lower-case hex of 0 to ${MAX_ADDRESS_BYTES} bytes`);
}
