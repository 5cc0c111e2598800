import type { Hex } from '../core/hex.js';
import type { StoredMessage } from '../model/records.js';
import type { MessageStatus } from '../model/status.js';
import { canonicalAddress } from '../verifiers/address.js';
import type { BoardLane, NumberedOnRamp } from './lane.js';
import type { MessageTimes, RecentMessage } from './recent-messages.js';

/** A CCV that a message names, and when its result was ingested, unix ms; null: it is missing. */
export interface NeededCCV {
  readonly address: Hex;
  answeredMs: number | null;
}

/** A message that is not verified yet, or of which only results or executions were told so far. */
export interface OpenMessage {
  readonly messageId: Hex;
  readonly lane: BoardLane;
  readonly number: bigint;
  /** Null: an execution alone has told of it. */
  onRamp: NumberedOnRamp | null;
  /** Null: no record of it has told its CCVs. Each once, in the one form in which addresses compare equal. */
  ccvs: NeededCCV[] | null;
  /** Null: the message itself was not told, or a reorg removed it. */
  message: Pick<RecentMessage, 'sentMs' | 'firstMs'> | null;
  status: MessageStatus;
  executedMs: number | null;
}

/** The CCVs of a record, none of them answered. */
export function neededCCVs(addresses: readonly Hex[]): NeededCCV[] {
  return [...new Set(addresses.map(canonicalAddress))].map((address) => ({ address, answeredMs: null }));
}

/** Whether nothing more is waited for: all results are here, or those of all CCVs that anyone can be asked for. */
export function isVerified({ message, status, ccvs }: OpenMessage): boolean {
  return message !== null && (status === 'success' || isComplete(ccvs));
}

/** Whether every CCV that it names has a result. */
export function isComplete(ccvs: OpenMessage['ccvs']): boolean {
  return ccvs?.every(({ answeredMs }) => answeredMs !== null) ?? false;
}

/** The times of an open message, as far as they are known. */
export function timesOf(open: OpenMessage): MessageTimes {
  const { message, executedMs, ccvs } = open;
  if (message === null) return { sentMs: null, verifiedMs: null, executedMs };
  const answers = ccvs?.map(({ answeredMs }) => answeredMs ?? message.firstMs) ?? [];
  const verifiedMs = isVerified(open) ? Math.max(message.firstMs, ...answers) : null;
  return { sentMs: message.sentMs, verifiedMs, executedMs };
}

/** The times of a stored message; a block whose time is ahead of its ingestion counts as sent then. */
export function sentOf({ origin, firstMs }: StoredMessage): NonNullable<OpenMessage['message']> {
  return { sentMs: Math.min(origin?.blockTimestampMs ?? firstMs, firstMs), firstMs };
}

/** An open message as it is kept. */
export interface OpenMessageText extends Omit<OpenMessage, 'lane' | 'number' | 'onRamp'> {
  readonly lane: readonly [string, string];
  readonly number: string;
  readonly onRamp: Hex | null;
}

/** The inverse of `LaneBoard.restore`. */
export function openMessageText({ lane, number, onRamp, ...others }: OpenMessage): OpenMessageText {
  return {
    ...others,
    lane: [String(lane.sourceChainSelector), String(lane.destChainSelector)],
    number: String(number),
    onRamp: onRamp === null ? null : onRamp.address,
  };
}
