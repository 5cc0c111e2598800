import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Common, createCommon } from '../../src/core/common.js';
import { createSink, type Sink } from '../../src/sink/sink.js';
import type { SinkOptions } from '../../src/sink/sink-options.js';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../src/storage/recall.js';
import type { VerifierResult } from '../../src/storage/records.js';
import { MemoryBucket } from '../simulation/memory-object-store.js';
import { eventually } from '../support/eventually.js';
import { createFaultyStorage, type FaultyStorage } from '../support/faulty-storage.js';
import { createLaggingStorage, type LaggingStorage } from '../support/lagging-storage.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { createRecordMaker, type RecordMaker } from '../support/records.js';
import { metricOf } from '../support/sink-tiers.js';

/** One process: a Sink of a database that all share and a cold tier of its own. */
interface Process {
  readonly sink: Sink;
  readonly warm: PostgresStorage;
  readonly lagging: LaggingStorage;
  readonly cold: FaultyStorage;
  readonly common: Common;
}

describe('a Sink whose database is pruned', () => {
  let database: TestDatabase;
  let make: RecordMaker;
  let opened: Sink[];
  beforeEach(async () => {
    database = await createTestDatabase();
    make = createRecordMaker(5);
    opened = [];
  });
  afterEach(async () => {
    await Promise.all(opened.map((sink) => sink.close()));
    await database.drop();
  });

  async function open(
    wish: {
      readonly options?: Partial<SinkOptions>;
      readonly retentionMs?: number;
      readonly coldFirst?: boolean;
      /** A memory may answer from before what another process has just written. */
      readonly withoutHot?: boolean;
      /** Of a process before, or beside this one. */
      readonly bucket?: MemoryBucket;
    } = {},
  ): Promise<Process> {
    const common = createCommon();
    const lagging = createLaggingStorage('cold', wish.bucket);
    const cold = createFaultyStorage(lagging.storage);
    const recall = recallFrom(lagging.storage)!;
    const warm = createPostgresStorage({ name: 'warm', connection: database.connection, common, recall });
    const backends = [
      { storage: createMemoryStorage({ name: 'hot', maxSize: 4, cleanupIntervalMs: 2, common }) },
      { storage: warm, retentionMs: wish.retentionMs ?? 0 },
      { storage: cold.storage, tier: 'cold' as const },
    ];
    if (wish.withoutHot) backends.shift();
    const sink = createSink({
      backends: wish.coldFirst ? backends.toReversed() : backends,
      common,
      pruneIntervalMs: 5,
      retry: { baseMs: 1, maxMs: 20 },
      ...wish.options,
    });
    opened.push(sink);
    await sink.started();
    return { sink, warm, lagging, cold, common };
  }

  async function pruneAll({ warm, lagging }: Process): Promise<void> {
    await eventually('the cold tier has heard of everything', () => {
      return lagging.storage.appliedPosition() === warm.coverage().throughPosition;
    });
    await lagging.flush();
    const { throughMs, throughPosition } = lagging.storage.coverage();
    await warm.prune({ ingestionMs: throughMs, position: throughPosition }, { dutyCycle: 1 });
  }

  async function write(sink: Sink, count: number): Promise<VerifierResult[]> {
    const results = make.results(count);
    for (const result of results) await sink.insertBatch({ verifierResults: [result] });
    return results;
  }

  test('is pruned by its loop only as far as the cold tier has committed', async () => {
    const { sink, warm, lagging, common } = await open({ retentionMs: 1 });
    await write(sink, 5);
    const rows = async () => (await database.sql('SELECT count(*)::int AS n FROM ccv.verifier_results')).rows[0].n;
    await lagging.flush();
    const { throughPosition } = lagging.storage.coverage();
    await write(sink, 3);
    await eventually('what is committed is pruned', async () => (await rows()) === 8 - Number(throughPosition));
    expect(warm.coverage().afterPosition).toBe(throughPosition);
    expect((await sink.queryCCVData({})).items).toHaveLength(8);
    await lagging.flush();
    await eventually('the rest is pruned', async () => (await rows()) === 0);
    const removed = () => metricOf(common, 'indexer_sink_pruned_records_total', { record: 'verifierResult' });
    await eventually('the round is counted', async () => (await removed()) === 8);
    expect(await metricOf(common, 'indexer_sink_prune_floor_position')).toBe(8);
    expect((await sink.countCCVData({})).count).toBe(8);
  });

  test('is not pruned while the cold tier cannot be reached, and ingestion goes on', async () => {
    const { sink, cold, lagging, warm } = await open({ retentionMs: 1 });
    cold.fail(['apply']);
    await write(sink, 6);
    await lagging.flush();
    await eventually('the cold tier is failing', async () =>
      (await sink.status()).some(({ name, repairing }) => name === 'cold' && repairing),
    );
    expect(warm.coverage().afterPosition).toBe(0n);
    expect((await sink.countCCVData({})).count).toBe(6);
    cold.heal();
    await eventually('all is pruned', async () => {
      await lagging.flush();
      return warm.coverage().afterPosition === 6n;
    });
    expect((await sink.countCCVData({})).count).toBe(6);
  });

  test('a cold tier that only buffers is not fed the same again and again', async () => {
    const { sink, cold, lagging } = await open();
    await write(sink, 20);
    await eventually('all is buffered', () => lagging.storage.appliedPosition() === 20n);
    await eventually('some heartbeats have passed', async () => {
      const before = cold.calls('apply');
      await sink.insertBatch({ verifierResults: make.results(1) });
      return before >= 25;
    });
    const standing = lagging.storage.appliedPosition();
    expect(cold.calls('apply')).toBeLessThanOrEqual(Number(standing));
    expect(lagging.storage.coverage().throughPosition).toBe(0n);
  });

  test.each([false, true])(
    'an old id has what came later through another process (cold first: %s)',
    async (coldFirst) => {
      const [writer, reader] = [await open(), await open({ coldFirst, withoutHot: true })];
      const [result] = await write(writer.sink, 1);
      await write(writer.sink, 8);
      await pruneAll(reader);
      await write(writer.sink, 8);
      const { messageId } = result!;
      // the reader's cold tier does not know of this yet, and the reader has shown nobody anything
      await writer.warm.insertBatch({ verifierResults: [{ ...result!, verifierSourceAddress: make.hex(20) }] });
      expect(await reader.sink.getCCVData(messageId)).toHaveLength(2);
      await expect(reader.sink.getMessage(messageId)).rejects.toMatchObject({ name: 'MessageNotFoundError' });
      await expect(reader.sink.getCCVData(make.message().messageId)).rejects.toMatchObject({
        name: 'CCVDataNotFoundError',
      });
    },
  );

  test('a range that another process has just pruned is planned anew', async () => {
    const slow = { options: { maxStalenessMs: 600_000, heartbeatMs: 600_000 } };
    const [pruner, reader] = [await open(), await open(slow)];
    await write(pruner.sink, 12);
    await eventually('the reader is current', () => reader.sink.coverage().throughPosition === 12n);
    await eventually('its cold tier has heard of it', () => reader.lagging.storage.appliedPosition() === 12n);
    await reader.lagging.flush();
    await pruneAll(pruner);
    // nothing was committed since, so the reader may still believe that its database has it all
    expect((await reader.sink.queryCCVData({})).items).toHaveLength(12);
    expect((await reader.sink.countCCVData({})).count).toBe(12);
  });

  test('what only the cold tier holds is a gap that is named while it is away, never a shorter answer', async () => {
    const process = await open();
    const results = await write(process.sink, 12);
    await pruneAll(process);
    process.cold.fail();
    await expect(process.sink.queryCCVData({ limit: 3 })).rejects.toMatchObject({ name: 'CoverageGapError' });
    await expect(process.sink.getCCVData(results[0]!.messageId)).rejects.toMatchObject({ name: 'CoverageGapError' });
    await write(process.sink, 2);
    process.cold.heal();
    expect((await process.sink.queryCCVData({})).items).toHaveLength(14);
    expect(await process.sink.getCCVData(results[0]!.messageId)).toHaveLength(1);
  });

  test('a cold tier that was flushed between two pages of changes goes on after a restart', async () => {
    const bucket = new MemoryBucket();
    const writer = await open();
    await write(writer.sink, 9);
    const partial = createLaggingStorage('cold', bucket);
    await partial.storage.apply(await writer.warm.changesAfter(0n, 4));
    await partial.flush();
    await partial.storage.close();
    const { sink, lagging } = await open({ bucket });
    await eventually('all is applied', () => lagging.storage.appliedPosition() === 9n);
    await lagging.flush();
    expect(lagging.storage.coverage()).toMatchObject({ afterMs: -1, throughPosition: 9n });
    expect((await sink.status()).map(({ lastError }) => lastError)).toEqual([null, null, null]);
  });

  test('changes below the floor are told by a process whose cold tier has not looked since others pruned', async () => {
    const bucket = new MemoryBucket();
    const [writer, reader] = [await open({ bucket }), await open({ bucket })];
    // its own follower would make it look
    reader.cold.fail();
    await write(writer.sink, 12);
    await pruneAll(writer);
    await eventually('the reader knows the floor', async () => {
      await reader.warm.changesAfter(0n, 1).catch(() => undefined);
      return reader.warm.coverage().afterPosition === 12n;
    });
    expect(reader.lagging.storage.coverage().throughPosition).toBe(0n);
    reader.cold.heal();
    expect((await reader.sink.changesAfter(0n)).changes).toHaveLength(12);
  });

  test('a retention without a cold tier, or of a storage that cannot be pruned, is refused', () => {
    const memory = createMemoryStorage({ name: 'memory' });
    const cold = { storage: createLaggingStorage('cold').storage, tier: 'cold' as const };
    const postgres = createPostgresStorage({ name: 'warm', connection: database.connection });
    const refused = expect.objectContaining({ name: 'InvalidArgumentError' });
    expect(() => createSink({ backends: [{ storage: postgres, retentionMs: 5 }] })).toThrow(refused);
    expect(() => createSink({ backends: [{ storage: memory, retentionMs: 5 }, cold] })).toThrow(refused);
  });
});
