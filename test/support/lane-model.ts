import { expect } from 'vitest';
import type { Hex } from '../../src/core/hex.js';
import { BoardReader, boardLines } from '../../src/lanes/board-text.js';
import { LaneBoard } from '../../src/lanes/lane-board.js';
import { boardTotals, type LaneView, laneSeries, laneViews, waitingFor } from '../../src/lanes/lane-views.js';
import { readMessagePlace } from '../../src/model/message-place.js';
import type { StoredExecution, StoredMessage, StoredVerifierResult } from '../../src/model/records.js';
import type { Lane } from '../../src/protocol/message.js';
import type { Storage } from '../../src/storage/storage.js';

/** All that a board answers at a moment. */
export function answersOf(board: LaneBoard, nowMs: number, ccvs: readonly Hex[], verifiers: readonly string[]) {
  return {
    position: board.position,
    lanes: laneViews(board, nowMs, () => true).map((view) => {
      const lane = board.lane(view);
      return { ...view, series: lane && laneSeries(lane, nowMs) };
    }),
    totals: boardTotals(board, nowMs),
    waiting: ccvs.map((ccv) => waitingFor(board, (address) => address === ccv)),
    answered: verifiers.map((name) => board.verifiers.of(name).window('24h', nowMs)),
    executions: { success: board.executions.success, failure: board.executions.failure },
    orphaned: board.orphaned,
  };
}

/** The same board, written down and read again. */
export function rereadBoard(board: LaneBoard): LaneBoard {
  const reader = new BoardReader();
  for (const line of boardLines(board)) reader.add(line);
  expect(reader.board).not.toBeNull();
  return reader.board ?? new LaneBoard();
}

/** Continues a board to the head of a storage by pages of a size. */
export async function foldOn(board: LaneBoard, storage: Storage, limit: number): Promise<LaneBoard> {
  for (;;) {
    const set = await storage.changesAfter(board.position, limit);
    board.fold(set);
    if (set.throughPosition >= set.headPosition) return board;
  }
}

/** The present records of a storage. */
export async function recordsOf(storage: Storage) {
  const messages: StoredMessage[] = [];
  const results: StoredVerifierResult[] = [];
  const executions: StoredExecution[] = [];
  const { changes } = await storage.changesAfter(0n, 1_000_000);
  for (const change of changes) {
    if (change.record.position !== change.position) continue;
    if (change.kind === 'message') messages.push(change.record);
    if (change.kind === 'verifierResult') results.push(change.record);
    if (change.kind === 'execution') executions.push(change.record);
  }
  return { messages, results, executions };
}

const FIVE_MINUTES_MS = 300_000;
const DAY_MS = 24 * 3_600_000;

type Records = Awaited<ReturnType<typeof recordsOf>>;

/** One message as the records tell it, by the plain words of the API. */
function times({ results }: Records, message: StoredMessage) {
  const sentMs = Math.min(message.origin?.blockTimestampMs ?? message.firstMs, message.firstMs);
  const missing = message.messageCCVAddresses.filter(
    (ccv) => !results.some((each) => each.messageId === message.messageId && each.verifierSourceAddress === ccv),
  );
  const needed = results.filter(
    (each) => each.messageId === message.messageId && message.messageCCVAddresses.includes(each.verifierSourceAddress),
  );
  const isVerified = missing.length === 0 || message.status === 'success';
  const verifiedMs = isVerified ? Math.max(message.firstMs, ...needed.map((each) => each.ingestionMs)) : null;
  return { message, sentMs, verifiedMs, missing: isVerified ? [] : missing };
}

const isSuccess = ({ state, orphaned }: StoredExecution) => state === 'success' && !orphaned;
const laneKey = ({ sourceChainSelector, destChainSelector }: Lane) => `${sourceChainSelector}-${destChainSelector}`;
const executedMsOf = ({ place, ingestionMs }: StoredExecution) => Math.min(place.blockTimestampMs, ingestionMs);

/** The numbers and waiting messages of a lane, and the events of its last day, from the records alone. */
export function expectedLanes(records: Records, nowMs: number) {
  const lanes = new Map<string, ReturnType<typeof times>[]>();
  for (const message of records.messages.filter(({ orphaned }) => !orphaned)) {
    const key = laneKey(readMessagePlace(message.encodedMessage));
    lanes.set(key, [...(lanes.get(key) ?? []), times(records, message)]);
  }
  // the window begins with whole five minutes
  const startMs = Math.floor((nowMs - DAY_MS) / FIVE_MINUTES_MS) * FIVE_MINUTES_MS;
  const within = (ms: number | null) => ms !== null && ms >= startMs;
  return new Map(
    [...lanes].map(([key, all]) => [
      key,
      {
        onRamps: expectedOnRamps(all),
        waiting: all.filter(({ missing }) => missing.length > 0).length,
        timedOut: all.filter(({ missing, message }) => missing.length > 0 && message.status === 'timeout').length,
        sent: all.filter(({ sentMs }) => within(sentMs)).length,
        verified: all.filter(({ verifiedMs }) => within(verifiedMs)).length,
        // those of messages that a reorg removed are executed all the same
        executed: records.executions.filter(
          (each) => isSuccess(each) && laneKey(each) === key && within(executedMsOf(each)),
        ).length,
      },
    ]),
  );
}

function expectedOnRamps(all: readonly ReturnType<typeof times>[]) {
  const byOnRamp = new Map<Hex, Map<bigint, number>>();
  for (const { message } of all) {
    const { onRampAddress, messageNumber } = readMessagePlace(message.encodedMessage);
    const numbers = byOnRamp.get(onRampAddress) ?? new Map<bigint, number>();
    numbers.set(messageNumber, Math.min(numbers.get(messageNumber) ?? Infinity, message.firstMs));
    byOnRamp.set(onRampAddress, numbers);
  }
  return new Map([...byOnRamp].map(([address, numbers]) => [address, expectedNumbers(numbers)]));
}

function expectedNumbers(numbers: ReadonlyMap<bigint, number>) {
  const sorted = [...numbers.keys()].sort((a, b) => (a < b ? -1 : 1));
  const gaps: { fromNumber: bigint; throughNumber: bigint; sinceMs: number }[] = [];
  sorted.forEach((number, index) => {
    const next = sorted[index + 1];
    if (next === undefined || next === number + 1n) return;
    const above = sorted.slice(index + 1).map((each) => numbers.get(each) ?? Infinity);
    gaps.push({ fromNumber: number + 1n, throughNumber: next - 1n, sinceMs: Math.min(...above) });
  });
  return {
    firstNumber: sorted[0],
    highestNumber: sorted.at(-1),
    contiguousNumber: gaps[0] ? gaps[0].fromNumber - 1n : sorted.at(-1),
    missing: gaps.reduce((sum, gap) => sum + gap.throughNumber - gap.fromNumber + 1n, 0n),
    gaps,
  };
}

/** The same of a board's lane. */
export function toldLane({ onRamps, waiting, windows }: LaneView) {
  return {
    onRamps: new Map(onRamps.map(({ address, ...numbers }) => [address, numbers])),
    ...{ waiting: waiting.messages, timedOut: waiting.timedOut },
    ...{ sent: windows['24h'].sent, verified: windows['24h'].verified, executed: windows['24h'].executed },
  };
}
