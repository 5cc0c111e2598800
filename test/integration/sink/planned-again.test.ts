import { afterEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { neverRead, olderRead, recentRead } from '../../../src/model/read-conditions.js';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import type { SinkOptions } from '../../../src/sink/sink-options.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createManualClock, type ManualClock } from '../../support/manual-clock.js';
import { createRecordMaker } from '../../support/records.js';
import { createFaultyStorage } from '../../support/sink/faulty-storage.js';
import { createLaggingStorage } from '../../support/sink/lagging-storage.js';

/** On a manual clock; the leader is a memory that counts as durable. */
describe('a part that is planned again', () => {
  const open: { sink: Sink; clock: ManualClock }[] = [];
  afterEach(async () => {
    for (const { sink, clock } of open.splice(0)) {
      await sink.close();
      expect(clock.pending).toBe(0);
    }
  });

  function setUp() {
    const clock = createManualClock();
    const common = createCommon({ clock, random: () => 0.5 });
    const memory = (name: string) => createMemoryStorage({ name, common, maxStalenessMs: 250 });
    const hot = createFaultyStorage(memory('hot'));
    const warm = createFaultyStorage(memory('warm'), { durable: true });
    const start = async (backends: SinkOptions['backends']) => {
      const sink = createSink({ common, retry: { baseMs: 100, maxMs: 800 }, backends });
      open.push({ sink, clock });
      await sink.started();
      return sink;
    };
    return { clock, memory, hot, warm, make: createRecordMaker(17), start };
  }

  test('promise 3: is answered by a memory that has caught up while the part before it was read', async () => {
    const { clock, hot, warm, make, start } = setUp();
    const sink = await start([
      { storage: hot.storage, condition: recentRead(1_000) },
      { storage: warm.storage, condition: olderRead(1_001) },
    ]);
    await sink.insertBatch({ verifierResults: make.results(2) });
    await clock.advance(2_000);
    await sink.insertBatch({ verifierResults: make.results(3) });
    warm.fail(['changesAfter']);
    await clock.advance(400);
    expect(sink.explain({}).slices.map(({ backend }) => backend)).toEqual(['warm', 'hot', null]);
    warm.before('list', async () => {
      warm.heal();
      await clock.advance(900);
    });
    expect((await sink.queryCCVData({})).items).toHaveLength(5);
  });

  test('promise 3: is answered by a memory that has caught up while another tier could not look', async () => {
    const { clock, hot, warm, make, start } = setUp();
    const cold = createFaultyStorage(createLaggingStorage('cold').storage);
    const sink = await start([
      { storage: hot.storage, condition: recentRead(10_000) },
      { storage: warm.storage, condition: neverRead() },
      { storage: cold.storage, condition: neverRead(), tier: 'cold' },
    ]);
    await sink.insertBatch({ verifierResults: make.results(3) });
    warm.fail(['changesAfter']);
    await clock.advance(400);
    const startMs = clock.nowMs() - 5_000;
    expect(sink.explain({ startMs }).slices.map(({ backend }) => backend)).toEqual(['hot', null]);
    cold.before('refresh', async () => {
      warm.heal();
      await clock.advance(900);
      throw new StorageUnavailableError('cold', 'look (injected)');
    });
    expect((await sink.queryCCVData({ startMs })).items).toHaveLength(3);
    expect(cold.calls('refresh')).toBe(1);
  });

  test('promise 4: of backends that lastingly disagree the later state of a record is listed, after six attempts', async () => {
    const { clock, hot, warm, make, start } = setUp();
    const older = warm.storage;
    const list: typeof older.list = async (kind, query) => {
      const page = await older.list(kind, query);
      const [first] = (await older.list(kind, { ...query, startMs: 0, endMs: clock.nowMs(), offset: 0 })).items;
      return first ? { ...page, items: [{ ...first, ingestionMs: clock.nowMs() - 500 }, ...page.items] } : page;
    };
    const disagreeing = new Proxy(hot.storage, {
      get: (target, name) => (name === 'list' ? list : Reflect.get(target, name, target)),
    });
    const sink = await start([
      { storage: disagreeing, condition: recentRead(1_000) },
      { storage: warm.storage, condition: olderRead(1_001) },
    ]);
    const results = make.results(2);
    for (const result of results) {
      await sink.insertBatch({ verifierResults: [result] });
      await clock.advance(2_000);
    }
    await sink.insertBatch({ verifierResults: make.results(1) });
    const ids = (await sink.queryCCVData({})).items.map(({ messageId }) => messageId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(3);
    expect(warm.calls('list')).toBe(6 * 3);
  });

  test('promise 3: a lookup asks a backend that failed once more, after a memory that was late has caught up', async () => {
    const { clock, hot, warm, make, start } = setUp();
    const sink = await start([{ storage: hot.storage }, { storage: warm.storage }]);
    const [result] = make.results(1);
    await sink.insertBatch({ verifierResults: [result!] });
    const release = warm.hold('changesAfter');
    await clock.advance(400);
    hot.fail(['getCCVData']);
    warm.before('getCCVData', () => {
      if (warm.calls('getCCVData') === 1) throw new StorageUnavailableError('warm', 'answer (injected)');
    });
    const asking = sink.getCCVData(result!.messageId);
    await clock.settle();
    release();
    expect(await asking).toHaveLength(1);
    expect(warm.calls('getCCVData')).toBe(2);
  });
});
