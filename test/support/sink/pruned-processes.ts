import { type Common, createCommon } from '../../../src/core/common.js';
import type { Logger } from '../../../src/core/logger.js';
import type { VerifierResult } from '../../../src/model/records.js';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import type { SinkBackend, SinkOptions } from '../../../src/sink/sink-options.js';
import type { BackendStorage } from '../../../src/storage/backend-storage.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../../src/storage/recall-from.js';
import type { MemoryBucket } from '../../simulation/process/memory-object-store.js';
import { eventually } from '../eventually.js';
import { createTestDatabase, type TestDatabase } from '../postgres/postgres.js';
import { createRecordMaker, type RecordMaker } from '../records.js';
import { createFaultyStorage, type FaultyStorage } from './faulty-storage.js';
import { createLaggingStorage, type LaggingStorage } from './lagging-storage.js';

/** One process: a Sink of a database that all share and a cold tier of its own. */
export interface PrunedProcess {
  readonly sink: Sink;
  readonly hot: BackendStorage;
  readonly warm: PostgresStorage;
  /** What the Sink asks in place of `warm`. */
  readonly leader: FaultyStorage;
  readonly lagging: LaggingStorage;
  readonly cold: FaultyStorage;
  readonly common: Common;
}

export interface ProcessWish {
  readonly options?: Partial<SinkOptions>;
  readonly retentionMs?: number;
  readonly coldFirst?: boolean;
  /** A memory may answer from before what another process has just written. */
  readonly withoutHot?: boolean;
  /** Of a process before, or beside this one. */
  readonly bucket?: MemoryBucket;
  /** For how long it does not look what others have flushed. */
  readonly refreshIntervalMs?: number;
  /** Beside the others: durable, and nobody has to wait for it. */
  readonly copy?: BackendStorage;
  readonly log?: Logger;
}

/** Processes over one database that is pruned. */
export interface PrunedProcesses {
  readonly database: TestDatabase;
  readonly make: RecordMaker;
  open(wish?: ProcessWish): Promise<PrunedProcess>;
  /** One commit for each result. */
  write(sink: Sink, count: number): Promise<VerifierResult[]>;
  close(): Promise<void>;
}

export async function createPrunedProcesses(seed: number): Promise<PrunedProcesses> {
  const database = await createTestDatabase();
  const make = createRecordMaker(seed);
  const opened: Sink[] = [];
  return {
    ...{ database, make },
    async open(wish = {}) {
      const common = createCommon(wish.log ? { log: wish.log } : {});
      const lagging = createLaggingStorage('cold', wish.bucket, wish.refreshIntervalMs);
      const cold = createFaultyStorage(lagging.storage);
      const recall = recallFrom(lagging.storage);
      const warm = createPostgresStorage({ name: 'warm', connection: database.connection, common, recall });
      const hot = createMemoryStorage({ name: 'hot', maxSize: 4, cleanupIntervalMs: 2, common });
      const leader = createFaultyStorage(warm);
      const backends: SinkBackend[] = [
        { storage: hot },
        { storage: leader.storage, retentionMs: wish.retentionMs ?? 0 },
        { storage: cold.storage, tier: 'cold' },
      ];
      if (wish.withoutHot) backends.shift();
      if (wish.copy) backends.push({ storage: wish.copy, required: false });
      const sink = createSink({
        backends: wish.coldFirst ? backends.toReversed() : backends,
        common,
        pruneIntervalMs: 5,
        retry: { baseMs: 1, maxMs: 20 },
        ...wish.options,
      });
      opened.push(sink);
      await sink.started();
      return { sink, hot, warm, leader, lagging, cold, common };
    },
    async write(sink, count) {
      const results = make.results(count);
      for (const result of results) await sink.insertBatch({ verifierResults: [result] });
      return results;
    },
    async close() {
      await Promise.all(opened.map((sink) => sink.close()));
      await database.drop();
    },
  };
}

/** The cold tier commits everything, and the database forgets it. */
export async function pruneAll(process: PrunedProcess): Promise<void> {
  await flushAll(process);
  const { throughMs, throughPosition } = process.lagging.storage.coverage();
  await process.warm.prune({ ingestionMs: throughMs, position: throughPosition }, { dutyCycle: 1 });
}

/** The cold tier commits everything. */
export async function flushAll({ warm, lagging }: PrunedProcess): Promise<void> {
  await eventually('the cold tier has heard of everything', () => {
    return lagging.storage.appliedPosition() === warm.coverage().throughPosition;
  });
  await lagging.flush();
}
