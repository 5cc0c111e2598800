import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { type Common, createCommon } from '../../../src/core/common.js';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import type { SinkBackend } from '../../../src/sink/sink-options.js';
import { type ColdStorage, createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import type { ColdStorageOptions } from '../../../src/storage/cold/namespace/cold-storage-options.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../../src/storage/recall-from.js';
import { eventually } from '../eventually.js';
import { metricOf } from './sink-tiers.js';

/** A Sink of memory, Postgres and the real cold tier, set so that records move on within milliseconds. */
export interface ThreeTiers {
  readonly sink: Sink;
  readonly cold: ColdStorage;
  readonly common: Common;
}

/** What tiers did in all tests of a file: a run in which nothing was pruned, or nobody asked the cold one, shows nothing. */
export class TierTally {
  pruned = 0;
  coldQueries = 0;
  coldLookups = 0;

  async add({ common }: ThreeTiers): Promise<void> {
    this.pruned += await metricOf(common, 'indexer_sink_pruned_records_total');
    for (const shape of ['cold', 'mixed'])
      this.coldQueries += await metricOf(common, 'indexer_sink_queries_total', { shape });
    this.coldLookups += await metricOf(common, 'indexer_sink_lookups_total', { shape: 'cold' });
  }
}

/** In which order the tiers are read. */
export type TierOrder = readonly ('hot' | 'warm' | 'cold')[];

/** What keeps the tiers apart from each other; nothing is kept longer than it must. */
export interface ThreeTiersOptions {
  readonly database: { readonly connection: PostgresConnection };
  readonly store: ObjectStore;
  readonly namespace: string;
  readonly order: TierOrder;
  readonly cold?: Partial<ColdStorageOptions>;
  readonly hotSize?: number;
}

export async function openThreeTiers(options: ThreeTiersOptions): Promise<ThreeTiers> {
  const common = createCommon();
  const cold = createColdStorage({
    name: 'cold',
    store: options.store,
    namespace: options.namespace,
    role: 'follower',
    flushIntervalMs: 20,
    refreshIntervalMs: 0,
    takeoverMs: 0,
    common,
    ...options.cold,
  });
  const recall = recallFrom(cold);
  if (recall === null) throw new Error('the cold tier cannot be recalled from');
  const tiers: Record<TierOrder[number], SinkBackend> = {
    hot: { storage: createMemoryStorage({ name: 'hot', maxSize: options.hotSize ?? 3, cleanupIntervalMs: 1, common }) },
    warm: {
      storage: createPostgresStorage({ name: 'warm', connection: options.database.connection, recall, common }),
      retentionMs: 1,
    },
    cold: { storage: cold, tier: 'cold' },
  };
  const sink = createSink({ backends: options.order.map((name) => tiers[name]), pruneIntervalMs: 10, common });
  await sink.started();
  return { sink, cold, common };
}

/**
 * The Sink as the contract wants it: told changes are each the last of their record, and what another storage gave is in
 * the cold tier when `apply` returns (a database does not know from where the other moved records).
 */
export function settled({ sink, cold }: ThreeTiers): Sink {
  const { apply, changesAfter } = sink;
  sink.apply = async (set) => {
    await apply.call(sink, set);
    await eventually('the cold tier has heard of it', () => cold.appliedPosition() >= set.throughPosition);
    await cold.flush();
  };
  sink.changesAfter = async (afterPosition, limit) => {
    // a closed one says so by itself
    await cold.flush().catch(() => undefined);
    return await changesAfter.call(sink, afterPosition, limit);
  };
  return sink;
}
