import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../../src/core/common.js';
import type { ChangeSet } from '../../../../src/model/batch.js';
import { insertCCVData } from '../../../../src/storage/insert-ccv-data.js';
import { createMemoryStorage, type MemoryStorage } from '../../../../src/storage/memory/memory-storage.js';
import { createManualClock, type ManualClock } from '../../../support/manual-clock.js';
import { createRecordMaker } from '../../../support/records.js';

const NOT_COVERED = { name: 'CoverageGapError' };
const STALE_MS = 1000;

describe('a memory that follows', () => {
  const make = createRecordMaker(50);
  let clock: ManualClock;
  let origin: MemoryStorage;
  let hot: MemoryStorage;
  beforeEach(() => {
    clock = createManualClock();
    const common = createCommon({ clock });
    origin = createMemoryStorage({ name: 'origin', common });
    hot = createMemoryStorage({
      name: 'hot',
      ttlMs: 60_000,
      cleanupIntervalMs: 10_000,
      maxStalenessMs: STALE_MS,
      common,
    });
  });
  afterEach(async () => {
    await origin.close();
    await hot.close();
    expect(clock.pending).toBe(0);
  });

  const store = async () => {
    await clock.advance(10);
    const message = make.message();
    const { committed } = await origin.insertBatch({ messages: [message], verifierResults: [make.result(message)] });
    return { message, messageId: message.messageId, ms: committed!.ingestionMs };
  };
  const follow = async () => await hot.apply(await origin.changesAfter(hot.coverage().throughPosition));

  test('refuses to be written to', async () => {
    await follow();
    await expect(hot.insertBatch({ messages: [make.message()] })).rejects.toMatchObject({ code: 'FOLLOWER_WRITE' });
    const rebased = createMemoryStorage({ name: 'rebased' });
    rebased.rebase({ position: 9n, ingestionMs: 9 });
    await expect(insertCCVData(rebased, make.results(1)[0]!)).rejects.toMatchObject({ code: 'FOLLOWER_WRITE' });
    await rebased.close();
  });

  test('one that has committed by itself refuses to follow, until it is rebased', async () => {
    await store();
    const own = createMemoryStorage({ name: 'own' });
    await own.insertBatch({ messages: [make.message()] });
    await expect(own.apply(await origin.changesAfter(0n))).rejects.toMatchObject({ code: 'PRIMARY_FOLLOW' });
    own.rebase({ position: 0n, ingestionMs: -1 });
    await own.apply(await origin.changesAfter(0n));
    expect(own.coverage().throughPosition).toBe(2n);
    await own.close();
  });

  test('answers nothing between the pages of a snapshot, and everything after the last', async () => {
    const { messageId, ms } = await store();
    await store();
    await hot.apply(await origin.changesAfter(0n, 3));
    expect(hot.coverage()).toMatchObject({ afterMs: Number.POSITIVE_INFINITY, throughPosition: 3n });
    for (const read of [
      hot.queryCCVData({ startMs: ms, endMs: ms }),
      hot.countMessages({ endMs: 5 }),
      hot.getCCVData(messageId),
      hot.getMessage(messageId),
      hot.changesAfter(3n),
      hot.getCursor('s'),
      hot.boundaryAt({ ms }),
    ])
      await expect(read).rejects.toMatchObject(NOT_COVERED);
    await hot.apply(await origin.changesAfter(3n, 3));
    expect((await hot.queryMessages({})).items).toHaveLength(2);
    expect(await hot.getCCVData(messageId)).toHaveLength(1);
  });

  test('a record that changed again behind the page is not missed: only the head makes it whole', async () => {
    const { message, messageId } = await store();
    const firstPage = await origin.changesAfter(0n, 1);
    await hot.apply(firstPage);
    await origin.insertBatch({ statuses: [{ messageId, status: 'timeout' }] });
    const secondPage = await origin.changesAfter(1n, 1);
    expect(secondPage.throughPosition).toBeLessThan(secondPage.headPosition);
    await hot.apply(secondPage);
    await expect(hot.queryMessages({})).rejects.toMatchObject(NOT_COVERED);
    await follow();
    expect(await hot.getMessage(message.messageId)).toMatchObject({ status: 'timeout' });
  });

  test('answers for the present only while it was lately confirmed, and for closed ranges always', async () => {
    const { messageId, ms } = await store();
    await follow();
    expect(hot.coverage().throughMs).toBe(Number.POSITIVE_INFINITY);
    await clock.advance(STALE_MS);
    expect((await hot.queryCCVData({})).items).toHaveLength(1);
    await clock.advance(1);
    expect(hot.coverage().throughMs).toBe(ms);
    expect((await hot.queryCCVData({ endMs: ms })).items).toHaveLength(1);
    await expect(hot.queryCCVData({ endMs: ms + 1 })).rejects.toMatchObject({
      gap: { kind: 'time', startMs: ms + 1, endMs: ms + 1 },
    });
    for (const read of [
      hot.queryCCVData({}),
      hot.getCCVData(messageId),
      hot.getMessage(messageId),
      hot.getCursor('s'),
      hot.listCursors(),
      hot.queryUnfinishedMessages({ limit: 1 }),
      hot.queryQuarantine({ afterPosition: 0n, limit: 1 }),
    ])
      await expect(read).rejects.toMatchObject(NOT_COVERED);
    await follow();
    expect((await hot.queryCCVData({})).items).toHaveLength(1);
  });

  test('an empty set that was read long ago confirms nothing new', async () => {
    await store();
    await follow();
    const stale = await origin.changesAfter(2n);
    await clock.advance(STALE_MS + 1);
    await hot.apply(stale);
    await expect(hot.queryCCVData({})).rejects.toMatchObject(NOT_COVERED);
  });

  test('changes arriving out of order: a gap is refused, what is known already is passed over', async () => {
    await store();
    const early = await origin.changesAfter(0n);
    const { messageId } = await store();
    const late = await origin.changesAfter(2n);
    await expect(hot.apply(late)).rejects.toMatchObject({ name: 'PositionGapError', retryable: true });
    await hot.apply(early);
    await hot.apply(late);
    await hot.apply(early);
    await origin.insertBatch({ statuses: [{ messageId, status: 'success' }] });
    await follow();
    await hot.apply(late);
    expect(await hot.getMessage(messageId)).toMatchObject({ status: 'success', position: 5n });
    expect((await hot.queryMessages({})).items).toHaveLength(2);
  });

  test('a set that overlaps what is applied adds only the rest', async () => {
    await store();
    await follow();
    await store();
    await hot.apply(await origin.changesAfter(1n));
    expect((await hot.queryMessages({})).items).toHaveLength(2);
    expect(hot.coverage().throughPosition).toBe(4n);
  });

  test('rebased, it covers nothing, and then what comes after the boundary', async () => {
    const before = await store();
    const boundary = await origin.boundaryAt({ ms: before.ms });
    expect(boundary).toEqual({ position: 2n, ingestionMs: before.ms });
    const after = await store();
    hot.rebase(boundary);
    expect(hot.coverage()).toMatchObject({ afterMs: before.ms, throughMs: before.ms, afterPosition: 2n });
    await expect(hot.queryMessages({ startMs: after.ms })).rejects.toMatchObject(NOT_COVERED);
    await follow();
    expect(hot.coverage()).toMatchObject({ afterMs: before.ms, throughMs: Number.POSITIVE_INFINITY });
    expect((await hot.queryMessages({ startMs: before.ms + 1 })).items).toHaveLength(1);
    await expect(hot.queryMessages({ startMs: before.ms })).rejects.toMatchObject(NOT_COVERED);
    expect(await hot.getCCVData(after.messageId)).toHaveLength(1);
    await expect(hot.getCCVData(before.messageId)).rejects.toMatchObject(NOT_COVERED);
    await expect(hot.getCCVData(make.hex(32))).rejects.toMatchObject(NOT_COVERED);
    await expect(hot.listCursors()).rejects.toMatchObject(NOT_COVERED);
  });

  test('rebased to the beginning, it is complete from the beginning', async () => {
    await store();
    hot.rebase({ position: 0n, ingestionMs: -1 });
    await follow();
    expect(hot.coverage()).toMatchObject({ afterMs: -1, afterPosition: 0n });
    expect((await hot.queryUnfinishedMessages({ limit: 9 })).items).toHaveLength(1);
    await expect(hot.getCCVData(make.hex(32))).rejects.toMatchObject({ name: 'CCVDataNotFoundError' });
  });

  test('a change to a record below the window is passed over and no longer told to others', async () => {
    const before = await store();
    const boundary = await origin.boundaryAt({ ms: before.ms });
    await store();
    hot.rebase(boundary);
    await follow();
    expect((await hot.changesAfter(2n)).changes).toHaveLength(2);
    await origin.insertBatch({ statuses: [{ messageId: before.messageId, status: 'success' }] });
    await follow();
    expect((await hot.queryMessages({ startMs: before.ms + 1 })).items).toHaveLength(1);
    expect(hot.coverage().afterPosition).toBe(5n);
    await expect(hot.changesAfter(2n)).rejects.toMatchObject(NOT_COVERED);
    expect((await hot.changesAfter(5n)).changes).toEqual([]);
  });

  test('a message from below the window that returned is listed, and by id it stays a gap', async () => {
    const before = await store();
    const boundary = await origin.boundaryAt({ ms: before.ms });
    hot.rebase(boundary);
    await origin.insertBatch({
      orphanings: [{ messageId: before.messageId, blockHash: before.message.origin!.blockHash }],
    });
    await origin.insertBatch({ messages: [before.message] });
    await follow();
    const { items } = await hot.queryMessages({ startMs: boundary.ingestionMs + 1 });
    expect(items.map((item) => item.messageId)).toEqual([before.messageId]);
    expect(hot.coverage().movePosition).toBe(6n);
    await expect(hot.getCCVData(before.messageId)).rejects.toMatchObject(NOT_COVERED);
  });

  test('it evicts like any other and never takes the evicted in again', async () => {
    const old = await store();
    const everything = await origin.changesAfter(0n);
    await hot.apply(everything);
    await clock.advance(70_000);
    expect(hot.coverage().afterMs).toBe(old.ms);
    await hot.apply(everything);
    await origin.insertBatch({ statuses: [{ messageId: old.messageId, status: 'timeout' }] });
    await follow();
    expect((await hot.queryMessages({ startMs: old.ms + 1 })).items).toEqual([]);
    await expect(hot.getMessage(old.messageId)).rejects.toMatchObject(NOT_COVERED);
  });

  test('tells its own followers that it moved on, once it is whole', async () => {
    const told: bigint[] = [];
    hot.subscribe((event) => told.push(event.kind === 'advanced' ? event.throughPosition : -1n));
    await store();
    await store();
    await hot.apply(await origin.changesAfter(0n, 1));
    expect(told).toEqual([]);
    await follow();
    await follow();
    expect(told).toEqual([4n]);
  });

  test('keeps copies: what it was given can change or go away', async () => {
    const { messageId } = await store();
    const set = await origin.changesAfter(0n);
    const pool = new Uint8Array(1 << 16);
    const inPool: ChangeSet = {
      ...set,
      changes: set.changes.map((change) => {
        if (change.kind !== 'verifierResult') return change;
        pool.set(change.record.ccvData, 99);
        return {
          ...change,
          record: { ...change.record, ccvData: pool.subarray(99, 99 + change.record.ccvData.length) },
        };
      }),
    };
    await hot.apply(inPool);
    pool.fill(0);
    const [stored] = await hot.getCCVData(messageId);
    const [original] = await origin.getCCVData(messageId);
    expect(Buffer.compare(stored!.ccvData, original!.ccvData)).toBe(0);
    expect(stored!.ccvData.buffer).not.toBe(pool.buffer);
    expect(stored!.encodedMessage).toBe((await hot.getMessage(messageId)).encodedMessage);
    expect((await hot.getCCVData(messageId))[0]).toBe(stored);
  });

  test.each([-3_600_000, 3_600_000])('a wall clock that jumps by %i ms makes old news no younger', async (jumpMs) => {
    let shiftMs = 0;
    const jumping = createCommon({ clock: { ...clock, nowMs: () => clock.nowMs() + shiftMs } });
    const replica = createMemoryStorage({ name: 'replica', maxStalenessMs: STALE_MS, common: jumping });
    const set = async () => ({ ...(await origin.changesAfter(0n)), readMs: clock.nowMs() + shiftMs });
    const { ms } = await store();
    await replica.apply(await set());
    expect(replica.coverage().throughMs).toBe(Number.POSITIVE_INFINITY);

    shiftMs = jumpMs;
    for (const elapsedMs of [2 * STALE_MS, 1_800_000, 1_800_000]) {
      await clock.advance(elapsedMs);
      expect(replica.coverage().throughMs).toBe(ms);
    }
    await replica.apply(await set());
    expect(replica.coverage().throughMs).toBe(Number.POSITIVE_INFINITY);
    await replica.close();
  });
});
