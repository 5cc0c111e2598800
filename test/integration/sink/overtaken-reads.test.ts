import { afterEach, beforeEach, describe, expect, test } from 'vitest';
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
});
