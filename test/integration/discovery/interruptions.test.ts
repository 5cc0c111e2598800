import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import type { AggregatorServer, DrawnEntry } from '../../../scripts/devnet/aggregator/aggregator-server.js';
import { type Clock, systemClock } from '../../../src/core/clock.js';
import { createCommon } from '../../../src/core/common.js';
import { messagesOf, one, openDiscovery, publishAll, untilRead } from '../../support/discovery/discovery.js';
import { eventually } from '../../support/eventually.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(31);

/** The machine's clock, which a test can move on. */
function movedClock(): { readonly clock: Clock; advance(durationMs: number): void } {
  let movedMs = 0;
  return {
    clock: { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + movedMs },
    advance(durationMs) {
      movedMs += durationMs;
    },
  };
}

/** Two entries, and between them one that is drawn and that nobody sees yet. */
function publishAround(aggregator: AggregatorServer): { readonly drawn: DrawnEntry; readonly last: bigint } {
  aggregator.publish(one(make.results(1)));
  const drawn = aggregator.draw(one(make.results(1)));
  return { drawn, last: aggregator.publish(one(make.results(1))) };
}

describe('an entry that commits below the cursor while nothing is read', () => {
  it('promise 1: is found after an outage longer than OverlapTime', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const { clock, advance } = movedClock();
    const { drawn, last } = publishAround(aggregator);
    const running = start({ common: createCommon({ clock }), overlapMs: 60_000 });
    await untilRead(storage, last);
    aggregator.answer(() => ({ code: status.UNAVAILABLE, details: 'down' }));
    await eventually('it is failing', () => running.status().state === 'failing');
    drawn.commit();
    advance(600_000);
    aggregator.answer(null);
    await eventually('the late entry is found', async () => (await messagesOf(storage)) === 3);
  });

  it('promise 1: is found after an outage that left more entries to read than Overlap', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const { clock, advance } = movedClock();
    const { drawn, last } = publishAround(aggregator);
    const running = start({ common: createCommon({ clock }), overlap: 150n });
    await untilRead(storage, last);
    aggregator.answer(() => ({ code: status.UNAVAILABLE, details: 'down' }));
    await eventually('it is failing', () => running.status().state === 'failing');
    drawn.commit();
    publishAll(aggregator, make.results(400));
    advance(10_000);
    aggregator.answer(null);
    await eventually('all entries are found', async () => (await messagesOf(storage)) === 403);
  });

  it('promise 1: is found by a worker that starts with more entries to read than Overlap', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const { drawn, last } = publishAround(aggregator);
    const before = start({ overlap: 150n });
    await untilRead(storage, last);
    await before.stop();
    drawn.commit();
    publishAll(aggregator, make.results(400));
    const running = start({ overlap: 150n });
    await eventually('all entries are found', async () => (await messagesOf(storage)) === 403);
    expect(running.status().counts.late).toBe(1);
  });
});
