import { encodeAbiParameters, parseAbiParameters } from 'viem';
import { EXECUTION_TOPIC } from '../../../src/chains/logs/execution-log.js';
import { MESSAGE_SENT_TOPIC } from '../../../src/chains/logs/message-sent-event.js';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import { computeCCVAndExecutorHash } from '../../../src/protocol/ccv-and-executor-hash.js';
import { computeMessageId } from '../../../src/protocol/keccak.js';
import type { Message } from '../../../src/protocol/message.js';
import { encodeMessage } from '../../../src/protocol/message-codec.js';

/** A program that emits the log in its calldata: four topics, then the data. */
export const LOG_EMITTER_CODE: Hex = '0x608036038060805f376060356040356020355f35845fa400';

/** A log with four topics. */
export interface EmittedLog {
  readonly topics: readonly [Hex, Hex, Hex, Hex];
  readonly data: Hex;
}

/** Calldata that makes the emitter emit `log`, byte for byte. */
export function emitterCalldata({ topics, data }: EmittedLog): Hex {
  return `0x${topics.map((topic) => topic.slice(2)).join('')}${data.slice(2)}`;
}

/** The data of `CCIPMessageSent`, for viem. */
export const MESSAGE_SENT_PARAMETERS = parseAbiParameters([
  'address feeToken, uint256 tokenAmountBeforeTokenPoolFees, bytes encodedMessage, Receipt[] receipts, bytes[] verifierBlobs',
  'struct Receipt { address issuer; uint32 destGasLimit; uint32 destBytesOverhead; uint256 feeTokenAmount; bytes extraArgs; }',
]);

export const CCV: Hex = '0x3aa5ebb10dc797cac828524e59a333d0a371443c';
export const EXECUTOR: Hex = '0xb7f8bc63bbcad18155201308c8f3540b07f84f5e';
/** The last receipt is the router's; the same address stands for the fee token. */
export const ROUTER: Hex = '0x5fc8d32690cc91d4c39d9d3abcbd16989f875707';
const SENDER: Hex = '0x70997970c51812dc3a010c7d01b50e0d17dc79c8';

/** Whose messages are made. */
export interface MessageMaker {
  readonly onRamp: Hex;
  readonly sourceSelector: bigint;
  readonly destSelector: bigint;
}

/** A message as the real OnRamp would emit it; `overrides` replace what they name before the id is taken. */
export function makeMessageLog(
  { onRamp, sourceSelector, destSelector }: MessageMaker,
  messageNumber: number,
  overrides: Partial<Message> = {},
): EmittedLog & { readonly messageId: Hex; readonly message: Message } {
  const message: Message = {
    version: 1,
    sourceChainSelector: sourceSelector,
    destChainSelector: destSelector,
    messageNumber: BigInt(messageNumber),
    executionGasLimit: 410_257,
    ccipReceiveGasLimit: 200_000,
    finality: 0,
    ccvAndExecutorHash: computeCCVAndExecutorHash([CCV], EXECUTOR),
    onRampAddress: padded(onRamp),
    offRampAddress: '0xa82ff9afd8f496c3d6ac40e2a0f282e47488cfc9',
    sender: padded(SENDER),
    receiver: '0x70e0ba845a1a0f2da3359c97e0285013525ffc49',
    destBlob: '0x',
    tokenTransfer: null,
    data: '0x68656c6c6f20636376',
    ...overrides,
  };
  const encoded = encodeMessage(message);
  const messageId = computeMessageId(encoded);
  return {
    messageId,
    message,
    topics: [
      MESSAGE_SENT_TOPIC,
      word(message.destChainSelector),
      message.sender.length === 66 ? message.sender : padded(SENDER),
      messageId,
    ],
    data: encodeMessageSentData(bytesToHex(encoded), [CCV, EXECUTOR, ROUTER]),
  };
}

/** An `ExecutionStateChanged` log as the real OffRamp would emit it; state 2 is success, 3 failure. */
export function makeExecutionLog(told: {
  readonly messageId: Hex;
  readonly sourceSelector?: bigint;
  readonly messageNumber?: bigint;
  readonly state?: number;
  readonly returnData?: Hex;
}): EmittedLog {
  const { messageId, sourceSelector = 16015286601757825753n, messageNumber = 1n, state = 2, returnData = '0x' } = told;
  return {
    topics: [EXECUTION_TOPIC, word(sourceSelector), word(messageNumber), messageId],
    data: encodeAbiParameters(parseAbiParameters('uint8 state, bytes returnData'), [state, returnData]),
  };
}

/** The data of an event with these receipts, and so many verifier blobs: one for each receipt but two, unless told. */
export function encodeMessageSentData(
  encodedMessage: Hex,
  issuers: readonly Hex[],
  blobs = Math.max(0, issuers.length - 2),
): Hex {
  return encodeAbiParameters(MESSAGE_SENT_PARAMETERS, [
    ROUTER,
    0n,
    encodedMessage,
    issuers.map((issuer) => ({
      issuer,
      destGasLimit: 50_001,
      destBytesOverhead: 449,
      feeTokenAmount: 20_700_000_000_000_000n,
      extraArgs: '0x' as const,
    })),
    Array.from({ length: blobs }, () => '0xe9a05a20' as const),
  ]);
}

/** A number as 32 bytes. */
export function word(value: bigint): Hex {
  return `0x${value.toString(16).padStart(64, '0')}`;
}

/** 32 bytes, left-padded. */
export function padded(address: Hex): Hex {
  return `0x${address.slice(2).padStart(64, '0')}`;
}
