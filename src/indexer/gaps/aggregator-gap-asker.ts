import type { Common } from '../../core/common.js';
import { counter } from '../../core/metrics.js';
import type { DiscoveryGroup } from '../../discovery/discovery-group.js';
import type { Lanes } from '../../lanes/lanes.js';
import type { LaneRecords } from '../../storage/lane-records.js';
import { type GapAsker, type LaneGap, laneGapsOf, lookAtGaps, MAX_PAUSE_MS } from './lane-gaps.js';

/** The parts of the asker of one group of aggregators. */
export interface AggregatorGapAskerOptions {
  readonly name: string;
  readonly group: Pick<DiscoveryGroup, 'lookAgain'>;
  readonly lanes: Lanes;
  readonly records: LaneRecords;
  /** Selectors of the chains that are asked themselves. */
  readonly askedChains: ReadonlySet<bigint>;
  /** Age of a gap at which it is asked for, ms; each time after that twice as long, up to an hour. */
  readonly askAgainAfterMs: number;
  readonly common: Common;
}

/**
 * Asks aggregators again for messages whose numbers are missing in a lane. An aggregator can be asked by sequence
 * alone: the last `Overlap` sequences are read again, once for all gaps that are due. Gaps that a chain is asked for
 * are no exception, since the message may be with either; its own asker notes them.
 */
export function createAggregatorGapAsker(options: AggregatorGapAskerOptions): GapAsker {
  const { name, group, lanes, records, askedChains, askAgainAfterMs, common } = options;
  const { clock, log } = common;
  const looks = counter(common.metrics, {
    name: 'indexer_discovery_lane_gap_looks_total',
    help: 'Times the last sequences of aggregators were read again since messages are missing in a lane.',
    labelNames: ['target'],
  });
  let asked = new Map<string, { readonly dueMs: number; readonly pauseMs: number }>();

  async function look(): Promise<void> {
    const nowMs = clock.nowMs();
    const next = new Map<string, { readonly dueMs: number; readonly pauseMs: number }>();
    const due: LaneGap[] = [];
    for (const gap of laneGapsOf(await lanes.board())) {
      const key = keyOf(gap);
      const plan = asked.get(key) ?? { dueMs: gap.sinceMs + askAgainAfterMs, pauseMs: askAgainAfterMs };
      const isDue = nowMs >= plan.dueMs;
      const pauseMs = Math.min(2 * plan.pauseMs, Math.max(MAX_PAUSE_MS, askAgainAfterMs));
      next.set(key, isDue ? { dueMs: nowMs + plan.pauseMs, pauseMs } : plan);
      if (isDue) due.push(gap);
    }
    asked = next;
    if (due.length === 0) return;
    group.lookAgain();
    looks.inc({ target: name });
    for (const gap of due) if (!askedChains.has(gap.sourceChainSelector)) await records.noteAsk(gap, nowMs);
    log.info({ discovery: name, gaps: due.length }, 'messages are missing in lanes: aggregators are read again');
  }

  return { run: (signal) => lookAtGaps(look, { discovery: name }, askAgainAfterMs, common, signal) };
}

function keyOf({ sourceChainSelector, destChainSelector, onRampAddress, fromNumber, throughNumber }: LaneGap): string {
  return `${sourceChainSelector} ${destChainSelector} ${onRampAddress} ${fromNumber}-${throughNumber}`;
}
