import { createHash } from 'node:crypto';
import { InvalidArgumentError } from '../core/errors.js';
import { bytesToHex, type Hex } from '../core/hex.js';
import type { Lane } from '../protocol/message.js';
import type { Execution, MessageBody, VerifierResult } from './records.js';

/** Bytes of the smallest canonical message of version 1. */
const MESSAGE_MIN_BYTES = 79;

/** The lane of a canonical message: its bytes 1..9 and 9..17, big-endian (`src/protocol/README.md`). */
export function readLane(encodedMessage: Uint8Array): Lane {
  if (encodedMessage.length < MESSAGE_MIN_BYTES)
    throw new InvalidArgumentError(
      `encodedMessage has ${encodedMessage.length} bytes: a message has at least ${MESSAGE_MIN_BYTES}`,
    );
  const view = new DataView(encodedMessage.buffer, encodedMessage.byteOffset, 17);
  return { sourceChainSelector: view.getBigUint64(1), destChainSelector: view.getBigUint64(9) };
}

/** sha256 of the parts in which equal messages of one id agree: encoded message, CCV addresses, executor. */
export function messagePayloadHash(message: MessageBody): Hex {
  return bytesToHex(hashBody(message).digest());
}

/** sha256 of the parts in which equal verifier results of one identity agree: the message's payload and `ccvData`. */
export function verifierResultPayloadHash(result: MessageBody & Pick<VerifierResult, 'ccvData'>): Hex {
  return bytesToHex(hashBody(result).update(result.ccvData).digest());
}

/** sha256 of the parts in which equal executions of one identity agree: all of them. */
export function executionPayloadHash(execution: Execution): Hex {
  const { place } = execution;
  const parts = [
    ...[execution.sourceChainSelector, execution.destChainSelector, execution.messageNumber, execution.offRamp],
    ...[execution.state, place.blockNumber, place.blockHash, place.blockTimestampMs, place.transactionHash],
    place.logIndex,
  ];
  return bytesToHex(
    createHash('sha256')
      .update(`${parts.join('\n')}\n`)
      .update(execution.returnData)
      .digest(),
  );
}

function hashBody(body: MessageBody) {
  return createHash('sha256')
    .update(`${body.encodedMessage.length}\n`)
    .update(body.encodedMessage)
    .update(`\n${body.messageCCVAddresses.join(',')}\n${body.messageExecutorAddress}\n`);
}
