import type { z } from 'zod';
import { bytesToHex } from '../../core/hex.js';
import type { LogPlace, StoredExecution, StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { parseFinality } from '../../protocol/finality.js';
import type { TokenTransfer } from '../../protocol/message.js';
import { decodeMessage } from '../../protocol/message-codec.js';
import { formatRfc3339, MAX_RFC3339_MS } from '../../protocol/rfc3339.js';
import type * as schemas from './answer-schemas.js';
import type { FoundTransaction } from './transactions.js';

type Message = z.infer<typeof schemas.message>;
type Verification = z.infer<typeof schemas.verification>;
type Execution = z.infer<typeof schemas.execution>;
type Transaction = z.infer<typeof schemas.transactionAnswer>;

/**
 * A message as this version tells it.
 * @throws MessageDecodeError when its bytes are no message.
 */
export function messageOf(record: StoredMessage): Message {
  const message = decodeMessage(record.encodedMessage);
  const { sourceChainSelector, destChainSelector, messageNumber, finality, tokenTransfer } = message;
  return {
    messageId: record.messageId,
    sourceChainSelector: String(sourceChainSelector),
    destChainSelector: String(destChainSelector),
    messageNumber: String(messageNumber),
    status: record.status,
    orphaned: record.orphaned,
    sender: message.sender,
    receiver: message.receiver,
    onRamp: message.onRampAddress,
    offRamp: message.offRampAddress,
    executor: record.messageExecutorAddress,
    ccvs: [...record.messageCCVAddresses],
    finality: finalityOf(finality),
    executionGasLimit: message.executionGasLimit,
    ccipReceiveGasLimit: message.ccipReceiveGasLimit,
    ccvAndExecutorHash: message.ccvAndExecutorHash,
    tokenTransfer: tokenTransfer && transferOf(tokenTransfer),
    data: message.data,
    destBlob: message.destBlob,
    encodedMessage: bytesToHex(record.encodedMessage),
    origin: record.origin && placeOf(record.origin),
    ingestedAt: formatRfc3339(record.ingestionMs),
    firstIngestedAt: formatRfc3339(record.firstMs),
    position: String(record.position),
  };
}

/** The records of a transaction. */
export function transactionOf({ transactionHash, messages, executions, position }: FoundTransaction): Transaction {
  return {
    transactionHash,
    messages: messages.map(messageOf),
    executions: executions.map(({ execution, message }) => ({
      messageId: execution.messageId,
      sourceChainSelector: String(execution.sourceChainSelector),
      destChainSelector: String(execution.destChainSelector),
      ...executionOf(execution),
      message: message && messageOf(message),
    })),
    position: String(position),
  };
}

/** A verification as this version tells it. */
export function verificationOf(record: StoredVerifierResult): Verification {
  const { verdict } = record;
  return {
    verifierSourceAddress: record.verifierSourceAddress,
    verifierDestAddress: record.verifierDestAddress,
    verifierName: record.verifierName,
    ccvData: bytesToHex(record.ccvData),
    // a verifier may claim any time
    attestedAt: formatRfc3339(Math.min(record.attestationMs, MAX_RFC3339_MS)),
    ingestedAt: formatRfc3339(record.ingestionMs),
    verdict: verdict && { verdict: verdict.verdict, configBlock: String(verdict.configBlock) },
    orphaned: record.orphaned,
    position: String(record.position),
  };
}

/** An execution as this version tells it. */
export function executionOf(record: StoredExecution): Execution {
  return {
    state: record.state,
    returnData: bytesToHex(record.returnData),
    messageNumber: String(record.messageNumber),
    offRamp: record.offRamp,
    place: placeOf(record.place),
    orphaned: record.orphaned,
    ingestedAt: formatRfc3339(record.ingestionMs),
    position: String(record.position),
  };
}

function placeOf(place: LogPlace) {
  return {
    blockNumber: String(place.blockNumber),
    blockHash: place.blockHash,
    blockTime: formatRfc3339(Math.min(place.blockTimestampMs, MAX_RFC3339_MS)),
    transactionHash: place.transactionHash,
    logIndex: place.logIndex,
  };
}

function finalityOf(value: number) {
  const finality = parseFinality(value);
  return { value, kind: finality.kind, depth: finality.kind === 'depth' ? finality.depth : null };
}

function transferOf(transfer: TokenTransfer) {
  return {
    amount: String(transfer.amount),
    sourceToken: transfer.sourceTokenAddress,
    sourcePool: transfer.sourcePoolAddress,
    destToken: transfer.destTokenAddress,
    receiver: transfer.tokenReceiver,
    extraData: transfer.extraData,
  };
}
