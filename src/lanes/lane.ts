import type { Hex } from '../core/hex.js';
import { EventWindows } from './event-windows.js';
import { type EarliestIn, NumberRuns, type Run } from './number-runs.js';
import { type MessageTimes, type RecentMessage, RecentMessages } from './recent-messages.js';

/** The kinds of events of a lane, by their index in its windows. */
export const SENT = 0;
export const VERIFIED = 1;
export const EXECUTED = 2;
export const LANE_EVENTS = 3;

/** The numbers of one OnRamp: an upgraded one begins at 1 again. */
export class NumberedOnRamp {
  readonly address: Hex;
  readonly numbers: NumberRuns;
  readonly recent: RecentMessages;
  /** Messages whose number `recent` has under another: in a commit one may be told before the one it replaced. */
  readonly others: Map<bigint, Hex[]>;

  readonly #earliestIn: EarliestIn = (from, through) => this.recent.earliestIn(from, through);

  constructor(address: Hex, { runs, recent, others }: OnRampText = {}) {
    this.address = address;
    this.numbers = new NumberRuns(
      runs?.map(([from, through, earliestMs]) => ({ from: BigInt(from), through: BigInt(through), earliestMs })),
    );
    this.recent = new RecentMessages(recent);
    this.others = new Map(others?.map(([number, ids]) => [BigInt(number), [...ids]]));
  }

  /** A message is there. */
  add(number: bigint, messageId: Hex, message: Omit<RecentMessage, 'verifiedMs' | 'executedMs'>): void {
    if (this.recent.find(number, messageId) === 'other') {
      this.others.set(number, [...(this.others.get(number) ?? []), messageId]);
      return;
    }
    this.numbers.add(number, message.firstMs);
    this.recent.put(number, messageId, { ...message, verifiedMs: null, executedMs: null });
  }

  /** The number of a message that is no more is that of another. */
  give(number: bigint, messageId: Hex, message: RecentMessage): void {
    this.recent.put(number, messageId, message);
    this.numbers.renew(number, this.#earliestIn);
  }

  /** A message is no more. @returns another that has its number from now on; null: none has. */
  remove(number: bigint, messageId: Hex): Hex | null {
    const ids = this.others.get(number) ?? [];
    const left = ids.filter((id) => id !== messageId);
    const isOther = left.length < ids.length;
    const heir = isOther ? null : (left.shift() ?? null);
    if (left.length > 0) this.others.set(number, left);
    else this.others.delete(number);
    if (isOther) return null;
    if (this.recent.find(number, messageId) !== 'other') this.recent.remove(number);
    if (heir === null) this.numbers.remove(number, this.#earliestIn);
    return heir;
  }

  toText(): OnRampText & { readonly address: Hex } {
    const runText = ({ from, through, earliestMs }: Readonly<Run>) =>
      [String(from), String(through), earliestMs] as const;
    return {
      address: this.address,
      runs: this.numbers.runs.map(runText),
      recent: this.recent.toJSON(),
      others: [...this.others].map(([number, ids]) => [String(number), ids] as const),
    };
  }
}

interface OnRampText {
  readonly runs?: readonly (readonly [string, string, number])[];
  readonly recent?: ReturnType<RecentMessages['toJSON']>;
  readonly others?: readonly (readonly [string, readonly Hex[]])[];
}

/** A lane as it is kept. */
export interface LaneText {
  readonly source: string;
  readonly dest: string;
  readonly onRamps: readonly ReturnType<NumberedOnRamp['toText']>[];
  readonly events: ReturnType<EventWindows['toJSON']>;
}

/** A pair of chains: the numbers of each of its OnRamps, and its events by time. */
export class BoardLane {
  readonly sourceChainSelector: bigint;
  readonly destChainSelector: bigint;
  readonly onRamps: Map<Hex, NumberedOnRamp>;
  readonly events: EventWindows;

  constructor(sourceChainSelector: bigint, destChainSelector: bigint, text?: LaneText) {
    this.sourceChainSelector = sourceChainSelector;
    this.destChainSelector = destChainSelector;
    this.onRamps = new Map(text?.onRamps.map((each) => [each.address, new NumberedOnRamp(each.address, each)]));
    this.events = new EventWindows(LANE_EVENTS, text?.events);
  }

  onRamp(address: Hex): NumberedOnRamp {
    let found = this.onRamps.get(address);
    if (found === undefined) {
      found = new NumberedOnRamp(address);
      this.onRamps.set(address, found);
    }
    return found;
  }

  /** The times of a message were `old` and are `now` from here on. */
  note(old: MessageTimes, now: MessageTimes, newestMs: number): void {
    if (old.sentMs === now.sentMs && old.verifiedMs === now.verifiedMs && old.executedMs === now.executedMs) return;
    this.#count(old, -1, newestMs);
    this.#count(now, 1, newestMs);
  }

  toText(): LaneText {
    return {
      source: String(this.sourceChainSelector),
      dest: String(this.destChainSelector),
      onRamps: [...this.onRamps.values()].map((onRamp) => onRamp.toText()),
      events: this.events.toJSON(),
    };
  }

  #count({ sentMs, verifiedMs, executedMs }: MessageTimes, sign: 1 | -1, newestMs: number): void {
    const since = (atMs: number) => (sentMs === null ? null : Math.max(0, atMs - sentMs));
    if (sentMs !== null) this.events.note(SENT, sentMs, null, sign, newestMs);
    if (verifiedMs !== null) this.events.note(VERIFIED, verifiedMs, since(verifiedMs), sign, newestMs);
    if (executedMs !== null) this.events.note(EXECUTED, executedMs, since(executedMs), sign, newestMs);
  }
}

export const NO_TIMES: MessageTimes = { sentMs: null, verifiedMs: null, executedMs: null };
