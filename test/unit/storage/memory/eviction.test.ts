import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../../src/core/common.js';
import { createMemoryStorage, type MemoryStorage } from '../../../../src/storage/memory/memory-storage.js';
import { createManualClock, type ManualClock } from '../../../support/manual-clock.js';
import { createRecordMaker, SELECTORS } from '../../../support/records.js';

const CLEANUP_MS = 10_000;
const NOT_COVERED = { name: 'CoverageGapError' };

describe('eviction', () => {
  const make = createRecordMaker(40);
  let clock: ManualClock;
  let storage: MemoryStorage;
  beforeEach(() => {
    clock = createManualClock();
  });
  afterEach(async () => {
    await storage.close();
    expect(clock.pending).toBe(0);
  });

  const open = (options: { ttlMs?: number; maxSize?: number; maxBytes?: number }) => {
    const common = createCommon({ clock });
    storage = createMemoryStorage({ name: 'hot', cleanupIntervalMs: CLEANUP_MS, ...options, common });
    return common;
  };
  /** One message with one result, committed `afterMs` after the one before. */
  const store = async (afterMs = 100) => {
    await clock.advance(afterMs);
    const message = make.message();
    const outcome = await storage.insertBatch({ messages: [message], verifierResults: [make.result(message)] });
    return { message, ms: outcome.committed!.ingestionMs };
  };
  const sizes = async (startMs: number) => [
    (await storage.countMessages({ startMs })).count,
    (await storage.countCCVData({ startMs })).count,
  ];

  test('promise 8: by age: both kinds go at the next cleanup, and coverage says so', async () => {
    open({ ttlMs: 5000 });
    const old = await store();
    const young = await store(6000);
    expect(await sizes(0)).toEqual([2, 2]);
    await clock.advance(CLEANUP_MS - 6100 - 100);
    expect(storage.coverage().afterMs).toBe(-1);
    await clock.advance(200);
    expect(storage.coverage()).toMatchObject({
      afterMs: old.ms,
      throughMs: Number.POSITIVE_INFINITY,
      afterPosition: 2n,
      throughPosition: 4n,
    });
    expect(await sizes(old.ms + 1)).toEqual([1, 1]);
    for (const startMs of [0, old.ms]) {
      await expect(storage.queryCCVData({ startMs })).rejects.toMatchObject(NOT_COVERED);
      await expect(storage.countMessages({ startMs, endMs: old.ms })).rejects.toMatchObject({
        gap: { kind: 'time', startMs, endMs: old.ms },
      });
    }
    await expect(storage.getCCVData(old.message.messageId)).rejects.toMatchObject(NOT_COVERED);
    await expect(storage.getMessage(old.message.messageId)).rejects.toMatchObject(NOT_COVERED);
    expect(await storage.getCCVData(young.message.messageId)).toHaveLength(1);
    expect(await storage.getMessage(young.message.messageId)).toMatchObject({ ingestionMs: young.ms });
  });

  test('a record of exactly the time to live stays', async () => {
    open({ ttlMs: CLEANUP_MS });
    await store(0);
    await clock.advance(CLEANUP_MS);
    expect(storage.coverage().afterMs).toBe(-1);
    await clock.advance(CLEANUP_MS);
    expect(storage.coverage().afterMs).toBeGreaterThan(0);
  });

  test('by size: the oldest go first, both kinds count, commits go whole', async () => {
    open({ maxSize: 5 });
    const stored = [await store(), await store(), await store(), await store()];
    await clock.advance(CLEANUP_MS);
    expect(storage.coverage().afterMs).toBe(stored[1]!.ms);
    expect(await sizes(stored[1]!.ms + 1)).toEqual([2, 2]);
  });

  test('by bytes: the oldest go as soon as it is too much, whatever their size, and coverage says so', async () => {
    open({ maxBytes: 100_000 });
    const small = [await store(), await store(), await store()];
    const large: number[] = [];
    for (let count = 0; count < 6; count += 1) {
      await clock.advance(100);
      const message = make.message({ dataBytes: 20_000 });
      large.push((await storage.insertBatch({ messages: [message] })).committed!.ingestionMs);
      await clock.advance(0);
    }
    const { afterMs } = storage.coverage();
    expect(afterMs).toBeGreaterThan(small.at(-1)!.ms);
    expect(large.filter((ms) => ms > afterMs)).toHaveLength(4);
    expect((await storage.queryMessages({ startMs: afterMs + 1 })).items).toHaveLength(4);
    await expect(storage.queryMessages({})).rejects.toMatchObject({ code: 'COVERAGE_GAP' });
  });

  test('by bytes, also while it catches up with a leader, in one step for what one set brings', async () => {
    let steps = 0;
    const after: ManualClock['after'] = (ms, fire) => {
      steps += 1;
      return clock.after(ms, fire);
    };
    const common = createCommon({ clock: { ...clock, after } });
    storage = createMemoryStorage({ name: 'hot', maxBytes: 100_000, common });
    const leader = createMemoryStorage({ name: 'leader', common: createCommon({ clock }) });
    for (let count = 0; count < 60; count += 1)
      await leader.insertBatch({ messages: [make.message({ dataBytes: 10_000 })] });
    storage.rebase({ position: 0n, ingestionMs: -1 });
    let mostBytes = 0;
    for (let at = 0n; at < 60n; ) {
      const set = await leader.changesAfter(at, 10);
      await storage.apply(set);
      await clock.advance(0);
      const told = /estimated_bytes\{backend="hot"\} (\d+)/.exec(await common.metrics.metrics())?.[1];
      mostBytes = Math.max(mostBytes, Number(told));
      at = set.throughPosition;
    }
    expect(mostBytes).toBeLessThanOrEqual(100_000);
    expect(steps).toBe(6);
    const { afterMs } = storage.coverage();
    const shown = await storage.queryMessages({ startMs: afterMs + 1 });
    expect(shown.items).toEqual((await leader.queryMessages({ startMs: afterMs + 1 })).items);
    expect(shown.items.length).toBeGreaterThan(5);
    await leader.close();
  });

  test('by age first, then by size among what is left', async () => {
    open({ ttlMs: 5000, maxSize: 2 });
    await store();
    const second = await store(6000);
    const third = await store();
    await clock.advance(CLEANUP_MS);
    expect(storage.coverage().afterMs).toBe(second.ms);
    expect(await sizes(second.ms + 1)).toEqual([1, 1]);
    expect(await storage.getMessage(third.message.messageId)).toBeDefined();
  });

  test('everything can go: then nothing is covered until something new comes', async () => {
    open({ ttlMs: 1000 });
    await store();
    const last = await store();
    await clock.advance(2 * CLEANUP_MS);
    expect(storage.coverage().afterMs).toBe(last.ms);
    expect(await sizes(last.ms + 1)).toEqual([0, 0]);
    const next = await store();
    expect(await sizes(last.ms + 1)).toEqual([1, 1]);
    expect(await storage.getCCVData(next.message.messageId)).toHaveLength(1);
  });

  test('a big eviction goes step by step, with true answers in between', async () => {
    open({ ttlMs: 1000 });
    for (let i = 0; i < 30; i += 1) {
      await clock.advance(1);
      await storage.insertBatch({ verifierResults: make.results(200) });
    }
    const last = storage.boundaryAt({ ms: clock.nowMs() });
    await clock.advance(CLEANUP_MS - 31);
    const seen: { afterMs: number; count: Promise<{ count: number }> }[] = [];
    const look = () => {
      const { afterMs } = storage.coverage();
      seen.push({ afterMs, count: storage.countCCVData({ startMs: afterMs + 1 }) });
      if (seen.length < 10) clock.after(0, look);
    };
    clock.after(1, look);
    await clock.advance(1);
    const lastMs = (await last).ingestionMs;
    expect(new Set(seen.map(({ afterMs }) => afterMs)).size).toBe(6);
    for (const { afterMs, count } of seen) expect((await count).count).toBe((lastMs - afterMs) * 200);
    expect(seen.at(-1)!.afterMs).toBe(lastMs);
  });

  test('of three verifications never two are answered: one that outlived its siblings is a gap', async () => {
    open({ ttlMs: 5000 });
    const message = make.message({ ccvs: [make.hex(20), make.hex(20), make.hex(20)] });
    await storage.insertBatch({ messages: [message], verifierResults: [make.result(message, 0)] });
    await clock.advance(6000);
    await storage.insertBatch({ verifierResults: [make.result(message, 1), make.result(message, 2)] });
    expect(await storage.getCCVData(message.messageId)).toHaveLength(3);
    await clock.advance(4000);
    await expect(storage.getCCVData(message.messageId)).rejects.toMatchObject({
      gap: { kind: 'messageId', messageId: message.messageId },
    });
  });

  test('a late verification of a message that was forgotten does not look like the only one', async () => {
    open({ ttlMs: 5000 });
    const message = make.message({ ccvs: [make.hex(20), make.hex(20)] });
    await storage.insertBatch({ verifierResults: [make.result(message, 0)] });
    await clock.advance(2 * CLEANUP_MS);
    await storage.insertBatch({ verifierResults: [make.result(message, 1)] });
    await expect(storage.getCCVData(message.messageId)).rejects.toMatchObject(NOT_COVERED);
    const unknown = make.message();
    await storage.insertBatch({ verifierResults: [make.result(unknown)] });
    expect(await storage.getCCVData(unknown.messageId)).toHaveLength(1);
  });

  test('every index forgets: filters, unfinished messages, blocks, positions, orphaned ones, quarantine, conflicts', async () => {
    open({ ttlMs: 5000 });
    const [message, gone] = [make.message(), make.message()];
    const result = make.result(message);
    await storage.insertBatch({
      messages: [message, gone],
      verifierResults: [result, { ...result, ccvData: make.bytes(8) }],
      quarantine: [{ sourceId: 's', key: 'k', reason: 'R', detail: '', raw: make.bytes(4), messageId: null }],
    });
    await storage.insertBatch({ orphanings: [{ messageId: gone.messageId, blockHash: gone.origin!.blockHash }] });
    const last = await storage.insertBatch({ statuses: [{ messageId: message.messageId, status: 'timeout' }] });
    await clock.advance(2 * CLEANUP_MS);
    const { afterMs, afterPosition } = storage.coverage();
    expect(afterPosition).toBe(last.committed!.throughPosition);
    const startMs = afterMs + 1;
    expect((await storage.queryMessages({ startMs, sourceChainSelectors: [SELECTORS.low] })).items).toEqual([]);
    expect((await storage.changesAfter(afterPosition)).changes).toEqual([]);
    await expect(storage.changesAfter(afterPosition - 1n)).rejects.toMatchObject({ gap: { kind: 'position' } });
    await expect(storage.queryUnfinishedMessages({ limit: 9 })).rejects.toMatchObject(NOT_COVERED);
    await expect(storage.messagesAboveBlock(SELECTORS.low, 0n)).rejects.toMatchObject(NOT_COVERED);
    await expect(storage.queryQuarantine({ afterPosition: 0n, limit: 9 })).rejects.toMatchObject(NOT_COVERED);
    expect(await storage.queryQuarantine({ afterPosition, limit: 9 })).toEqual([]);
    expect(await storage.queryConflicts({ afterPosition, limit: 9 })).toEqual([]);
    await expect(storage.boundaryAt({ position: 1n })).rejects.toMatchObject(NOT_COVERED);
    expect(await storage.boundaryAt({ position: afterPosition })).toMatchObject({ position: afterPosition });
  });

  test('cursors are never evicted', async () => {
    open({ ttlMs: 1000 });
    await storage.insertBatch({ cursors: [{ sourceId: 's', height: 7n, hash: null, expectedHeight: null }] });
    await store();
    await clock.advance(2 * CLEANUP_MS);
    expect(await storage.getCursor('s')).toMatchObject({ height: 7n });
    expect(await storage.listCursors()).toHaveLength(1);
  });

  test('a page that continues behind what was evicted is still answered', async () => {
    open({ maxSize: 20 });
    for (let i = 0; i < 20; i += 1) await store();
    const first = await storage.queryMessages({ limit: 15 });
    await clock.advance(CLEANUP_MS);
    const rest = await storage.queryMessages({ cursor: first.nextCursor! });
    expect(rest.items).toHaveLength(5);
  });

  test.each([{ ttlMs: 5000 }, { maxSize: 10 }])(
    'quarantined input and conflicts alone do not stay for ever: %j',
    async (limit) => {
      const { metrics } = open(limit);
      const first = make.result(make.message());
      await storage.insertBatch({ verifierResults: [first] });
      for (let i = 0; i < 30; i += 1) {
        await clock.advance(1);
        const raw = new Uint8Array(1000);
        await storage.insertBatch({
          verifierResults: [{ ...first, ccvData: Uint8Array.of(i) }],
          quarantine: [{ sourceId: 'chain:1', key: `${i}`, reason: 'shape', detail: '', raw, messageId: null }],
        });
      }
      await clock.advance(2 * CLEANUP_MS);
      const afterPosition = storage.coverage().afterPosition;
      const kept = [
        ...(await storage.queryQuarantine({ afterPosition, limit: 100 })),
        ...(await storage.queryConflicts({ afterPosition, limit: 100 })),
      ];
      expect(kept).toHaveLength(limit.maxSize ?? 0);
      const bytes = /estimated_bytes\{backend="hot"\} (\d+)/.exec(await metrics.metrics())?.[1];
      expect(Number(bytes)).toBe(kept.length * 900 + (kept.length / 2) * 1000);
    },
  );

  test('far above its size a storage does not wait for the cleanup', async () => {
    open({ maxSize: 100 });
    for (let i = 0; i < 11; i += 1) {
      await clock.advance(1);
      await storage.insertBatch({ verifierResults: make.results(1000) });
    }
    await clock.advance(100);
    expect((await storage.countCCVData({ startMs: storage.coverage().afterMs + 1 })).count).toBe(0);
  });

  test('the window and the metrics tell what is held', async () => {
    const { metrics } = open({ ttlMs: 5000, maxSize: 50 });
    expect(storage.window()).toEqual({ sinceMs: clock.nowMs() - 5000, maxRecords: 50 });
    await store();
    await store(6000);
    const text = async () => await metrics.metrics();
    expect(await text()).toContain('indexer_memory_records{backend="hot",kind="message"} 2');
    await clock.advance(CLEANUP_MS - 6000);
    expect(await text()).toContain('indexer_memory_records{backend="hot",kind="verifier_result"} 1');
    expect(await text()).toContain('indexer_memory_evicted_records_total{backend="hot",kind="message"} 1');
    expect(await text()).toMatch(/indexer_memory_oldest_age_seconds\{backend="hot"\} 3\.9/);
  });

  test('without limits there is no timer and an unlimited window', () => {
    open({});
    expect(clock.pending).toBe(0);
    expect(storage.window()).toEqual({ sinceMs: 0, maxRecords: Number.POSITIVE_INFINITY });
  });

  test.each([{ ttlMs: -1 }, { maxSize: Number.NaN }, { cleanupIntervalMs: 0 }, { ttlMs: Number.POSITIVE_INFINITY }])(
    'refuses %j',
    (options) => {
      open({});
      expect(() => createMemoryStorage({ name: 'hot', ...options })).toThrow(/of memory storage hot is/);
    },
  );
});
