import { IndexerError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import type { MessageOrigin, NewMessage, QuarantineEntry } from '../../model/records.js';
import { type CCVAndExecutorHasher, computeCCVAndExecutorHash } from '../../protocol/ccv-and-executor-hash.js';
import { computeMessageId } from '../../protocol/keccak.js';
import type { Message } from '../../protocol/message.js';
import { outlineMessage } from '../../protocol/message-codec.js';
import { splitReceipts } from '../../protocol/receipts.js';
import type { RawLog } from '../rpc/raw-log.js';
import { decodeMessageSentData } from './message-sent-event.js';
import { type QuarantineReason, quarantineLog } from './quarantined-log.js';

/** A log, read. */
export type LogReading =
  | { readonly kind: 'message'; readonly message: NewMessage<MessageOrigin> }
  | { readonly kind: 'quarantine'; readonly entry: QuarantineEntry };

/** The chain whose logs are read. */
export interface LogContext {
  readonly selector: bigint;
  /** Default: one without a memory. */
  readonly hashCCVsAndExecutor?: CCVAndExecutorHasher;
}

const MIN_RECEIPTS = 3;

/**
 * Reads a `CCIPMessageSent` log and makes the checks of `src/protocol/README.md`, in its order: the message's OnRamp
 * is the contract that emitted the log, which is one of those that were asked for. Never throws for a log's contents:
 * a log that fails a check is a quarantine entry with the first reason.
 */
export function readMessageSentLog(log: RawLog, blockTimestampMs: number, context: LogContext): LogReading {
  let failing: QuarantineReason = 'topic_count';
  const reject = (detail: string): LogReading => ({
    kind: 'quarantine',
    entry: quarantineLog(log, context.selector, failing, detail),
  });
  try {
    const [, destTopic, senderTopic, idTopic] = log.topics;
    if (destTopic === undefined || senderTopic === undefined || idTopic === undefined)
      return reject(`expected 4 topics, found ${log.topics.length}`);

    failing = 'abi';
    const event = decodeMessageSentData(log.data);

    failing = 'receipt_count';
    if (event.issuers.length < MIN_RECEIPTS)
      return reject(`expected at least ${MIN_RECEIPTS} receipts, found ${event.issuers.length}`);

    failing = 'message_decode';
    const message = outlineMessage(event.encodedMessage);

    failing = 'on_ramp';
    const onRamp: Hex = `0x${log.address.slice(2).padStart(64, '0')}`;
    if (message.onRampAddress !== onRamp) return reject(differs(onRamp, message.onRampAddress));

    failing = 'sender';
    if (message.sender !== senderTopic) return reject(differs(senderTopic, message.sender));

    failing = 'message_id';
    const messageId = computeMessageId(event.encodedMessage);
    if (messageId !== idTopic) return reject(differs(idTopic, messageId));

    failing = 'dest_selector';
    if (message.destChainSelector !== BigInt(destTopic))
      return reject(differs(BigInt(destTopic), message.destChainSelector));

    failing = 'ccv_and_executor_hash';
    const receipts = splitReceipts(event.issuers, message.tokenTransfer !== null);
    const hashReceipts = context.hashCCVsAndExecutor ?? computeCCVAndExecutorHash;
    const hash = hashReceipts(receipts.ccvAddresses, receipts.executorAddress);
    if (hash !== message.ccvAndExecutorHash) return reject(differs(message.ccvAndExecutorHash, hash));

    failing = 'source_selector';
    if (message.sourceChainSelector !== context.selector)
      return reject(differs(context.selector, message.sourceChainSelector));

    return { kind: 'message', message: toRecord(log, blockTimestampMs, messageId, event.encodedMessage, receipts) };
  } catch (thrown) {
    if (!(thrown instanceof IndexerError)) throw thrown;
    return reject(thrown.message);
  }
}

function toRecord(
  log: RawLog,
  blockTimestampMs: number,
  messageId: Hex,
  encodedMessage: Uint8Array,
  receipts: ReturnType<typeof splitReceipts>,
): NewMessage<MessageOrigin> {
  return {
    messageId,
    // a copy of its own: the view would keep the whole data of the event in memory
    encodedMessage: new Uint8Array(encodedMessage),
    messageCCVAddresses: receipts.ccvAddresses,
    messageExecutorAddress: receipts.executorAddress,
    origin: {
      blockNumber: BigInt(log.blockNumber),
      blockHash: log.blockHash,
      blockTimestampMs,
      transactionHash: log.transactionHash,
      logIndex: log.logIndex,
    },
  };
}

function differs(expected: Hex | bigint, found: Message['sender'] | bigint): string {
  return `expected ${expected}, found ${found}`;
}
