import { IndexerError } from '../../../core/errors.js';
import { bytesToHex } from '../../../core/hex.js';
import { computeMessageId } from '../../../protocol/keccak.js';
import type { Message } from '../../../protocol/message.js';
import { encodeMessage } from '../../../protocol/message-codec.js';
import { decodeTokenTransfer } from '../../../protocol/token-transfer-codec.js';
import type { Claim, Rejection } from '../../claim.js';
import { type DecodedMessage, type DecodedResult, decodeResult, WireError } from './wire.js';

/** A verifier result that says nothing: the aggregator does not know the message. */
export interface EmptyResult {
  readonly kind: 'empty';
}

/** The claim in the bytes of a `VerifierResult`. Its bytes own their memory. */
export function readProtobufClaim(
  raw: Uint8Array,
): { readonly kind: 'claim'; readonly claim: Claim } | Rejection | EmptyResult {
  if (raw.length === 0) return { kind: 'empty' };
  try {
    return claimOf(decodeResult(raw));
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    return { kind: 'rejected', reason: 'shape', messageId: null, detail: thrown.message };
  }
}

function claimOf(result: DecodedResult): ReturnType<typeof readProtobufClaim> {
  const { message, metadata } = result;
  if (message === null)
    return isEmpty(result)
      ? { kind: 'empty' }
      : { kind: 'rejected', reason: 'message', messageId: null, detail: 'message: missing' };
  let encodedMessage: Uint8Array;
  try {
    encodedMessage = encodeMessage(messageOf(message));
  } catch (thrown) {
    if (!(thrown instanceof IndexerError)) throw thrown;
    return { kind: 'rejected', reason: 'message', messageId: null, detail: thrown.message };
  }
  const messageId = computeMessageId(encodedMessage);
  if (metadata === null) return { kind: 'rejected', reason: 'shape', messageId, detail: 'metadata: missing' };
  return {
    kind: 'claim',
    claim: {
      messageId,
      encodedMessage,
      ccvAndExecutorHash: bytesToHex(message.ccv_and_executor_hash),
      messageCCVAddresses: result.message_ccv_addresses.map(bytesToHex),
      messageExecutorAddress: bytesToHex(result.message_executor_address),
      // a view would keep the whole answer
      ccvData: Uint8Array.from(result.ccv_data),
      attestationMs: Number(metadata.timestamp),
      verifierSourceAddress: bytesToHex(metadata.verifier_source_address),
      verifierDestAddress: bytesToHex(metadata.verifier_dest_address),
    },
  };
}

function isEmpty({ message_ccv_addresses, message_executor_address, ccv_data, metadata }: DecodedResult): boolean {
  return (
    metadata === null &&
    message_ccv_addresses.length === 0 &&
    message_executor_address.length === 0 &&
    ccv_data.length === 0
  );
}

const SIZED = [
  'sender',
  'data',
  'on_ramp_address',
  'token_transfer',
  'off_ramp_address',
  'dest_blob',
  'receiver',
] as const;

/** @throws IndexerError naming the field that cannot be. */
function messageOf(message: DecodedMessage): Message {
  if (message.version !== 1) throw new MessageFieldError('version', 'version 1', message.version);
  for (const field of SIZED) {
    const told = message[`${field}_length`];
    // zero is not written, and so also the value of a field that is left out
    if (told !== 0 && told !== message[field].length)
      throw new MessageFieldError(`${field}_length`, `the length ${message[field].length}`, told);
  }
  return {
    version: 1,
    sourceChainSelector: BigInt(message.source_chain_selector),
    destChainSelector: BigInt(message.dest_chain_selector),
    messageNumber: BigInt(message.sequence_number),
    executionGasLimit: message.execution_gas_limit,
    ccipReceiveGasLimit: message.ccip_receive_gas_limit,
    finality: message.finality,
    ccvAndExecutorHash: bytesToHex(message.ccv_and_executor_hash),
    onRampAddress: bytesToHex(message.on_ramp_address),
    offRampAddress: bytesToHex(message.off_ramp_address),
    sender: bytesToHex(message.sender),
    receiver: bytesToHex(message.receiver),
    destBlob: bytesToHex(message.dest_blob),
    tokenTransfer: message.token_transfer.length === 0 ? null : decodeTokenTransfer(message.token_transfer),
    data: bytesToHex(message.data),
  };
}

/** Thrown to `claimOf` only. */
class MessageFieldError extends IndexerError {
  constructor(field: string, expected: string, found: number) {
    super('MESSAGE_PROTOBUF', `message.${field}: expected ${expected}, found ${found}`, false);
  }
}
