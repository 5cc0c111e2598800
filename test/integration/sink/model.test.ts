import { afterAll, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { Registry } from '../../../src/core/metrics.js';
import { seededRandom } from '../../../src/core/random.js';
import {
  alwaysRead,
  neverRead,
  olderRead,
  type ReadCondition,
  recentRead,
} from '../../../src/model/read-conditions.js';
import { createSink } from '../../../src/sink/sink.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { plain } from '../../contract/subject.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createFaultyStorage } from '../../support/sink/faulty-storage.js';
import { changesOf, SinkSimulation } from '../../support/sink/sink-model.js';

const CONDITIONS: readonly (readonly [hot: ReadCondition, backup: ReadCondition])[] = [
  [alwaysRead(), neverRead()],
  [recentRead(20), olderRead(10)],
  [recentRead(0), alwaysRead()],
  [neverRead(), olderRead(30)],
];

const shapes = new Map<string, number>();

async function countShapes(registry: Registry): Promise<void> {
  for (const { labels, value } of (await registry.getSingleMetric('indexer_sink_queries_total')!.get()).values)
    shapes.set(String(labels.shape), (shapes.get(String(labels.shape)) ?? 0) + value);
}

describe('a Sink answers as one flat list would', () => {
  afterAll(() => {
    // a run in which no answer was put together from several tiers would show nothing
    for (const shape of ['hot', 'warm', 'mixed']) expect(shapes.get(shape), shape).toBeGreaterThan(300);
  });

  test.each(Array.from({ length: 24 }, (_, seed) => seed + 1))('seed %i', async (seed) => {
    const clock = createManualClock();
    const common = createCommon({ clock, random: seededRandom(seed) });
    const [hotCondition, backupCondition] = CONDITIONS[seed % CONDITIONS.length]!;
    const hot = createFaultyStorage(createMemoryStorage({ name: 'hot', maxSize: 20, cleanupIntervalMs: 2, common }));
    const warm = createFaultyStorage(createMemoryStorage({ name: 'warm', common }), { durable: true });
    const backup = createFaultyStorage(createMemoryStorage({ name: 'backup', common }), { durable: true });
    const sink = createSink({
      backends: [
        { storage: hot.storage, condition: hotCondition },
        { storage: backup.storage, condition: backupCondition, required: false },
        { storage: warm.storage },
      ],
      common,
      pageSize: 7,
      retry: { baseMs: 1, maxMs: 5 },
    });
    await sink.started();
    const simulation = new SinkSimulation(seed, { sink, warm, followers: [hot, backup], pass: clock.advance });
    await simulation.run(150);
    await simulation.compareAll();
    expect(simulation.tally.compared).toBeGreaterThan(200);
    await countShapes(common.metrics);
    await clock.advance(1_000);
    expect(plain(await changesOf(backup.storage))).toEqual(plain(await changesOf(warm.storage)));
    await sink.close();
    expect(clock.pending).toBe(0);
  });
});
