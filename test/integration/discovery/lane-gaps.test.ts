import { expect, it } from 'vitest';
import type { AggregatorServer } from '../../../scripts/devnet/aggregator/aggregator-server.js';
import { createCommon } from '../../../src/core/common.js';
import { createAggregatorGapAsker } from '../../../src/indexer/gaps/aggregator-gap-asker.js';
import { createLanes } from '../../../src/lanes/lanes.js';
import type { VerifierResult } from '../../../src/model/records.js';
import { createLaneRecords } from '../../../src/storage/lane-records.js';
import { messagesOf, openDiscovery, untilRead } from '../../support/discovery/discovery.js';
import { eventually } from '../../support/eventually.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';

it('promise 11: an entry that is shown long after OverlapTime is found by the hole that it leaves in its lane', async () => {
  const { aggregators, storage, start } = await openDiscovery();
  const [aggregator] = aggregators as [AggregatorServer];
  const common = createCommon();
  const make = createRecordMaker(5);
  const [first, second, third] = [1n, 2n, 3n].map((messageNumber) =>
    make.result(make.message({ sourceChainSelector: SELECTORS.low, messageNumber })),
  ) as [VerifierResult, VerifierResult, VerifierResult];
  aggregator.publish(first);
  const drawn = aggregator.draw(second);
  const last = aggregator.publish(third);
  const running = start({ overlapMs: 100 });
  await untilRead(storage, last);
  await eventually('the gap between the sequences is forgotten', () => running.status().gaps === 0);
  drawn.commit();

  const polls = aggregator.requests.length;
  await eventually('it has polled a few times', () => aggregator.requests.length >= polls + 10);
  expect(await messagesOf(storage)).toBe(2);

  const lanes = createLanes({ storage, common });
  lanes.start();
  const records = createLaneRecords();
  const stop = new AbortController();
  const asking = createAggregatorGapAsker({
    ...{ name: 'agg-0', group: running, lanes, records, askedChains: new Set<bigint>() },
    ...{ chainNameOf: String, askAgainAfterMs: 50, common },
  }).run(stop.signal);
  try {
    await eventually('the message is found', async () => (await messagesOf(storage)) === 3);
    expect(running.status().counts).toMatchObject({ late: 1, conflicts: 0, setBacks: 0 });
    const gauge = async (name: string) => (await common.metrics.getSingleMetric(name)?.get())?.values ?? [];
    const chain = String(SELECTORS.low);
    await eventually('no gap is shown', async () => (await gauge('indexer_lane_gaps'))[0]?.value === 0);
    expect(await gauge('indexer_lane_gaps')).toEqual([{ labels: { chain }, value: 0 }]);
    await eventually('it is noted', async () => (await records.asks()).length === 1);
    expect(await records.asks()).toMatchObject([{ fromNumber: 2n, throughNumber: 2n }]);
    expect(await storage.getCCVData(second.messageId)).toHaveLength(1);
  } finally {
    stop.abort();
    await asking;
    await lanes.close();
  }
  expect((await common.metrics.getSingleMetric('indexer_lane_gaps')?.get())?.values).toEqual([]);
});
