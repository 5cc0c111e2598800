import type { Common } from '../../core/common.js';
import { counter } from '../../core/metrics.js';
import type { DiscoveryGroup } from '../../discovery/discovery-group.js';
import type { LaneBoard } from '../../lanes/lane-board.js';
import { oldestWaitingMs } from '../../lanes/lane-views.js';
import type { Lanes } from '../../lanes/lanes.js';
import type { LaneRecords } from '../../storage/lane-records.js';
import { createGapGauges } from './gap-gauges.js';
import { type GapAsker, type LaneGap, laneGapsOf, lookAtGaps, MAX_PAUSE_MS } from './lane-gaps.js';

/** The parts of the asker of one group of aggregators. */
export interface AggregatorGapAskerOptions {
  readonly name: string;
  readonly group: Pick<DiscoveryGroup, 'lookAgain'>;
  readonly lanes: Lanes;
  readonly records: LaneRecords;
  /** Selectors of the chains that are asked themselves. */
  readonly askedChains: ReadonlySet<bigint>;
  /** The name of another source chain in metrics. */
  readonly chainNameOf: (selector: bigint) => string;
  /** Age of a gap at which it is asked for, ms; each time after that twice as long, up to an hour. */
  readonly askAgainAfterMs: number;
  readonly common: Common;
}

/**
 * Asks aggregators again for messages whose numbers are missing in a lane. An aggregator can be asked by sequence
 * alone: the last `Overlap` sequences are read again, once for all gaps that are due. Gaps that a chain is asked for
 * are no exception, since the message may be with either; its own asker notes them. Gauges of lanes whose source chain
 * is not asked itself are shown here.
 */
export function createAggregatorGapAsker(options: AggregatorGapAskerOptions): GapAsker {
  const { name, group, lanes, records, askedChains, chainNameOf, askAgainAfterMs, common } = options;
  const { clock, log } = common;
  const looks = counter(common.metrics, {
    name: 'indexer_discovery_lane_gap_looks_total',
    help: 'Times the last sequences of aggregators were read again since messages are missing in a lane.',
    labelNames: ['target'],
  });
  let asked = new Map<string, { readonly dueMs: number; readonly pauseMs: number }>();
  const gauges = new Map<bigint, ReturnType<typeof createGapGauges>>();

  function show(board: LaneBoard, gaps: readonly LaneGap[], nowMs: number): void {
    for (const selector of new Set([...board.lanes()].map(({ sourceChainSelector }) => sourceChainSelector))) {
      if (askedChains.has(selector)) continue;
      const shown = gauges.get(selector) ?? createGapGauges(common, chainNameOf(selector));
      gauges.set(selector, shown);
      const own = gaps.filter(({ sourceChainSelector }) => sourceChainSelector === selector);
      shown.show(own, oldestWaitingMs(board, selector), nowMs);
    }
  }

  async function look(): Promise<void> {
    const nowMs = clock.nowMs();
    const board = await lanes.board();
    const gaps = laneGapsOf(board);
    show(board, gaps, nowMs);
    const next = new Map<string, { readonly dueMs: number; readonly pauseMs: number }>();
    const due: LaneGap[] = [];
    for (const gap of gaps) {
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

  return {
    async run(signal) {
      await lookAtGaps(look, { discovery: name }, askAgainAfterMs, common, signal);
      for (const shown of gauges.values()) shown.clear();
      gauges.clear();
    },
  };
}

function keyOf({ sourceChainSelector, destChainSelector, onRampAddress, fromNumber, throughNumber }: LaneGap): string {
  return `${sourceChainSelector} ${destChainSelector} ${onRampAddress} ${fromNumber}-${throughNumber}`;
}
