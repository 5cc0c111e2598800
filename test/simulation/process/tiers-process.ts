import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import type { Common } from '../../../src/core/common.js';
import type { Boundary } from '../../../src/model/boundary.js';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import type { SinkBackend } from '../../../src/sink/sink-options.js';
import type { PruneOptions, PruneOutcome } from '../../../src/storage/backend-storage.js';
import { type ColdStorage, createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import type { ColdStorageRole } from '../../../src/storage/cold/namespace/cold-storage-options.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { createMemoryStorage, type MemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../../src/storage/recall-from.js';
import { createMortalStore } from '../../support/cold/storage-life.js';
import { createFaultyObjectStore, type FaultyObjectStore } from '../../support/s3/object-store-faults.js';
import { createFaultyStorage, type FaultyStorage } from '../../support/sink/faulty-storage.js';
import { createOutageStore, type OutageStore } from '../model/outage-store.js';
import type { Busy } from './busy.js';
import type { UnderWay } from './under-way.js';

/** In which order a Sink reads its tiers. */
export const ORDERS = ['hot warm cold', 'cold hot warm', 'hot cold warm', 'cold warm', 'warm cold'] as const;

/** How a run's processes are set up. Times in milliseconds of the run's own clock. */
export interface ProcessSettings {
  readonly order: (typeof ORDERS)[number];
  /** Records that the memory holds after an eviction. */
  readonly hotSize: number;
  /** Changes that a follower reads at once. */
  readonly pageSize: number;
  /** For how long the cold tier does not look for what others committed. */
  readonly refreshIntervalMs: number;
  readonly retentionMs: number;
}

/** How the Sink's own loop of pruning is let through: one round when a run's command says so. */
export interface PruneGate {
  isOpen: boolean;
  /** Message ids in one transaction. */
  stepIds: number;
  /** Ends it between two transactions, after so many. */
  stopAfter: number;
  outcomes: PruneOutcome[];
}

/** What all processes of a run share. */
export interface ProcessPlace {
  readonly common: Common;
  readonly connection: PostgresConnection;
  /** The bucket as one more process opens it. */
  openStore(): ObjectStore;
  readonly busy: Busy;
  readonly underWay: UnderWay;
  readonly gate: PruneGate;
  readonly settings: ProcessSettings;
}

/** One process: a Sink and what it is made of. */
export interface TiersProcess {
  readonly sink: Sink;
  readonly hot: MemoryStorage | null;
  /** Null where the cold tier is the only durable one. */
  readonly warm: FaultyStorage | null;
  readonly cold: ColdStorage;
  readonly outage: OutageStore;
  readonly faults: FaultyObjectStore;
  /** From now on nothing that it does reaches the bucket. */
  kill(): void;
}

export const NAMESPACE = 'simulation';
export const PRUNE_INTERVAL_MS = 100;
export const EVICTION_INTERVAL_MS = 310;
const HEARTBEAT_MS = 100;

/** @param role of the cold tier; `leader`: without a database. */
export function openProcess(place: ProcessPlace, role: ColdStorageRole): TiersProcess {
  const { common, settings, busy } = place;
  const mortal = createMortalStore(place.openStore());
  const faults = createFaultyObjectStore(mortal);
  const outage = createOutageStore(faults, { clock: common.clock, busy, underWay: place.underWay });
  const cold = createColdStorage({
    ...{ name: 'cold', store: outage, namespace: NAMESPACE, role, common },
    // flushed when a command says so
    ...{ flushIntervalMs: 1e12, takeoverMs: 0, refreshIntervalMs: settings.refreshIntervalMs, cacheBytes: 1 << 20 },
  });
  const backends = new Map<string, SinkBackend>();
  const hot = settings.order.includes('hot')
    ? createMemoryStorage({
        ...{ name: 'hot', maxSize: settings.hotSize, cleanupIntervalMs: EVICTION_INTERVAL_MS, common },
      })
    : null;
  if (hot) backends.set('hot', { storage: hot });
  const recall = recallFrom(cold);
  if (!recall) throw new Error('the cold tier cannot be recalled from');
  const warm =
    role === 'leader'
      ? null
      : createFaultyStorage(
          gated(createPostgresStorage({ name: 'warm', connection: place.connection, recall, common }), place),
        );
  if (warm)
    backends.set('warm', { storage: warm.storage, retentionMs: role === 'follower' ? settings.retentionMs : 0 });
  backends.set('cold', { storage: cold, tier: 'cold' });
  const sink = createSink({
    backends: settings.order.split(' ').flatMap((name) => backends.get(name) ?? []),
    ...{ common, pageSize: settings.pageSize, pruneIntervalMs: PRUNE_INTERVAL_MS, heartbeatMs: HEARTBEAT_MS },
    retry: { baseMs: 1, maxMs: 5 },
  });
  return { sink, hot, warm, cold, outage, faults, kill: mortal.kill };
}

/** The database with its work counted, pruned only while the gate is open, in steps of the gate's size. */
function gated(postgres: PostgresStorage, { busy, gate }: ProcessPlace): PostgresStorage {
  const inTurn = new Set(['coverage', 'subscribe', 'close']);
  const counted = Object.fromEntries(
    Object.entries(postgres).map(([name, member]) => {
      if (typeof member !== 'function' || inTurn.has(name)) return [name, member];
      return [name, (...args: unknown[]) => busy.track(member(...args) as Promise<unknown>)];
    }),
  ) as unknown as PostgresStorage;

  async function prune(upTo: Boundary, options: PruneOptions = {}): Promise<PruneOutcome> {
    const { afterMs, afterPosition } = postgres.coverage();
    if (!gate.isOpen)
      return { messages: 0, verifierResults: 0, floor: { ingestionMs: afterMs, position: afterPosition } };
    // one round at a time: one that fails is not repeated by the loop
    gate.isOpen = false;
    let left = gate.stopAfter;
    const signal = {
      get aborted() {
        left -= 1;
        return left < 0 || options.signal?.aborted === true;
      },
    } as AbortSignal;
    const outcome = await postgres.prune(upTo, { dutyCycle: 1, stepIds: gate.stepIds, signal });
    gate.outcomes.push(outcome);
    return outcome;
  }
  return { ...counted, prune: (upTo, options) => busy.track(prune(upTo, options)) };
}
