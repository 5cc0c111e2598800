import type { Hex } from '../core/hex.js';
import type { EventFigures, WindowName } from './event-windows.js';
import { sumOfWindows, WINDOWS } from './event-windows.js';
import { type BoardLane, EXECUTED, LANE_EVENTS, SENT, VERIFIED } from './lane.js';
import type { LaneBoard } from './lane-board.js';
import type { NumberGap } from './number-runs.js';
import { isVerified, type OpenMessage } from './open-message.js';

/** The numbers of the messages of one OnRamp to one destination. */
export interface OnRampView {
  readonly address: Hex;
  readonly firstNumber: bigint;
  readonly highestNumber: bigint;
  /** The last number before the first gap. */
  readonly contiguousNumber: bigint;
  /** How many numbers above the first and below the highest no message has. */
  readonly missing: bigint;
  /** In the order of their numbers: the oldest messages first. */
  readonly gaps: readonly NumberGap[];
}

/** Messages that wait for a verification. */
export interface WaitingView {
  readonly messages: number;
  /** Those among them whose visibility window has ended. */
  readonly timedOut: number;
  readonly oldestSentMs: number | null;
  /** The CCVs that they wait for, those of the most messages first; at most 100. */
  readonly byCCV: readonly { readonly address: Hex; readonly messages: number; readonly oldestSentMs: number }[];
}

/** The events of a lane in a window of time. */
export interface LaneWindowView {
  readonly sent: number;
  readonly verified: number;
  readonly executed: number;
  readonly sentToVerified: EventFigures['durations'];
  readonly sentToExecuted: EventFigures['durations'];
}

/** A lane of a board at one moment. */
export interface LaneView {
  readonly sourceChainSelector: bigint;
  readonly destChainSelector: bigint;
  readonly onRamps: readonly OnRampView[];
  readonly waiting: WaitingView;
  readonly windows: Readonly<Record<WindowName, LaneWindowView>>;
}

/** Five minutes of a lane. */
export interface LaneSpanView extends LaneWindowView {
  readonly startMs: number;
}

/** The CCVs of an answer: senders choose them. */
const MOST_CCVS = 100;

/** The lanes of a board that have messages or executions, by their selectors. */
export function laneViews(board: LaneBoard, nowMs: number, wanted: (lane: BoardLane) => boolean): LaneView[] {
  const waiting = waitingByLane(board);
  return [...board.lanes()]
    .filter((lane) => wanted(lane) && isThere(lane))
    .map((lane) => viewOf(lane, waiting.get(lane) ?? NOBODY, nowMs))
    .sort(
      (a, b) =>
        compare(a.sourceChainSelector, b.sourceChainSelector) || compare(a.destChainSelector, b.destChainSelector),
    );
}

/** The last day of a lane by five minutes; those without events are left out. */
export function laneSeries(lane: BoardLane, nowMs: number): LaneSpanView[] {
  return lane.events.series(nowMs).map(({ startMs, figures }) => ({ startMs, ...windowView(figures) }));
}

/** How many lanes there are, how many gaps they have, and the events of all of them together. */
export function boardTotals(board: LaneBoard, nowMs: number) {
  const lanes = [...board.lanes()].filter(isThere);
  const onRamps = lanes.flatMap((lane) => [...lane.onRamps.values()]);
  return {
    lanes: lanes.length,
    gaps: onRamps.reduce((sum, { numbers }) => sum + numbers.gapCount, 0),
    windows: windowsOf(
      lanes.map(({ events }) => events),
      nowMs,
    ),
  };
}

/** Messages that miss a result of one of some CCVs. `serves`: of an address in the form in which they compare equal. */
export function waitingFor(
  board: LaneBoard,
  serves: (address: Hex) => boolean,
): { readonly messages: number; readonly oldestSentMs: number | null } {
  let messages = 0;
  let oldestSentMs: number | null = null;
  for (const open of board.openMessages()) {
    if (!isWaiting(open) || !open.ccvs?.some((ccv) => ccv.answeredMs === null && serves(ccv.address))) continue;
    messages += 1;
    oldestSentMs = Math.min(oldestSentMs ?? open.message.sentMs, open.message.sentMs);
  }
  return { messages, oldestSentMs };
}

/** When a source chain sent the oldest message that waits for a result within its window, unix ms; null: none. */
export function oldestWaitingMs(board: LaneBoard, sourceChainSelector: bigint): number | null {
  let oldestMs: number | null = null;
  for (const open of board.openMessages()) {
    if (!isWaiting(open) || open.status === 'timeout') continue;
    if (open.lane.sourceChainSelector !== sourceChainSelector) continue;
    oldestMs = Math.min(oldestMs ?? open.message.sentMs, open.message.sentMs);
  }
  return oldestMs;
}

function compare(a: bigint, b: bigint): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function isThere(lane: BoardLane): boolean {
  return [...lane.onRamps.values()].some(({ numbers }) => numbers.first !== null) || !lane.events.isEmpty;
}

function viewOf(lane: BoardLane, waiting: WaitingView, nowMs: number): LaneView {
  const { sourceChainSelector, destChainSelector, events } = lane;
  const byAddress = [...lane.onRamps.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
  const onRamps = byAddress.flatMap(({ address, numbers }): OnRampView[] => {
    const { first, highest, contiguous } = numbers;
    if (first === null || highest === null || contiguous === null) return [];
    const span = { firstNumber: first, highestNumber: highest, contiguousNumber: contiguous };
    return [{ address, ...span, missing: numbers.missing(), gaps: numbers.gaps() }];
  });
  return { sourceChainSelector, destChainSelector, onRamps, waiting, windows: windowsOf([events], nowMs) };
}

function windowsOf(all: readonly BoardLane['events'][], nowMs: number): LaneView['windows'] {
  const windows = WINDOWS.map((name) => [name, windowView(sumOfWindows(all, LANE_EVENTS, name, nowMs))] as const);
  return Object.fromEntries(windows) as Record<WindowName, LaneWindowView>;
}

const NONE: EventFigures = { count: 0, durations: { count: 0, p50Ms: null, p95Ms: null, p99Ms: null } };

function windowView(figures: readonly EventFigures[]): LaneWindowView {
  const { [SENT]: sent = NONE, [VERIFIED]: verified = NONE, [EXECUTED]: executed = NONE } = figures;
  return {
    ...{ sent: sent.count, verified: verified.count, executed: executed.count },
    ...{ sentToVerified: verified.durations, sentToExecuted: executed.durations },
  };
}

type Waiting = OpenMessage & { readonly message: NonNullable<OpenMessage['message']> };

function isWaiting(open: OpenMessage): open is Waiting {
  return open.message !== null && !isVerified(open);
}

const NOBODY: WaitingView = { messages: 0, timedOut: 0, oldestSentMs: null, byCCV: [] };

function waitingByLane(board: LaneBoard): ReadonlyMap<BoardLane, WaitingView> {
  const lanes = new Map<BoardLane, Waiting[]>();
  for (const open of board.openMessages()) {
    if (!isWaiting(open)) continue;
    const found = lanes.get(open.lane);
    if (found) found.push(open);
    else lanes.set(open.lane, [open]);
  }
  return new Map([...lanes].map(([lane, messages]) => [lane, waitingView(messages)]));
}

function waitingView(messages: readonly Waiting[]): WaitingView {
  const ccvs = new Map<Hex, { readonly address: Hex; messages: number; oldestSentMs: number }>();
  let oldestSentMs = Number.POSITIVE_INFINITY;
  for (const { ccvs: needed, message } of messages) {
    oldestSentMs = Math.min(oldestSentMs, message.sentMs);
    for (const { address, answeredMs } of needed ?? []) {
      if (answeredMs !== null) continue;
      const ccv = ccvs.get(address) ?? { address, messages: 0, oldestSentMs: message.sentMs };
      ccv.messages += 1;
      ccv.oldestSentMs = Math.min(ccv.oldestSentMs, message.sentMs);
      ccvs.set(address, ccv);
    }
  }
  return {
    messages: messages.length,
    timedOut: messages.filter(({ status }) => status === 'timeout').length,
    oldestSentMs: messages.length === 0 ? null : oldestSentMs,
    byCCV: [...ccvs.values()]
      .sort((a, b) => b.messages - a.messages || (a.address < b.address ? -1 : 1))
      .slice(0, MOST_CCVS),
  };
}
