import { createChainMetrics } from '../../chains/chain-metrics.js';
import type { BatchWriter } from '../../chains/chain-port.js';
import { createRangeSize } from '../../chains/logs/range-size.js';
import { RpcError } from '../../chains/rpc/rpc-errors.js';
import type { RpcPool } from '../../chains/rpc/rpc-pool.js';
import { chainSourceId } from '../../chains/source-ids.js';
import { compareAnswers, type NodeAnswer, readAnswer } from '../../chains/watch/node-answers.js';
import { createRangeReading } from '../../chains/watch/reader-options.js';
import { isEmpty } from '../../chains/watch/record-batch.js';
import type { WatchedChain } from '../../chains/watch/watched-chain.js';
import type { Common } from '../../core/common.js';
import type { Hex } from '../../core/hex.js';
import { counter } from '../../core/metrics.js';
import { askOf } from '../../lanes/gap-asks.js';
import { oldestWaitingMs } from '../../lanes/lane-views.js';
import type { Lanes } from '../../lanes/lanes.js';
import { readMessagePlace } from '../../model/message-place.js';
import type { LaneRecords } from '../../storage/lane-records.js';
import type { Storage } from '../../storage/storage.js';
import { canonicalAddress } from '../../verifiers/address.js';
import { createGapGauges } from './gap-gauges.js';
import { type GapAsker, type LaneGap, laneGapsOf, lookAtGaps, MAX_PAUSE_MS } from './lane-gaps.js';

/** The parts of the asker of one chain. */
export interface GapAskerOptions {
  readonly chain: WatchedChain;
  readonly rpc: RpcPool;
  readonly storage: Pick<Storage, 'queryMessages' | 'getCursor'>;
  /** Of the chain's owner: batches of another are refused. */
  readonly writer: BatchWriter;
  readonly lanes: Lanes;
  readonly records: LaneRecords;
  /** Age of a gap at which it is asked for, ms; each time after that twice as long, up to an hour. */
  readonly askAgainAfterMs: number;
  readonly common: Common;
}

/** `found`: some of the messages · `nothing`: the nodes tell none of them · `failed`: no answer of a node counts. */
type AskOutcome = 'found' | 'nothing' | 'failed';

/** Of one look: the others are due at the next. */
const MOST_ASKED = 20;
/** Gaps of one look that cannot be asked for: an aggregator may tell thousands from below the chain's start block. */
const MOST_PASSED = 100;
/** Numbers beside a gap among which one is looked for that was found in a block. */
const NEIGHBOURS = 50n;
const MAX_NUMBER = 2n ** 64n - 1n;
const TARGET_LOGS = 1_000;

/**
 * A gap is asked for when the chain's cursor has passed the message above it: the blocks between its neighbours are
 * read from every node that can be reached, with the watcher's requests and checks, and a log that one of them tells is
 * stored. A gap that stays is asked for again, after a pause that doubles.
 */
export function createGapAsker(options: GapAskerOptions): GapAsker {
  const { chain, rpc, storage, writer, lanes, records, askAgainAfterMs, common } = options;
  const { clock, log } = common;
  const asked = counter(common.metrics, {
    name: 'indexer_lane_gap_asks_total',
    help: 'Times the messages of a gap in the numbers of a lane were asked for again, by the outcome.',
    labelNames: ['chain', 'outcome'],
  });
  const gauges = createGapGauges(common, chain.name);
  const reading = createRangeReading({ chain, rpc, common, metrics: createChainMetrics(common.metrics) });
  const size = createRangeSize({ maxBlocks: chain.maxBlockRange, targetLogs: TARGET_LOGS, onChange: () => undefined });
  const ramps = new Map(chain.onRamps.map(({ address }) => [canonicalAddress(address), address]));
  /** When a gap that could not be asked for is tried again, unix ms. */
  let passed = new Map<string, number>();

  async function look(signal: AbortSignal): Promise<void> {
    const board = await lanes.board();
    const gaps = laneGapsOf(board).filter(({ sourceChainSelector }) => sourceChainSelector === chain.selector);
    gauges.show(gaps, oldestWaitingMs(board, chain.selector), clock.nowMs());
    passed = new Map(gaps.map((gap) => [keyOf(gap), passed.get(keyOf(gap)) ?? 0] as const));
    if (gaps.length === 0) return;
    const asks = await records.asks();
    const due = gaps.filter((gap) => {
      const { timesAsked, askedMs } = askOf(asks, gap);
      const pauseMs = Math.min(askAgainAfterMs * 2 ** timesAsked, Math.max(MAX_PAUSE_MS, askAgainAfterMs));
      const dueMs = askedMs === null ? gap.sinceMs + askAgainAfterMs : askedMs + pauseMs;
      return clock.nowMs() >= Math.max(dueMs, passed.get(keyOf(gap)) ?? 0);
    });
    let [asksLeft, passesLeft] = [MOST_ASKED, MOST_PASSED];
    for (const gap of due.sort((a, b) => b.sinceMs - a.sinceMs)) {
      if (signal.aborted || asksLeft === 0 || passesLeft === 0) return;
      const outcome = await ask(gap, signal);
      if (signal.aborted) return;
      if (outcome === null) {
        passesLeft -= 1;
        const nowMs = clock.nowMs();
        passed.set(keyOf(gap), nowMs + Math.min(MAX_PAUSE_MS, Math.floor((nowMs - gap.sinceMs) / 4)));
        continue;
      }
      asksLeft -= 1;
      await records.noteAsk(gap, clock.nowMs());
      asked.inc({ chain: chain.name, outcome });
      tell(gap, askOf(asks, gap).timesAsked + 1, outcome);
    }
  }

  /** Null: the blocks are not known, or the chain's own reading has not come there. */
  async function ask(gap: LaneGap, signal: AbortSignal): Promise<AskOutcome | null> {
    const ramp = ramps.get(canonicalAddress(gap.onRampAddress));
    const blocks = ramp === undefined ? null : await blocksOf(gap);
    if (ramp === undefined || blocks === null) return null;
    const cursor = await storage.getCursor(chainSourceId(chain.selector, ramp));
    if (cursor === null || Number(cursor.height) < blocks.to) return null;
    let outcome: AskOutcome = 'nothing';
    for (let from = blocks.from; from <= blocks.to && !signal.aborted; from += chain.maxBlockRange) {
      const to = Math.min(blocks.to, from + chain.maxBlockRange - 1);
      const hash = to === blocks.to ? blocks.hash : null;
      const stretch = { from, to, hash, urls: new Set<number>(), logs: null };
      const nodes = rpc.reachable(signal);
      const answers = await Promise.all(
        nodes.map((node) => answer(() => readAnswer(node, stretch, size, reading, signal))),
      );
      const { messages, executions, quarantine, ...compared } = compareAnswers(
        stretch,
        answers.flatMap((each) => each ?? []),
      );
      if (compared.hash === null) outcome = outcome === 'found' ? outcome : 'failed';
      const batch = { messages, executions, quarantine };
      if (!isEmpty(batch)) await writer.insertBatch(batch);
      if (messages.some((message) => isOf(gap, readMessagePlace(message.encodedMessage)))) outcome = 'found';
    }
    return outcome;
  }

  async function answer(read: () => Promise<NodeAnswer>): Promise<NodeAnswer | null> {
    try {
      return await read();
    } catch (thrown) {
      if (!(thrown instanceof RpcError)) throw thrown;
      log.warn({ chain: chain.name, err: thrown }, 'an RPC node did not tell the blocks of a gap');
      return null;
    }
  }

  /** The blocks of the messages beside a gap, or of others near it, and the hash of the last one as it is stored. */
  async function blocksOf(
    gap: LaneGap,
  ): Promise<{ readonly from: number; readonly to: number; readonly hash: Hex } | null> {
    const { fromNumber, throughNumber } = gap;
    const { items } = await storage.queryMessages({
      sourceChainSelectors: [gap.sourceChainSelector],
      destChainSelectors: [gap.destChainSelector],
      fromMessageNumber: fromNumber > NEIGHBOURS ? fromNumber - NEIGHBOURS : 0n,
      throughMessageNumber: throughNumber + NEIGHBOURS < MAX_NUMBER ? throughNumber + NEIGHBOURS : MAX_NUMBER,
      limit: 1_000,
    });
    let [from, to] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    let hash: Hex | null = null;
    for (const { encodedMessage, origin } of items) {
      const { onRampAddress, messageNumber } = readMessagePlace(encodedMessage);
      if (origin === null || onRampAddress !== gap.onRampAddress) continue;
      const block = Number(origin.blockNumber);
      if (messageNumber < fromNumber) from = Math.max(from, block);
      if (messageNumber > throughNumber && block < to) [to, hash] = [block, origin.blockHash];
    }
    return Number.isFinite(from) && hash !== null ? { from, to, hash } : null;
  }

  function tell({ sinceMs, ...gap }: LaneGap, timesAsked: number, outcome: AskOutcome): void {
    const facts = {
      chain: chain.name,
      dest: String(gap.destChainSelector),
      onRamp: gap.onRampAddress,
      numbers: `${gap.fromNumber}-${gap.throughNumber}`,
      timesAsked,
      ageMs: clock.nowMs() - sinceMs,
    };
    if (outcome === 'found') log.info(facts, 'messages that were missing in a lane were found');
    else log.warn({ ...facts, outcome }, 'messages are missing in a lane and were not found');
  }

  return {
    async run(signal) {
      await lookAtGaps(look, { chain: chain.name }, askAgainAfterMs, common, signal);
      gauges.clear();
    },
  };
}

function keyOf({ destChainSelector, onRampAddress, fromNumber, throughNumber }: LaneGap): string {
  return `${destChainSelector} ${onRampAddress} ${fromNumber}-${throughNumber}`;
}

function isOf(gap: LaneGap, place: ReturnType<typeof readMessagePlace>): boolean {
  return (
    place.destChainSelector === gap.destChainSelector &&
    place.onRampAddress === gap.onRampAddress &&
    place.messageNumber >= gap.fromNumber &&
    place.messageNumber <= gap.throughNumber
  );
}
