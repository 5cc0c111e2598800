import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from '../../../src/core/logger.js';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { MemoryBucket } from '../../simulation/process/memory-object-store.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import type { RecordMaker } from '../../support/records.js';
import { createFaultyStorage, type Operation } from '../../support/sink/faulty-storage.js';
import { createLaggingStorage } from '../../support/sink/lagging-storage.js';
import {
  createPrunedProcesses,
  type ProcessWish,
  type PrunedProcesses,
  pruneAll,
} from '../../support/sink/pruned-processes.js';
import { metricOf } from '../../support/sink/sink-tiers.js';

describe('a Sink whose database is pruned', () => {
  let database: TestDatabase;
  let make: RecordMaker;
  let processes: PrunedProcesses;
  beforeEach(async () => {
    processes = await createPrunedProcesses(5);
    ({ database, make } = processes);
  });
  afterEach(() => processes.close());
  const open = (wish?: ProcessWish) => processes.open(wish);
  const write = (sink: Sink, count: number) => processes.write(sink, count);

  test('promise 8: is pruned by its loop only as far as the cold tier has committed', async () => {
    const { sink, warm, cold, lagging, common } = await open({ retentionMs: 1 });
    await write(sink, 5);
    const rows = async () => (await database.sql('SELECT count(*)::int AS n FROM ccv.verifier_results')).rows[0].n;
    await lagging.flush();
    const { throughPosition } = lagging.storage.coverage();
    await write(sink, 3);
    await eventually('what is committed is pruned', async () => (await rows()) <= 8 - Number(throughPosition));
    const looks = cold.calls('refresh' as Operation);
    await eventually('more rounds have passed', () => cold.calls('refresh' as Operation) >= looks + 5);
    expect(await rows()).toBe(8 - Number(throughPosition));
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

  test('is not pruned while the cold tier cannot look whether what it committed is still there', async () => {
    const { sink, cold, lagging, warm } = await open({ retentionMs: 1 });
    const refresh = 'refresh' as Operation;
    cold.fail([refresh]);
    await write(sink, 6);
    await eventually('all is buffered', () => lagging.storage.appliedPosition() === 6n);
    await lagging.flush();
    const looks = cold.calls(refresh);
    await eventually('rounds have passed', () => cold.calls(refresh) >= looks + 5);
    expect(lagging.storage.coverage().throughPosition).toBe(6n);
    expect(warm.coverage().afterPosition).toBe(0n);
    cold.heal();
    await eventually('all is pruned', () => warm.coverage().afterPosition === 6n);
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
    const applied = lagging.storage.appliedPosition();
    expect(cold.calls('apply')).toBeLessThanOrEqual(Number(applied));
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

  test.each([0, 3_600_000])(
    'an old id is found although others flush and prune whenever it is looked for (looked at every %i ms)',
    async (refreshIntervalMs) => {
      const bucket = new MemoryBucket();
      const writer = await open({ bucket, withoutHot: true });
      const reader = await open({ bucket, withoutHot: true, refreshIntervalMs });
      const [result] = await write(writer.sink, 6);
      await pruneAll(writer);
      reader.leader.before('heldCCVData', async () => {
        await write(writer.sink, 2);
        await pruneAll(writer);
      });
      expect(await reader.sink.getCCVData(result!.messageId)).toHaveLength(1);
    },
  );

  test('a range is answered although its database is pruned before each time that it is read', async () => {
    const bucket = new MemoryBucket();
    const writer = await open({ bucket, withoutHot: true });
    const reader = await open({ bucket, withoutHot: true });
    let written = (await write(writer.sink, 6)).length;
    await pruneAll(writer);
    // a retention is longer than the time between two flushes
    const flushed = [writer.lagging.storage.coverage()];
    const pruneTwoBehind = async () => {
      const { throughMs, throughPosition } = flushed.at(-2) ?? flushed[0]!;
      written += (await write(writer.sink, 2)).length;
      await eventually('all is buffered', () => writer.lagging.storage.appliedPosition() === BigInt(written));
      await writer.lagging.flush();
      flushed.push(writer.lagging.storage.coverage());
      await writer.warm.prune({ ingestionMs: throughMs, position: throughPosition }, { dutyCycle: 1 });
    };
    for (const operation of ['list', 'count'] as const) reader.leader.before(operation, pruneTwoBehind);
    const page = await reader.sink.queryCCVData({ limit: 100 });
    expect(page.items.length).toBe(written);
    expect((await reader.sink.countCCVData({})).count).toBe(written);
  });

  test('a list of what is old is answered while what is recent keeps moving', async () => {
    const process = await open({ withoutHot: true });
    const old = [make.message(), make.message(), make.message()];
    for (const message of old)
      await process.sink.insertBatch({
        messages: [message],
        statuses: [{ messageId: message.messageId, status: 'success' }],
      });
    await pruneAll(process);
    let recent = make.message();
    await process.sink.insertBatch({ messages: [recent] });
    process.leader.before('changedMessages', async () => {
      const { messageId, origin } = recent;
      await process.sink.insertBatch({ orphanings: [{ messageId, blockHash: origin!.blockHash }] });
      recent = { ...recent, origin: make.origin(7n) };
      await process.sink.insertBatch({ messages: [recent] });
    });
    const { items } = await process.sink.queryMessages({});
    expect(items.map(({ messageId }) => messageId)).toEqual([...old, recent].map(({ messageId }) => messageId));
    expect(process.leader.calls('changedMessages')).toBe(1);
  });

  test('a cold tier that fails is asked once for one answer, although memory moves on all the time', async () => {
    const process = await open();
    await write(process.sink, 12);
    await pruneAll(process);
    process.cold.before('list', async () => {
      const { afterMs } = process.hot.coverage();
      await write(process.sink, 6);
      await eventually('memory has evicted', () => process.hot.coverage().afterMs > afterMs);
      throw new StorageUnavailableError('cold', 'answer (injected)');
    });
    await expect(process.sink.queryCCVData({})).rejects.toMatchObject({
      name: 'CoverageGapError',
      cause: { name: 'StorageUnavailableError' },
    });
    expect(process.cold.calls('list')).toBe(1);
  });

  test.each(['database', 'cold tier'])(
    'a second %s that is dead holds up pruning, and that is warned of and measured',
    async (kind) => {
      const warned: { msg?: string; heldBy?: string }[] = [];
      const destination = { write: (line: string) => void warned.push(JSON.parse(line)) };
      const log = createLogger({ level: 'warn', format: 'json', destination });
      const other = await createTestDatabase();
      const buffering = createLaggingStorage('copy');
      const copy = createFaultyStorage(
        kind === 'database' ? createPostgresStorage({ name: 'copy', connection: other.connection }) : buffering.storage,
      );
      copy.fail();
      const { sink, lagging, warm, common } = await open({ copy: copy.storage, retentionMs: 1, log });
      const heldSeconds = () => metricOf(common, 'indexer_sink_prune_held_seconds', { backend: 'warm' });
      const holdups = () => warned.filter(({ msg }) => msg?.startsWith('pruning is held up'));
      await write(sink, 6);
      await eventually('all is buffered', () => lagging.storage.appliedPosition() === 6n);
      await lagging.flush();
      await eventually('it is warned of', () => holdups().length > 0);
      expect(holdups()[0]).toMatchObject({ backend: 'warm', heldBy: 'copy' });
      expect(await heldSeconds()).toBeGreaterThan(0);
      expect(warm.coverage().afterPosition).toBe(0n);
      copy.heal();
      await eventually('it is pruned', async () => {
        await buffering.flush();
        return warm.coverage().afterPosition === 6n;
      });
      await eventually('nothing is held up', async () => (await heldSeconds()) === 0);
      await sink.close();
      await other.drop();
    },
  );

  test('promise 3: what only the cold tier holds is a gap that is named while it is away, never a shorter answer', async () => {
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

  test('an old id is a gap while its database is away: the cold tier may not have heard of all', async () => {
    const process = await open({ withoutHot: true });
    const [result] = await write(process.sink, 6);
    await pruneAll(process);
    const { messageId } = result!;
    expect(await process.sink.getCCVData(messageId)).toHaveLength(1);
    await process.warm.insertBatch({ verifierResults: [{ ...result!, verifierSourceAddress: make.hex(20) }] });
    process.leader.fail(['getCCVData', 'heldCCVData']);
    await expect(process.sink.getCCVData(messageId)).rejects.toMatchObject({ name: 'CoverageGapError' });
    process.leader.heal();
    expect(await process.sink.getCCVData(messageId)).toHaveLength(2);
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
