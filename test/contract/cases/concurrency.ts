import { setImmediate as letOthersRun } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { StoredVerifierResult } from '../../../src/model/records.js';
import { insertCCVData } from '../../../src/storage/insert-ccv-data.js';
import { createRecordMaker } from '../../support/records.js';
import { plain, type Use } from '../subject.js';

const WRITERS = 4;
const BATCHES = 15;
const BATCH_SIZE = 6;
const TOTAL = WRITERS * BATCHES * BATCH_SIZE;

export function concurrencyCases(use: Use): void {
  /** Writers that store TOTAL results, some of them twice. */
  function startWriters(): { done: Promise<unknown>; running(): boolean } {
    const { storage } = use();
    const make = createRecordMaker(30);
    let running = true;
    const done = Promise.all(
      Array.from({ length: WRITERS }, async () => {
        for (let batch = 0; batch < BATCHES; batch += 1) {
          const verifierResults = make.results(BATCH_SIZE);
          await storage.insertBatch({ verifierResults });
          if (batch % 4 === 0) await storage.insertBatch({ verifierResults });
        }
      }),
    ).finally(() => {
      running = false;
    });
    // when a test fails first, what becomes of its writers is not news
    void Promise.allSettled([done]);
    return { done, running: () => running };
  }

  test('promise 5: a reader that polls by time while others write misses nothing and sees nothing twice', async () => {
    const { storage } = use();
    const writers = startWriters();
    const seen: StoredVerifierResult[] = [];
    for (let last = false; !last; ) {
      // a reader that is answered from memory never waits, and would keep the writers' sockets from being read
      await letOthersRun();
      last = !writers.running();
      const startMs = (seen.at(-1)?.ingestionMs ?? -1) + 1;
      let cursor: string | null = null;
      do {
        const page = await storage.queryCCVData({ startMs, limit: 50, ...(cursor === null ? {} : { cursor }) });
        seen.push(...page.items);
        cursor = page.nextCursor;
      } while (cursor !== null);
    }
    await writers.done;
    const { items } = await storage.queryCCVData({ limit: 10_000 });
    expect(seen.length).toBe(TOTAL);
    expect(plain(seen)).toEqual(plain(items));
  });

  test('promise 6: a follower that reads by position while others write sees every change once, in order', async () => {
    const { storage } = use();
    const writers = startWriters();
    const positions: bigint[] = [];
    let after = 0n;
    for (let last = false; !last; ) {
      await letOthersRun();
      last = !writers.running();
      for (;;) {
        const set = await storage.changesAfter(after, 40);
        positions.push(...set.changes.map((change) => change.position));
        after = set.throughPosition;
        if (set.throughPosition === set.headPosition) break;
      }
    }
    await writers.done;
    expect(positions).toEqual(Array.from({ length: TOTAL }, (_, i) => BigInt(i + 1)));
  });

  test('once a write resolved, every read sees it', async () => {
    const { storage } = use();
    const make = createRecordMaker(31);
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        const message = make.message();
        const result = make.result(message);
        const { committed } = await storage.insertBatch({ messages: [message], verifierResults: [result] });
        const { ingestionMs } = committed!;
        expect(await storage.getCCVData(message.messageId)).toHaveLength(1);
        expect((await storage.getMessage(message.messageId)).ingestionMs).toBe(ingestionMs);
        const page = await storage.queryMessages({ startMs: ingestionMs, endMs: ingestionMs });
        expect(page.items.map((item) => item.messageId)).toContain(message.messageId);
        expect(page.asOf.position).toBeGreaterThanOrEqual(committed!.throughPosition);
      }),
    );
  });

  test('while others write, a list is whole commits without a hole, and nothing up to its position is missing', async () => {
    const { storage } = use();
    const writers = startWriters();
    for (let last = false; !last; ) {
      await letOthersRun();
      last = !writers.running();
      const { items, asOf } = await storage.queryCCVData({ limit: 10_000 });
      expect(items.findIndex(({ position }, i) => position !== BigInt(i + 1))).toBe(-1);
      expect(items.length % BATCH_SIZE).toBe(0);
      expect(BigInt(items.length)).toBeGreaterThanOrEqual(asOf.position);
      const { count, asOf: counted } = await storage.countCCVData({});
      expect(BigInt(count)).toBeGreaterThanOrEqual(counted.position);
    }
    await writers.done;
  });

  test('closed while writing: what resolved is stored, the rest is rejected', async () => {
    const { storage, reopen } = use();
    const make = createRecordMaker(32);
    const told = new Set<string>();
    storage.subscribe((event) => {
      if (event.kind !== 'committed') return;
      for (const change of event.changes.changes)
        if (change.kind === 'verifierResult') told.add(change.record.messageId);
    });
    const batches = Array.from({ length: 30 }, () => make.results(5));
    const writes = batches.slice(0, 20).map((verifierResults) => storage.insertBatch({ verifierResults }));
    const settled = Promise.allSettled(writes);
    await writes[0];
    const closing = storage.close();
    const late = Promise.allSettled(
      batches.slice(20).map((verifierResults) => storage.insertBatch({ verifierResults })),
    );
    const outcomes = await settled;
    await closing;
    for (const outcome of await late)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'ClosedError' } });
    const again = await reopen?.();
    const isStored = async (messageId: `0x${string}`) =>
      again ? (await again.getCCVData(messageId)).length === 1 : told.has(messageId);
    for (const [i, outcome] of outcomes.entries())
      if (outcome.status === 'fulfilled')
        for (const { messageId } of batches[i]!) expect(await isStored(messageId)).toBe(true);
    expect(outcomes[0]!.status).toBe('fulfilled');
    await again?.close();
  });

  test('a closed storage says so, and closing twice is fine', async () => {
    const { storage } = use();
    const [result] = createRecordMaker(33).results(1);
    await insertCCVData(storage, result!);
    expect(await storage.health()).toEqual({ healthy: true, reason: null });
    await Promise.all([storage.close(), storage.close()]);
    await storage.close();
    const closed = { name: 'ClosedError' };
    await expect(storage.getCCVData(result!.messageId)).rejects.toMatchObject(closed);
    await expect(storage.queryCCVData({})).rejects.toMatchObject(closed);
    await expect(storage.insertBatch({ verifierResults: [result!] })).rejects.toMatchObject(closed);
    await expect(storage.changesAfter(0n)).rejects.toMatchObject(closed);
    expect((await storage.health()).healthy).toBe(false);
  });
}
