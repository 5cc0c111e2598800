import { afterEach, describe, expect, test } from 'vitest';
import type { PartialFailure } from '../../../src/sink/sink-options.js';
import { everything, plain } from '../../contract/subject.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';
import { metricOf, openTiers, type Tiers } from '../../support/sink/sink-tiers.js';

/** How the tier stores that came before this one broke. */
describe('old failures of tiered storage', () => {
  let tiers: Tiers | undefined;
  afterEach(async () => {
    await tiers?.close();
    tiers = undefined;
  });

  /** Tiers over a database that was filled before memory existed: memory's window begins behind most of it. */
  async function openOverHistory(count: number, kept: number) {
    const database = await createTestDatabase();
    const make = createRecordMaker(count);
    const before = await openTiers({ database });
    const results = [];
    for (let i = 0; i < count; i += 1) {
      const message = make.message({ ccvs: [make.hex(20), make.hex(20), make.hex(20)] });
      const result = make.result(message);
      results.push(result);
      await before.sink.insertBatch({ messages: [message], verifierResults: [result] });
    }
    await before.close();
    const opened = await openTiers({ database, memory: { maxSize: 2 * kept } });
    tiers = {
      ...opened,
      close: async () => {
        await opened.close();
        await database.drop();
      },
    };
    await eventually('memory is warm', () => tiers!.hot.storage.coverage().throughPosition === BigInt(2 * count));
    return { tiers, results, make };
  }

  test('the first tier with no error won, so an empty cache answered "nothing"', async () => {
    const { tiers, results } = await openOverHistory(10, 3);
    const old = results[0]!;
    expect(await tiers.sink.getCCVData(old.messageId)).toHaveLength(1);
    expect((await tiers.sink.getMessage(old.messageId)).messageId).toBe(old.messageId);
    expect((await tiers.sink.queryCCVData({})).items).toHaveLength(10);
    expect((await tiers.sink.countMessages({})).count).toBe(10);
  });

  test('an empty cache does not answer before it was warmed either', async () => {
    const database = await createTestDatabase();
    const first = await openTiers({ database });
    const [result] = createRecordMaker(2).results(1);
    await first.sink.insertBatch({ verifierResults: [result!] });
    await first.close();
    const second = await openTiers({ database });
    const release = second.warm.hold('changesAfter');
    expect(await second.sink.getCCVData(result!.messageId)).toHaveLength(1);
    expect((await second.sink.queryCCVData({})).items).toHaveLength(1);
    release();
    await second.close();
    await database.drop();
  });

  test('the first non-empty tier won, so a range across a boundary was cut', async () => {
    const { tiers, results } = await openOverHistory(12, 4);
    const { slices } = tiers.sink.explain({});
    expect(slices.map(({ backend }) => backend)).toEqual(['warm', 'hot']);
    const page = await tiers.sink.queryCCVData({});
    expect(page.items.map(({ messageId }) => messageId)).toEqual(results.map(({ messageId }) => messageId));
    expect(page.nextCursor).toBeNull();
    expect(await metricOf(tiers.common, 'indexer_sink_queries_total', { shape: 'mixed' })).toBeGreaterThan(0);
  });

  test('promise 4: offset was applied per tier', async () => {
    const { tiers, results } = await openOverHistory(12, 4);
    const ids = results.map(({ messageId }) => messageId);
    for (let offset = 0; offset <= 13; offset += 1)
      for (const limit of [1, 3, 8, 20]) {
        const page = await tiers.sink.queryCCVData({ offset, limit });
        expect(page.items.map(({ messageId }) => messageId)).toEqual(ids.slice(offset, offset + limit));
        expect(page.nextCursor === null).toBe(offset + limit >= ids.length);
      }
  });

  test('a cursor goes on across the boundary, also one that was made by another tier', async () => {
    const { tiers, results } = await openOverHistory(12, 4);
    for (const limit of [1, 4, 5, 7]) {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const query: { limit: number; cursor?: string } = { limit, ...(cursor === null ? {} : { cursor }) };
        const [page, alone] = [await tiers.sink.queryCCVData(query), await tiers.warm.storage.queryCCVData(query)];
        expect(plain(page.items)).toEqual(plain(alone.items));
        expect(page.nextCursor).toBe(alone.nextCursor);
        seen.push(...page.items.map(({ messageId }) => messageId));
        cursor = page.nextCursor;
      } while (cursor !== null);
      expect(seen).toEqual(results.map(({ messageId }) => messageId));
    }
  });

  test('a per-record eviction let a lookup return two of three verifications', async () => {
    tiers = await openTiers({ memory: { maxSize: 3, cleanupIntervalMs: 1 } });
    const { sink, hot } = tiers;
    const make = createRecordMaker(3);
    const message = make.message({ ccvs: [make.hex(20), make.hex(20), make.hex(20)] });
    for (const ccv of [0, 1, 2]) {
      await sink.insertBatch({ verifierResults: [make.result(message, ccv)] });
      await sink.insertBatch({ verifierResults: make.results(1) });
    }
    await eventually('the first of three is evicted', () => hot.storage.coverage().afterMs > 0);
    await expect(hot.storage.getCCVData(message.messageId)).rejects.toMatchObject({ name: 'CoverageGapError' });
    expect(await sink.getCCVData(message.messageId)).toHaveLength(3);
  });

  test('memory was written before Postgres, so readers saw what was never stored', async () => {
    tiers = await openTiers();
    const { sink, hot, warm } = tiers;
    const [kept, lost] = createRecordMaker(4).results(2);
    await sink.insertBatch({ verifierResults: [kept!] });
    warm.fail(['insertBatch']);
    await expect(sink.insertBatch({ verifierResults: [lost!] })).rejects.toMatchObject({
      name: 'SinkWriteError',
      retryable: true,
      committed: false,
      succeeded: [],
    });
    expect((await hot.storage.queryCCVData({})).items).toHaveLength(1);
    await expect(sink.getCCVData(lost!.messageId)).rejects.toMatchObject({ name: 'CCVDataNotFoundError' });
    warm.heal();
    await sink.insertBatch({ verifierResults: [lost!] });
    expect(await hot.storage.getCCVData(lost!.messageId)).toHaveLength(1);
  });

  test('out-of-order inserts left secondary indexes pointing at other rows', async () => {
    tiers = await openTiers();
    const { sink, hot, warm } = tiers;
    const make = createRecordMaker(5);
    const lanes = [
      { sourceChainSelector: SELECTORS.low, destChainSelector: SELECTORS.high },
      { sourceChainSelector: SELECTORS.high, destChainSelector: SELECTORS.max },
    ];
    const batches = Array.from({ length: 40 }, (_, i) => make.results(3, lanes[i % 2]!));
    await Promise.all(batches.map((verifierResults) => sink.insertBatch({ verifierResults })));
    for (const { sourceChainSelector, destChainSelector } of lanes)
      for (const query of [
        { sourceChainSelectors: [sourceChainSelector], limit: 200 },
        { destChainSelectors: [destChainSelector], limit: 200 },
      ]) {
        const [a, b] = [await hot.storage.queryCCVData(query), await warm.storage.queryCCVData(query)];
        expect(a.items).toHaveLength(60);
        expect(plain(a.items)).toEqual(plain(b.items));
      }
  });

  test('one kind of record was never evicted', async () => {
    tiers = await openTiers({ memory: { maxSize: 6, cleanupIntervalMs: 1 } });
    const { sink, hot } = tiers;
    const make = createRecordMaker(6);
    for (let i = 0; i < 20; i += 1) {
      const message = make.message();
      await sink.insertBatch({ messages: [message], verifierResults: [make.result(message)] });
    }
    const held = async () => {
      const { afterMs } = hot.storage.coverage();
      const query = { startMs: afterMs + 1 };
      return [(await hot.storage.countMessages(query)).count, (await hot.storage.countCCVData(query)).count];
    };
    await eventually('both kinds are evicted', async () => JSON.stringify(await held()) === '[3,3]');
    expect((await sink.countMessages({})).count).toBe(20);
    expect((await sink.countCCVData({})).count).toBe(20);
  });

  test('a partial failure was a sentence in an error, and nothing repaired it', async () => {
    const failures: PartialFailure[] = [];
    tiers = await openTiers({ options: { onPartialFailure: (failure) => failures.push(failure) } });
    const { sink, hot, warm, common } = tiers;
    const make = createRecordMaker(7);
    hot.fail(['apply']);
    for (let i = 0; i < 3; i += 1) await sink.insertBatch({ verifierResults: make.results(2) });
    expect(failures.map(({ backend }) => backend)).toEqual(['hot', 'hot', 'hot']);
    expect(await metricOf(common, 'indexer_sink_partial_failures_total', { backend: 'hot' })).toBe(3);
    const [status] = await sink.status();
    expect(status).toMatchObject({ name: 'hot', role: 'follower', repairing: true });
    expect(status!.lastError).toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    expect(status!.lag).toMatchObject({ positions: '6' });
    expect((await sink.queryCCVData({})).items).toHaveLength(6);
    hot.heal();
    await eventually('memory is repaired', () => hot.storage.coverage().throughPosition === 6n);
    expect(await everything(hot.storage)).toEqual(await everything(warm.storage));
    const [healed] = await sink.status();
    expect(healed).toMatchObject({
      state: 'current',
      repairing: false,
      lastError: null,
      lag: { positions: '0', ms: 0 },
    });
  });
});
