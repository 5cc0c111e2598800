import { expect, test } from 'vitest';
import type { RpcNode } from '../../../src/chains/rpc/rpc-node.js';
import { chainSourceId } from '../../../src/chains/source-ids.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { createGapAsker } from '../../../src/indexer/gaps/gap-asker.js';
import { createLanes } from '../../../src/lanes/lanes.js';
import type { NewMessage } from '../../../src/model/records.js';
import { createLaneRecords } from '../../../src/storage/lane-records.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';

const ON_RAMP: Hex = `0x${'00'.repeat(12)}${'0a'.repeat(20)}`;
const BLOCK: Hex = `0x${'12'.repeat(32)}`;

/** A chain of which message 1 001 is missing between blocks 10 and 12; `others` are numbers that have no block. */
async function createGap({ others, node }: { others: readonly bigint[]; node: RpcNode | null }) {
  const common = createCommon({ clock: createManualClock() });
  const clock = common.clock as ReturnType<typeof createManualClock>;
  const storage = createMemoryStorage({ name: 'hot', common });
  const make = createRecordMaker(7);
  const message = (messageNumber: bigint, origin: NewMessage['origin']) =>
    make.message({ sourceChainSelector: SELECTORS.low, onRamp: ON_RAMP, messageNumber, origin });
  const source = { sourceId: chainSourceId(SELECTORS.low, `0x${'0a'.repeat(20)}`), expectedHeight: null };
  await storage.insertBatch({
    messages: [message(1_000n, make.origin(10n)), message(1_002n, { ...make.origin(12n), blockHash: BLOCK })],
    cursors: [{ ...source, height: 20n, hash: BLOCK }],
  });
  await clock.advance(1_000);
  if (others.length > 0) await storage.insertBatch({ messages: others.map((number) => message(number, null)) });
  const lanes = createLanes({ storage, common });
  const records = createLaneRecords();
  const stop = new AbortController();
  const onRamps = [{ address: `0x${'0a'.repeat(20)}` as Hex, startBlock: 0 }];
  const running = createGapAsker({
    chain: {
      name: 'one',
      selector: SELECTORS.low,
      onRamps,
      confirmations: 'finalized',
      pollIntervalMs: 1,
      maxBlockRange: 100,
    },
    rpc: { reachable: () => (node ? [node] : []) } as never,
    ...{ storage, writer: storage, lanes, records, common, askAgainAfterMs: 60_000 },
  }).run(stop.signal);
  return {
    /** The numbers that are asked for within some looks. */
    async asked(looks: number): Promise<readonly bigint[]> {
      for (let look = 0; look < looks; look += 1) {
        await clock.advance(10_000);
        for (let turn = 0; turn < 100; turn += 1) await clock.settle();
      }
      return (await records.asks()).map(({ fromNumber }) => fromNumber);
    },
    async outcomes(): Promise<string> {
      return await common.metrics.getSingleMetricAsString('indexer_lane_gap_asks_total');
    },
    async waiting(): Promise<string> {
      return await common.metrics.getSingleMetricAsString('indexer_lane_oldest_waiting_seconds');
    },
    async close() {
      stop.abort();
      await running;
      await lanes.close();
      await storage.close();
    },
  };
}

/** A node that knows the blocks, no log among them, and says that the last one has this hash. */
function silentNode(hash: Hex): RpcNode {
  const block = { number: 12, hash, parentHash: BLOCK, timestampMs: 1, logsBloom: null };
  return {
    index: 0,
    logRange: async () => ({ logs: [], first: { ...block, number: 10 }, last: block }),
  } as never;
}

test('a gap is asked for although hundreds of others cannot be', async () => {
  const gap = await createGap({ others: Array.from({ length: 250 }, (_, place) => BigInt(2 * place)), node: null });
  expect(await gap.asked(12)).toEqual([1_001n]);
  await gap.close();
});

test('the age of the oldest message that waits for a verification is told', async () => {
  const gap = await createGap({ others: [], node: null });
  await gap.asked(3);
  const seconds = Number(/waiting_seconds\{chain="one"\} (\S+)/.exec(await gap.waiting())?.[1]);
  await gap.asked(3);
  const later = Number(/waiting_seconds\{chain="one"\} (\S+)/.exec(await gap.waiting())?.[1]);
  expect(seconds).toBeGreaterThan(0);
  expect(later - seconds).toBe(30);
  await gap.close();
});

test('a gap is asked for although a message has the highest of all numbers', async () => {
  const gap = await createGap({ others: [2n ** 64n - 1n], node: null });
  expect(await gap.asked(8)).toEqual([1_001n]);
  await gap.close();
});

test('the answer of a node that has another block beside the gap does not count', async () => {
  const gap = await createGap({ others: [], node: silentNode(`0x${'34'.repeat(32)}`) });
  expect(await gap.asked(8)).toEqual([1_001n]);
  expect(await gap.outcomes()).toContain('outcome="failed"} 1');
  await gap.close();
  const other = await createGap({ others: [], node: silentNode(BLOCK) });
  expect(await other.asked(8)).toEqual([1_001n]);
  expect(await other.outcomes()).toContain('outcome="nothing"} 1');
  await other.close();
});
