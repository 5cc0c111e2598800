import type { z } from 'zod';
import { askOf } from '../../../lanes/gap-asks.js';
import type { LaneSpanView, LaneView, OnRampView } from '../../../lanes/lane-views.js';
import type { Lane as LaneKey } from '../../../protocol/message.js';
import { formatRfc3339 } from '../../../protocol/rfc3339.js';
import type { GapAsk } from '../../../storage/lane-records.js';
import type * as schemas from '../figure-schemas.js';
import { windowOf, windowsOf } from '../windows.js';

type Lane = z.infer<typeof schemas.lane>;
type LaneDetail = z.infer<typeof schemas.laneAnswer>;

/** Gaps of one OnRamp in an answer: a source that is read from its end would have any number. */
const MOST_GAPS = 100;

/** A lane as this version tells it. */
export function laneOf(view: LaneView, asks: readonly GapAsk[]): Lane {
  const { sourceChainSelector, destChainSelector, onRamps, waiting, windows } = view;
  const of = { sourceChainSelector, destChainSelector };
  return {
    sourceChainSelector: String(sourceChainSelector),
    destChainSelector: String(destChainSelector),
    onRamps: onRamps.map((onRamp) => onRampOf(onRamp, of, asks)),
    waiting: {
      messages: waiting.messages,
      timedOut: waiting.timedOut,
      byCCV: waiting.byCCV.map(({ address, messages, oldestSentMs }) => ({
        ...{ address, messages, oldestSentAt: formatRfc3339(oldestSentMs) },
      })),
    },
    windows: windowsOf(windows),
  };
}

/** Five minutes of a lane. */
export function spanOf({ startMs, ...window }: LaneSpanView): LaneDetail['series'][number] {
  return { startsAt: formatRfc3339(startMs), ...windowOf(window) };
}

function onRampOf(onRamp: OnRampView, of: LaneKey, asks: readonly GapAsk[]): Lane['onRamps'][number] {
  const { address, firstNumber, highestNumber, contiguousNumber, missing, gaps } = onRamp;
  return {
    address,
    firstNumber: String(firstNumber),
    highestNumber: String(highestNumber),
    contiguousNumber: String(contiguousNumber),
    missing: String(missing),
    gaps: gaps.slice(0, MOST_GAPS).map((gap) => {
      const { timesAsked, askedMs } = askOf(asks, { ...of, ...gap, onRampAddress: address });
      return {
        fromNumber: String(gap.fromNumber),
        throughNumber: String(gap.throughNumber),
        since: formatRfc3339(gap.sinceMs),
        askedAt: askedMs === null ? null : formatRfc3339(askedMs),
        timesAsked,
      };
    }),
  };
}
