import { type AbiEvent, decodeEventLog, parseAbiItem, toEventSelector } from 'viem';
import { type Hex, hexToBytes } from '../../../src/core/hex.js';
import type { Message } from '../../../src/protocol/message.js';
import { decodeMessage } from '../../../src/protocol/message-codec.js';
import { splitReceipts } from '../../../src/protocol/receipts.js';

const MESSAGE_SENT = parseAbiItem([
  'event CCIPMessageSent(uint64 indexed destChainSelector, address indexed sender, bytes32 indexed messageId, address feeToken, uint256 tokenAmountBeforeTokenPoolFees, bytes encodedMessage, Receipt[] receipts, bytes[] verifierBlobs)',
  'struct Receipt { address issuer; uint32 destGasLimit; uint32 destBytesOverhead; uint256 feeTokenAmount; bytes extraArgs; }',
]);

const EXECUTION_STATE_CHANGED = parseAbiItem(
  'event ExecutionStateChanged(uint64 indexed sourceChainSelector, uint64 indexed messageNumber, bytes32 indexed messageId, uint8 state, bytes returnData)',
);

/** First topic of `CCIPMessageSent` (`src/protocol/README.md`). */
export const MESSAGE_SENT_TOPIC: Hex = toEventSelector(MESSAGE_SENT as AbiEvent);

/** First topic of `ExecutionStateChanged` (`src/protocol/README.md`). */
export const EXECUTION_STATE_CHANGED_TOPIC: Hex = toEventSelector(EXECUTION_STATE_CHANGED);

/** A log as a node gives it. */
export interface RawLog {
  readonly topics: readonly Hex[];
  readonly data: Hex;
}

/** Fields of a `CCIPMessageSent` log. Addresses are lower-case hex. */
export interface SentLog {
  readonly messageId: Hex;
  readonly encodedMessage: Uint8Array;
  readonly message: Message;
  readonly ccvAddresses: readonly Hex[];
  readonly executorAddress: Hex;
}

/**
 * Reads a `CCIPMessageSent` log that the devnet's own OnRamp emitted: trusted, so nothing beyond its form is checked.
 * @throws whatever the decoders throw when it is no such log.
 */
export function decodeSentLog({ topics, data }: RawLog): SentLog {
  const { args } = decodeEventLog({ abi: [MESSAGE_SENT], topics: topics as [Hex, ...Hex[]], data });
  const encodedMessage = hexToBytes(args.encodedMessage);
  const message = decodeMessage(encodedMessage);
  const issuers = args.receipts.map(({ issuer }) => issuer.toLowerCase() as Hex);
  const { ccvAddresses, executorAddress } = splitReceipts(issuers, message.tokenTransfer !== null);
  return { messageId: args.messageId, encodedMessage, message, ccvAddresses, executorAddress };
}

/** `MessageExecutionState` of the OffRamp. */
export const EXECUTION_STATES = ['UNTOUCHED', 'IN_PROGRESS', 'SUCCESS', 'FAILURE'] as const;

/** Where a message stands on its destination chain. */
export type ExecutionState = (typeof EXECUTION_STATES)[number];

/** Fields of an `ExecutionStateChanged` log; null for any other log. */
export function decodeExecutionLog(log: RawLog): { messageId: Hex; state: ExecutionState; returnData: Hex } | null {
  if (log.topics[0] !== EXECUTION_STATE_CHANGED_TOPIC) return null;
  const { args } = decodeEventLog({
    abi: [EXECUTION_STATE_CHANGED],
    topics: log.topics as [Hex, ...Hex[]],
    data: log.data,
  });
  const state = EXECUTION_STATES[args.state];
  return state === undefined ? null : { messageId: args.messageId, state, returnData: args.returnData };
}
