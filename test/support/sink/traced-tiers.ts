import { createCommon } from '../../../src/core/common.js';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../../src/storage/recall-from.js';
import { eventually } from '../eventually.js';
import type { TestDatabase } from '../postgres/postgres.js';
import { createFaultyStorage, type FaultyStorage, type Operation } from './faulty-storage.js';
import { createLaggingStorage, type LaggingStorage } from './lagging-storage.js';

/** Reads of a backend that a question takes. */
const READS = [
  ...(['getCCVData', 'heldCCVData', 'list', 'count', 'movesAfter', 'changedMessages', 'refresh'] as Operation[]),
];

/** Memory, Postgres and cold under one Sink, each of which moves on only when a test says so, and tells what it is asked. */
export interface TracedTiers {
  readonly sink: Sink;
  readonly hot: FaultyStorage;
  readonly warm: FaultyStorage;
  readonly cold: FaultyStorage;
  /** The steps of one question: `backend operation`, in order. */
  stepsOf(question: () => Promise<unknown>): Promise<readonly string[]>;
  /** Memory forgets all but its last few records. */
  evict(): Promise<void>;
  /** The cold tier commits everything. */
  flush(): Promise<void>;
  /** Postgres forgets all that the cold tier has committed. */
  prune(): Promise<void>;
}

/** `kept`: records that memory holds. */
export async function openTracedTiers(database: TestDatabase, kept: number): Promise<TracedTiers> {
  const common = createCommon();
  const lagging: LaggingStorage = createLaggingStorage('cold');
  const recall = recallFrom(lagging.storage);
  const postgres: PostgresStorage = createPostgresStorage({
    ...{ name: 'warm', connection: database.connection, common, recall },
  });
  const memory = createMemoryStorage({
    name: 'hot',
    maxSize: kept,
    cleanupIntervalMs: 1,
    maxStalenessMs: 60_000,
    common,
  });
  const [hot, warm, cold] = [
    createFaultyStorage(memory),
    createFaultyStorage(postgres),
    createFaultyStorage(lagging.storage),
  ];
  const sink = createSink({
    backends: [{ storage: hot.storage }, { storage: warm.storage }, { storage: cold.storage, tier: 'cold' }],
    maxStalenessMs: 60_000,
    pruneIntervalMs: 3_600_000,
    common,
  });
  await sink.started();
  const flush = async () => {
    await eventually('the cold tier has heard of everything', () => {
      return lagging.storage.appliedPosition() === postgres.coverage().throughPosition;
    });
    await lagging.flush();
  };
  return {
    ...{ sink, hot, warm, cold, flush },
    async stepsOf(question) {
      const steps: string[] = [];
      for (const [name, backend] of Object.entries({ hot, warm, cold }))
        for (const read of READS) backend.before(read, () => void steps.push(`${name} ${read}`));
      await question();
      for (const backend of [hot, warm, cold]) backend.heal();
      return steps;
    },
    async evict() {
      const through = postgres.coverage().throughPosition;
      await eventually('memory holds the last few', async () => {
        const { afterMs, throughPosition } = memory.coverage();
        const range = { startMs: afterMs + 1 };
        const counts = await Promise.all([memory.countMessages(range), memory.countCCVData(range)]).catch(() => null);
        return throughPosition === through && counts !== null && counts[0].count + counts[1].count <= kept;
      });
    },
    async prune() {
      const { throughMs: ingestionMs, throughPosition: position } = lagging.storage.coverage();
      await postgres.prune({ ingestionMs, position }, { dutyCycle: 1 });
    },
  };
}
