import { afterEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { createLogger, type Logger } from '../../../src/core/logger.js';
import { neverRead, olderRead, recentRead } from '../../../src/model/read-conditions.js';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import type { PartialFailure, SinkOptions } from '../../../src/sink/sink-options.js';
import { createMemoryStorage, type MemoryStorageOptions } from '../../../src/storage/memory/memory-storage.js';
import { createManualClock, type ManualClock } from '../../support/manual-clock.js';
import { createRecordMaker } from '../../support/records.js';
import { createFaultyStorage } from '../../support/sink/faulty-storage.js';
import { metricOf } from '../../support/sink/sink-tiers.js';

/** How followers keep up, and what reads do while they do not. On a manual clock; the leader is a memory that counts as durable. */
describe('following', () => {
  const open: { sink: Sink; clock: ManualClock }[] = [];
  afterEach(async () => {
    for (const { sink, clock } of open.splice(0)) {
      await sink.close();
      expect(clock.pending).toBe(0);
    }
  });

  function setUp(
    wish: {
      readonly memory?: Partial<MemoryStorageOptions>;
      readonly options?: Partial<SinkOptions>;
      readonly log?: Logger;
    } = {},
  ) {
    const clock = createManualClock();
    let setBackMs = 0;
    const common = createCommon({
      clock: { ...clock, nowMs: () => clock.nowMs() - setBackMs },
      random: () => 0.5,
      ...(wish.log ? { log: wish.log } : {}),
    });
    const setBack = (byMs: number) => {
      setBackMs += byMs;
    };
    const memory = (name: string, options: Partial<MemoryStorageOptions> = {}) =>
      createMemoryStorage({ name, common, ...options });
    const hot = createFaultyStorage(memory('hot', { maxStalenessMs: 250, ...wish.memory }));
    const warm = createFaultyStorage(memory('warm'), { durable: true });
    const second = createFaultyStorage(memory('second'), { durable: true });
    const make = createRecordMaker(1);
    const start = (backends: SinkOptions['backends']) => {
      const sink = createSink({ common, retry: { baseMs: 100, maxMs: 800 }, ...wish.options, backends });
      open.push({ sink, clock });
      return sink;
    };
    return { clock, setBack, common, memory, hot, warm, second, make, start };
  }

  test("a writer's promise resolves after memory has it, in the order of commits", async () => {
    const { clock, hot, warm, make, start } = setUp();
    const sink = start([{ storage: hot.storage }, { storage: warm.storage }]);
    await clock.settle();
    await Promise.all(
      make.results(20).map(async (result) => {
        const { committed } = await sink.insertBatch({ verifierResults: [result] });
        expect(hot.storage.coverage().throughPosition).toBeGreaterThanOrEqual(committed!.throughPosition);
      }),
    );
    const reads = hot.calls('changesAfter') + warm.calls('changesAfter');
    await sink.insertBatch({ verifierResults: make.results(1) });
    expect(hot.calls('changesAfter') + warm.calls('changesAfter')).toBe(reads);
  });

  test('what another process commits reaches memory by the heartbeat', async () => {
    const { clock, hot, warm, make, start } = setUp();
    const sink = start([{ storage: hot.storage }, { storage: warm.storage }]);
    await clock.settle();
    for (let beats = 0; beats < 40; beats += 1) {
      await clock.advance(100);
      expect(sink.explain({}).slices.map(({ backend }) => backend)).toEqual(['hot']);
    }
    const reads = warm.calls('changesAfter');
    expect(reads).toBeGreaterThanOrEqual(4_000 / 190);
    expect(reads).toBeLessThan(50);
    expect(make).toBeDefined();
  });

  test('a follower that keeps failing is warned of at once and then rarely, and counted each time', async () => {
    const warned: { since?: number; msg?: string }[] = [];
    const log = createLogger({
      level: 'warn',
      format: 'json',
      destination: { write: (line: string) => void warned.push(JSON.parse(line)) },
    });
    const { clock, common, hot, warm, make, start } = setUp({ log });
    const sink = start([{ storage: hot.storage }, { storage: warm.storage }]);
    await clock.settle();
    hot.fail(['apply']);
    for (let i = 0; i < 50; i += 1) await sink.insertBatch({ verifierResults: make.results(1) });
    expect(await metricOf(common, 'indexer_sink_partial_failures_total')).toBe(50);
    expect(warned.filter(({ msg }) => msg === 'partial failure')).toMatchObject([{ since: 1 }]);
    await clock.advance(10_000);
    await sink.insertBatch({ verifierResults: make.results(1) });
    expect(warned.filter(({ msg }) => msg === 'partial failure')).toMatchObject([{ since: 1 }, { since: 50 }]);
    hot.heal();
  });

  test('a wall clock that is set back neither ends heartbeats nor makes old news young', async () => {
    const { clock, setBack, memory, warm, make, start } = setUp();
    const copy = createFaultyStorage(memory('copy', { maxStalenessMs: 600_000 }), { durable: true });
    const sink = start([{ storage: copy.storage, required: false }, { storage: warm.storage }]);
    await clock.settle();
    await sink.insertBatch({ verifierResults: make.results(1) });
    setBack(3_600_000);
    const reads = warm.calls('changesAfter');
    await clock.advance(4_000);
    expect(warm.calls('changesAfter') - reads).toBeGreaterThan(10);
    expect(sink.explain({}).slices.map(({ backend }) => backend)).toEqual(['copy']);
    warm.fail(['changesAfter']);
    await clock.advance(1_000);
    // for what was closed it still speaks
    expect(sink.explain({}).slices.map(({ backend }) => backend)).toEqual(['copy', 'warm']);
    expect((await sink.status())[0]?.lag?.ms).toBeGreaterThan(900);
    warm.heal();
  });

  test('memory that cannot confirm itself stops answering for now, and goes on for what was closed', async () => {
    const { clock, hot, warm, make, start } = setUp();
    const sink = start([{ storage: hot.storage }, { storage: warm.storage }]);
    await clock.settle();
    const { committed } = await sink.insertBatch({ verifierResults: make.results(3) });
    warm.fail();
    expect((await sink.queryCCVData({})).items).toHaveLength(3);
    await clock.advance(400);
    const { ingestionMs } = committed!;
    await expect(sink.queryCCVData({})).rejects.toMatchObject({
      name: 'CoverageGapError',
      gap: { kind: 'time', startMs: ingestionMs + 1, endMs: Number.POSITIVE_INFINITY },
      cause: { name: 'StorageUnavailableError' },
    });
    expect((await sink.queryCCVData({ endMs: ingestionMs })).items).toHaveLength(3);
    const [known] = make.results(1);
    await expect(sink.getCCVData(known!.messageId)).rejects.toMatchObject({
      name: 'CoverageGapError',
      gap: { kind: 'messageId' },
      cause: { name: 'StorageUnavailableError' },
    });
    warm.heal();
    await clock.advance(2_000);
    expect((await sink.queryCCVData({})).items).toHaveLength(3);
    expect(sink.explain({}).slices.map(({ backend }) => backend)).toEqual(['hot']);
  });

  test('no read goes back behind an earlier one', async () => {
    const { clock, hot, warm, make, start } = setUp({ memory: { maxStalenessMs: 60_000 } });
    const sink = start([{ storage: hot.storage }, { storage: warm.storage }]);
    await clock.settle();
    const message = make.message();
    await sink.insertBatch({ messages: [message], verifierResults: [make.result(message)] });
    hot.fail(['apply']);
    const { messageId } = message;
    await sink.insertBatch({ statuses: [{ messageId, status: 'success' }], verifierResults: make.results(1) });
    // memory believes to be current, but stands behind what was acknowledged
    expect(hot.storage.coverage().throughMs).toBe(Number.POSITIVE_INFINITY);
    expect((await sink.getMessage(messageId)).status).toBe('success');
    expect((await sink.queryMessages({})).items[0]!.status).toBe('success');
    const { ingestionMs } = (await sink.queryMessages({})).items[0]!;
    expect((await sink.queryMessages({ endMs: ingestionMs })).items[0]!.status).toBe('success');
    expect((await sink.queryCCVData({})).items).toHaveLength(2);
    expect((await sink.countCCVData({})).count).toBe(2);
  });

  test('what was orphaned is in no list of a late backend either', async () => {
    const { clock, hot, warm, make, start } = setUp();
    const sink = start([{ storage: hot.storage }, { storage: warm.storage }]);
    await clock.settle();
    const message = make.message();
    const { committed } = await sink.insertBatch({ messages: [message], verifierResults: [make.result(message)] });
    hot.fail(['apply']);
    await sink.insertBatch({ orphanings: [{ messageId: message.messageId, blockHash: message.origin!.blockHash }] });
    const closed = { endMs: committed!.ingestionMs };
    expect((await sink.queryCCVData(closed)).items).toEqual([]);
    expect((await sink.countMessages(closed)).count).toBe(0);
  });

  test('a record that moves between two slices is neither lost nor listed twice', async () => {
    const { clock, common, hot, warm, make, start } = setUp();
    const sink = start([{ storage: hot.storage, condition: recentRead(5) }, { storage: warm.storage }]);
    await clock.settle();
    const messages = Array.from({ length: 4 }, () => make.message());
    for (const message of messages) {
      await sink.insertBatch({ messages: [message] });
      await clock.advance(10);
    }
    const [moving] = messages;
    let moved = false;
    // while the second slice is asked, the record of the first one moves into it
    hot.before('list', async () => {
      if (moved) return;
      moved = true;
      await warm.storage.insertBatch({
        orphanings: [{ messageId: moving!.messageId, blockHash: moving!.origin!.blockHash }],
        messages: [{ ...moving!, origin: make.origin(9n) }],
      });
    });
    const { items, asOf } = await sink.queryMessages({});
    expect(moved).toBe(true);
    expect(items.map(({ messageId }) => messageId)).toEqual([...messages.slice(1), moving!].map((m) => m.messageId));
    expect(asOf.position).toBeGreaterThanOrEqual(asOf.movePosition);
    expect(await metricOf(common, 'indexer_sink_replans_total')).toBe(1);
  });

  test('a backend whose part does not fit is waited for when nobody else can answer it', async () => {
    const { clock, hot, warm, make, start } = setUp({ memory: { maxStalenessMs: 60_000 } });
    const sink = start([
      { storage: hot.storage, condition: recentRead(1_000) },
      { storage: warm.storage, condition: olderRead(1_001) },
    ]);
    await clock.settle();
    const message = make.message();
    await sink.insertBatch({ messages: [message] });
    const release = hot.hold('apply');
    const writing = warm.storage.insertBatch({
      orphanings: [{ messageId: message.messageId, blockHash: message.origin!.blockHash }],
    });
    await writing;
    const asking = sink.queryMessages({});
    await clock.settle();
    release();
    expect((await asking).items).toEqual([]);
  });

  test('a failing backend is passed over and its slice planned over the others', async () => {
    const { clock, hot, warm, make, start } = setUp();
    const sink = start([{ storage: hot.storage }, { storage: warm.storage }]);
    await clock.settle();
    await sink.insertBatch({ verifierResults: make.results(5) });
    hot.fail(['list', 'count', 'getCCVData', 'getMessage']);
    expect((await sink.queryCCVData({ limit: 2, offset: 1 })).items).toHaveLength(2);
    expect((await sink.countCCVData({})).count).toBe(5);
    const [listed] = (await sink.queryCCVData({ limit: 1 })).items;
    expect(await sink.getCCVData(listed!.messageId)).toHaveLength(1);
    warm.fail(['list']);
    await expect(sink.queryCCVData({})).rejects.toMatchObject({ name: 'CoverageGapError' });
  });

  test('what can never be asked is told by its own error, not as a gap', async () => {
    const { clock, hot, warm, start } = setUp();
    const sink = start([{ storage: hot.storage }, { storage: warm.storage }]);
    await clock.settle();
    const invalid = { name: 'InvalidArgumentError' };
    await expect(sink.queryCCVData({ limit: 0 })).rejects.toMatchObject(invalid);
    await expect(sink.queryMessages({ cursor: 'x' })).rejects.toMatchObject(invalid);
    await expect(sink.getCCVData('0x12')).rejects.toMatchObject(invalid);
    expect((await sink.queryCCVData({ startMs: -5, endMs: -1 })).items).toEqual([]);
    expect((await sink.queryCCVData({ startMs: 9, endMs: 3 })).items).toEqual([]);
  });

  test('a required follower that fails keeps the write from being acknowledged, though it is committed', async () => {
    const { clock, warm, second, make, start } = setUp();
    const failures: PartialFailure[] = [];
    const sink = start([{ storage: warm.storage }, { storage: second.storage, condition: neverRead() }]);
    await clock.settle();
    second.fail(['apply']);
    const batch = { verifierResults: make.results(2) };
    const refused = { name: 'SinkWriteError', committed: true, retryable: true, succeeded: ['warm'] };
    await expect(sink.insertBatch(batch)).rejects.toMatchObject({ ...refused, failed: [{ backend: 'second' }] });
    expect((await warm.storage.countCCVData({})).count).toBe(2);
    // the same again: all duplicates for the leader, still not held by the other
    await expect(sink.insertBatch(batch)).rejects.toMatchObject(refused);
    second.heal();
    const outcome = await sink.insertBatch(batch);
    expect(outcome).toMatchObject({ verifierResults: ['duplicate', 'duplicate'], committed: null });
    expect(second.storage.coverage().throughPosition).toBe(2n);
    expect(failures).toEqual([]);
  });

  test('a follower that is not required is repaired with growing pauses, and never holds a write up', async () => {
    const failures: PartialFailure[] = [];
    const { clock, common, warm, second, make, start } = setUp({
      options: { onPartialFailure: (failure) => failures.push(failure) },
    });
    const sink = start([{ storage: warm.storage }, { storage: second.storage, required: false }]);
    await clock.settle();
    second.fail(['apply', 'changesAfter']);
    for (let i = 0; i < 5; i += 1) await sink.insertBatch({ verifierResults: make.results(1) });
    expect(failures.map(({ throughPosition }) => throughPosition)).toEqual([1n, 2n, 3n, 4n, 5n]);
    const attempts = second.calls('apply');
    await clock.advance(5_000);
    const made = second.calls('apply') - attempts;
    expect(made).toBeGreaterThanOrEqual(5);
    expect(made).toBeLessThan(20);
    second.heal();
    await clock.advance(1_000);
    expect(second.storage.coverage().throughPosition).toBe(5n);
    expect((await sink.status()).map(({ repairing }) => repairing)).toEqual([false, false]);
    expect(await metricOf(common, 'indexer_sink_follower_lag_positions', { backend: 'second' })).toBe(0);
  });

  test('a follower that hangs holds no write up either', async () => {
    const { clock, warm, second, make, start } = setUp();
    const sink = start([{ storage: warm.storage }, { storage: second.storage, required: false }]);
    await clock.settle();
    const release = second.hold('apply');
    for (let i = 0; i < 3; i += 1) await sink.insertBatch({ verifierResults: make.results(1) });
    expect((await sink.status())[1]!.lag).toMatchObject({ positions: '3' });
    release();
    await clock.advance(10);
    expect(second.storage.coverage().throughPosition).toBe(3n);
  });

  test('while the leader cannot be told apart from gone, its commits still reach the followers', async () => {
    const { clock, warm, hot, make, start } = setUp();
    const sink = start([{ storage: hot.storage }, { storage: warm.storage }]);
    await clock.settle();
    warm.fail(['changesAfter']);
    await clock.advance(2_000);
    expect((await sink.status())[0]).toMatchObject({ state: 'failing' });
    await sink.insertBatch({ verifierResults: make.results(2) });
    await clock.settle();
    expect(hot.storage.coverage().throughPosition).toBe(2n);
  });

  test('memory starts at its window, not at the beginning of history', async () => {
    const { clock, warm, hot, make, start } = setUp({ memory: { maxSize: 400 } });
    for (let i = 0; i < 20; i += 1) await warm.storage.insertBatch({ verifierResults: make.results(100) });
    const sink = start([{ storage: hot.storage }, { storage: warm.storage }]);
    await clock.settle();
    // a memory knows a boundary every 256 positions
    const { afterPosition, throughPosition } = hot.storage.coverage();
    expect(throughPosition).toBe(2_000n);
    expect(afterPosition).toBeGreaterThan(1_200n);
    expect(afterPosition).toBeLessThanOrEqual(1_600n);
    expect((await sink.countCCVData({})).count).toBe(2_000);
    expect((await sink.queryCCVData({ limit: 5, offset: 1_990 })).items).toHaveLength(5);
  });

  test('memory that fell far behind starts anew at its window', async () => {
    const { clock, warm, hot, make, start } = setUp({ memory: { maxSize: 400 }, options: { pageSize: 50 } });
    const sink = start([{ storage: hot.storage }, { storage: warm.storage }]);
    await clock.settle();
    hot.fail(['apply']);
    for (let i = 0; i < 20; i += 1) await sink.insertBatch({ verifierResults: make.results(100) });
    const before = hot.calls('apply');
    hot.heal();
    await clock.advance(5_000);
    const { afterPosition, throughPosition } = hot.storage.coverage();
    expect(throughPosition).toBe(2_000n);
    expect(afterPosition).toBeGreaterThan(1_200n);
    expect(hot.calls('apply') - before).toBeLessThan(60);
    expect((await sink.countCCVData({})).count).toBe(2_000);
  });

  test('closing tells those who write and wait, and leaves no timer', async () => {
    const { clock, warm, second, make, start } = setUp();
    const sink = start([{ storage: warm.storage }, { storage: second.storage }]);
    await clock.settle();
    second.fail(['apply']);
    await sink.insertBatch({ verifierResults: make.results(1) }).catch(() => undefined);
    await sink.close();
    expect(clock.pending).toBe(0);
    await expect(sink.insertBatch({})).rejects.toMatchObject({ name: 'ClosedError' });
    await expect(sink.queryMessages({})).rejects.toMatchObject({ name: 'ClosedError' });
    expect(await sink.health()).toMatchObject({ healthy: false });
  });

  test('explain is plain data and says why the others do not answer', async () => {
    const { clock, warm, hot, second, make, start } = setUp({ memory: { maxSize: 4 } });
    for (let i = 0; i < 8; i += 1) await warm.storage.insertBatch({ verifierResults: make.results(1) });
    const sink = start([
      { storage: hot.storage },
      { storage: second.storage, condition: neverRead(), required: false },
      { storage: warm.storage },
    ]);
    await clock.settle();
    const explanation = JSON.parse(JSON.stringify(sink.explain({}))) as ReturnType<Sink['explain']>;
    expect(explanation.slices).toMatchObject([
      {
        startMs: 0,
        backend: 'warm',
        condition: 'always',
        coverage: { throughMs: null, throughPosition: '8' },
        others: [
          { backend: 'hot', why: expect.stringMatching(/^complete only for times above \d+ through now$/) },
          { backend: 'second', why: 'condition never' },
        ],
      },
      { endMs: null, backend: 'hot', others: [{ backend: 'second' }, { backend: 'warm', why: 'later in order' }] },
    ]);
  });
});
