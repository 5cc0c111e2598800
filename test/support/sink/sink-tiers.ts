import { type Common, createCommon } from '../../../src/core/common.js';
import type { ReadCondition } from '../../../src/model/read-conditions.js';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import type { SinkOptions } from '../../../src/sink/sink-options.js';
import { createMemoryStorage, type MemoryStorageOptions } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { createTestDatabase, type TestDatabase } from '../postgres/postgres.js';
import { createFaultyStorage, type FaultyStorage } from './faulty-storage.js';

/** A hot memory before a warm Postgres, each of which can be made to fail. */
export interface Tiers {
  readonly sink: Sink;
  readonly hot: FaultyStorage;
  readonly warm: FaultyStorage;
  readonly common: Common;
  close(): Promise<void>;
}

/** Opens both tiers, on a database of their own unless one is given. */
export async function openTiers(
  wish: {
    readonly memory?: Partial<MemoryStorageOptions>;
    readonly hotCondition?: ReadCondition;
    readonly options?: Partial<SinkOptions>;
    readonly database?: TestDatabase;
  } = {},
): Promise<Tiers> {
  const common = createCommon();
  const database = wish.database ?? (await createTestDatabase());
  const hot = createFaultyStorage(createMemoryStorage({ name: 'hot', common, maxStalenessMs: 60_000, ...wish.memory }));
  const warm = createFaultyStorage(createPostgresStorage({ name: 'warm', connection: database.connection, common }));
  const sink = createSink({
    backends: [
      { storage: hot.storage, ...(wish.hotCondition ? { condition: wish.hotCondition } : {}) },
      { storage: warm.storage },
    ],
    common,
    retry: { baseMs: 2, maxMs: 20 },
    ...wish.options,
  });
  await sink.started();
  return {
    sink,
    hot,
    warm,
    common,
    close: async () => {
      hot.heal();
      warm.heal();
      await sink.close();
      if (!wish.database) await database.drop();
    },
  };
}

/** The value of a metric with these labels; 0 when it was never touched. */
export async function metricOf(
  common: Common,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const metric = await common.metrics.getSingleMetric(name)?.get();
  return (metric?.values ?? [])
    .filter((each) => Object.entries(labels).every(([label, value]) => each.labels[label] === value))
    .reduce((sum, each) => sum + each.value, 0);
}
