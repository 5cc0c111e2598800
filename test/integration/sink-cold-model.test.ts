import { afterAll, describe, expect, test } from 'vitest';
import { createCommon } from '../../src/core/common.js';
import { createSink } from '../../src/sink/sink.js';
import type { SinkBackend } from '../../src/sink/sink-options.js';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.js';
import { createPostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../src/storage/recall.js';
import { createFaultyStorage } from '../support/faulty-storage.js';
import { createLaggingStorage } from '../support/lagging-storage.js';
import { createTestDatabase } from '../support/postgres.js';
import { SinkSimulation } from '../support/sink-model.js';
import { metricOf } from '../support/sink-tiers.js';

/** In which order the tiers are read: with the cold one first nearly every list comes from a state that is too old. */
const ORDERS = ['hot warm cold', 'hot cold warm', 'cold warm', 'cold hot warm'];

const seen = { mixed: 0, cold: 0, recalls: 0, pruned: 0 };

describe('a Sink with a pruned database and a tier that lags answers as one flat list would', () => {
  afterAll(() => {
    // a run without these would show nothing
    for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(20);
  });

  test.each(Array.from({ length: 12 }, (_, seed) => seed + 1))('seed %i', { timeout: 120_000 }, async (seed) => {
    const common = createCommon();
    const database = await createTestDatabase();
    const lagging = createLaggingStorage('cold');
    const recall = recallFrom(lagging.storage)!;
    const postgres = createPostgresStorage({ name: 'warm', connection: database.connection, common, recall });
    const hot = createFaultyStorage(createMemoryStorage({ name: 'hot', maxSize: 20, cleanupIntervalMs: 2, common }));
    const warm = createFaultyStorage(postgres);
    const tiers: Record<string, SinkBackend> = {
      hot: { storage: hot.storage },
      warm: { storage: warm.storage },
      cold: { storage: lagging.storage, tier: 'cold' },
    };
    const order = ORDERS[seed % ORDERS.length]!.split(' ');
    const sink = createSink({
      backends: order.map((name) => tiers[name]!),
      common,
      pageSize: 7,
      retry: { baseMs: 1, maxMs: 5 },
    });
    await sink.started();

    const simulation: SinkSimulation = new SinkSimulation(seed, {
      sink,
      warm,
      followers: order.includes('hot') ? [hot] : [],
      pass: async () => undefined,
      between: async (model, random) => {
        const dice = random();
        if (dice < 0.2) await lagging.flush();
        else if (dice < 0.22) lagging.drop();
        else if (dice < 0.35) {
          const { throughPosition, throughMs } = lagging.storage.coverage();
          if (throughMs < 0) return;
          const before = postgres.coverage();
          const outcome = await postgres.prune(
            { position: throughPosition, ingestionMs: throughMs - Math.floor(random() * 3) },
            { dutyCycle: 1, stepIds: 1 + Math.floor(random() * 5) },
          );
          seen.pruned += outcome.messages + outcome.verifierResults;
          expect(outcome.floor.position >= before.afterPosition).toBe(true);
          expect(outcome.floor.position <= throughPosition).toBe(true);
        } else if (dice < 0.5) await model.repeatAny();
        else if (dice < 0.65) await model.changeAny();
        else if (dice < 0.75) await model.reorgAny();
        else if (dice < 0.8) await model.finishMost();
        await model.askMessage();
      },
    });
    await simulation.run(120);
    await simulation.compareAll();
    expect(simulation.tally.compared).toBeGreaterThan(150);
    seen.mixed += await metricOf(common, 'indexer_sink_queries_total', { shape: 'mixed' });
    seen.cold += await metricOf(common, 'indexer_sink_queries_total', { shape: 'cold' });
    seen.recalls += await metricOf(common, 'indexer_postgres_recalls_total');
    await sink.close();
    await database.drop();
  });
});
