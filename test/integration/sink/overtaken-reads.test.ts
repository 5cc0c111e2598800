import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import { MemoryBucket } from '../../simulation/process/memory-object-store.js';
import { eventually } from '../../support/eventually.js';
import type { RecordMaker } from '../../support/records.js';
import {
  createPrunedProcesses,
  flushAll,
  type ProcessWish,
  type PrunedProcesses,
  pruneAll,
} from '../../support/sink/pruned-processes.js';

/** Reads of tiers that move on, are pruned or hang while they are read. */
describe('a read that is overtaken', () => {
  let make: RecordMaker;
  let processes: PrunedProcesses;
  beforeEach(async () => {
    processes = await createPrunedProcesses(6);
    ({ make } = processes);
  });
  afterEach(() => processes.close());
  const open = (wish?: ProcessWish) => processes.open(wish);

  test.each([false, true])(
    'promise 3: a cold tier whose list is overtaken by moves comes last for that part (pruned database: %s)',
    async (isPruned) => {
      const process = await open({ coldFirst: true, withoutHot: true });
      const listed = Array.from({ length: 40 }, () => make.message());
      for (const message of listed) await process.sink.insertBatch({ messages: [message] });
      const removeOne = async () => {
        const { messageId, origin } = listed.pop()!;
        await process.sink.insertBatch({ orphanings: [{ messageId, blockHash: origin!.blockHash }] });
      };
      await (isPruned ? pruneAll(process) : flushAll(process));
      await removeOne();
      const overtaken = isPruned ? 4 : Number.POSITIVE_INFINITY;
      process.leader.before('changedMessages', async () => {
        if (process.leader.calls('changedMessages') <= overtaken) await removeOne();
      });
      const { items } = await process.sink.queryMessages({});
      expect(items.map(({ messageId }) => messageId)).toEqual(listed.map(({ messageId }) => messageId));
      expect(process.cold.calls('list')).toBe(isPruned ? overtaken + 1 : 1);
    },
  );

  test.each([
    ['flush to the cold tier', flushAll],
    ['flush to the cold tier and prune', pruneAll],
  ])('promise 3: a list is answered although others %s before each of several reads of it', async (_others, move) => {
    const bucket = new MemoryBucket();
    const writer = await open({ bucket, withoutHot: true });
    const reader = await open({ bucket, withoutHot: true });
    const listed: string[] = [];
    const writeOne = async () => {
      const message = make.message();
      await writer.sink.insertBatch({ messages: [message] });
      listed.push(message.messageId);
    };
    await writeOne();
    await pruneAll(writer);
    await writeOne();
    const stood: bigint[] = [];
    reader.cold.before('list', async () => {
      stood.push(reader.lagging.storage.coverage().throughPosition);
      if (stood.length > 5) return;
      await move(writer);
      await writeOne();
      await eventually('the reader has heard of it', () => {
        return reader.warm.coverage().throughPosition === BigInt(listed.length);
      });
    });
    const { items } = await reader.sink.queryMessages({});
    expect(items.map(({ messageId }) => messageId)).toEqual(listed);
    // each plan goes on from the state that the read before saw
    expect(stood.slice(0, 6)).toEqual([1n, 2n, 3n, 4n, 5n, 6n]);
  });

  test('an old id is found although the look of the cold tier takes longer than a follower is waited for', async () => {
    const bucket = new MemoryBucket();
    const writer = await open({ bucket, withoutHot: true });
    const reader = await open({ bucket, withoutHot: true, options: { catchUpWaitMs: 0 } });
    const [result] = await processes.write(writer.sink, 6);
    await pruneAll(writer);
    reader.leader.before('heldCCVData', async () => {
      await processes.write(writer.sink, 2);
      await pruneAll(writer);
    });
    reader.cold.before('refresh', async () => void (await processes.database.sql('SELECT pg_sleep(0.1)')));
    expect(await reader.sink.getCCVData(result!.messageId)).toHaveLength(1);
  });

  test('an old id is found although the cold tier could not look before a memory that was late has caught up', async () => {
    const bucket = new MemoryBucket();
    const writer = await open({ bucket, withoutHot: true });
    const reader = await open({ bucket, refreshIntervalMs: 3_600_000, options: { catchUpWaitMs: 600_000 } });
    const [result] = await processes.write(writer.sink, 12);
    await eventually('the reader has heard of everything', () => {
      return reader.hot.coverage().throughPosition === 12n && reader.lagging.storage.appliedPosition() === 12n;
    });
    const release = reader.leader.hold('changesAfter');
    await pruneAll(writer);
    await eventually('its memory is late', () => Number.isFinite(reader.hot.coverage().throughMs));
    expect(reader.lagging.storage.coverage().throughPosition).toBe(0n);
    reader.cold.before('refresh', () => {
      if (reader.cold.calls('refresh') > 1) return;
      // once the memory is waited for
      setImmediate(release);
      throw new StorageUnavailableError('cold', 'look (injected)');
    });
    expect(await reader.sink.getCCVData(result!.messageId)).toHaveLength(1);
    expect(reader.cold.calls('refresh')).toBe(2);
  });
});
