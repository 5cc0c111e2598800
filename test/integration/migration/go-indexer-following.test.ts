import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { NewMessage } from '../../../src/model/records.js';
import { CoverageGapError } from '../../../src/model/storage-errors.js';
import { standsAt } from '../../../src/storage/backend-storage.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { plain } from '../../contract/subject.js';
import { beyondBoundaries, DEST, GoMove, START_MS, writeHistory } from '../../support/go-indexer/go-move.js';
import type { GoWriter } from '../../support/go-indexer/go-writer.js';
import { createRecordMaker, type RecordMaker } from '../../support/records.js';
import { createLaggingStorage } from '../../support/sink/lagging-storage.js';

const HOUR_MS = 3_600_000;

let move: GoMove;
beforeEach(async () => {
  move = await GoMove.begin();
});
afterEach(async () => {
  await move.end();
});

describe('an import while the Go indexer goes on', () => {
  let writer: GoWriter;
  let make: RecordMaker;
  beforeEach(async () => {
    writer = await move.writer();
    make = createRecordMaker(11);
  });

  test('promise 1: goes on where it stopped, wherever that was, and stores each row once', async () => {
    await writeHistory(writer, make, 200);
    for (let steps = 1; ; steps += 1) {
      // a process that dies after so many steps
      const opened = move.open();
      let progress = await opened.step();
      for (let step = 1; step < steps && !progress.isIdle; step += 1) progress = await opened.step();
      if (progress.isIdle) break;
    }
    const report = await move.open().finish();
    expect(report.ours).toEqual({ messages: 200, verifierResults: 200 });
    expect((await move.differences(writer)).differing).toEqual([]);
    const { rows } = await move.home.sql(
      `SELECT count(*)::int AS count, max(position)::int AS last FROM (SELECT position FROM ccv.messages UNION ALL
         SELECT position FROM ccv.verifier_results UNION ALL SELECT position FROM ccv.source_cursors) r`,
    );
    // no record took a second position; cursors did
    expect(rows[0].count).toBe(403);
    expect(await beyondBoundaries(move.home)).toBe(0);
  });

  test('follows everything that is written meanwhile, wherever it lies and whatever its time', async () => {
    const messages = await writeHistory(writer, make, 150);
    const opened = move.open();
    await opened.step();
    // behind what was read, and before it
    await writeHistory(writer, make, 20, START_MS + HOUR_MS);
    const late = make.message();
    await writer.results([{ result: make.result(late), atMs: START_MS + 5, microseconds: 999 }]);
    for (const { messageId } of messages.slice(0, 60)) await writer.status(messageId, 'SUCCESS');
    await move.follow(opened);
    expect((await move.differences(writer)).differing).toEqual([]);

    // a transaction that was under way during a sweep
    const slow = await move.writer();
    await slow.client.query('BEGIN');
    await slow.results([{ result: make.result(make.message()), atMs: START_MS + HOUR_MS }]);
    await move.follow(opened);
    await writer.status((messages[70] as NewMessage).messageId, 'SUCCESS');
    await move.follow(opened);
    await slow.client.query('COMMIT');
    await move.follow(opened);
    expect((await move.differences(writer)).differing).toEqual([]);

    // the room of dead rows is taken by new ones
    await move.go.sql('VACUUM indexer.messages');
    await writeHistory(writer, make, 60, START_MS + 2 * HOUR_MS);
    const [replayed, timedOut] = [messages[3] as NewMessage, messages[100] as NewMessage];
    const again = make.result(replayed, 0, { dest: DEST });
    await writer.results([{ result: again, atMs: START_MS + 3 * HOUR_MS }], true);
    await writer.replayMessage(replayed, START_MS + 3 * HOUR_MS);
    await writer.status(timedOut.messageId, 'TIMEOUT');
    await move.follow(opened);
    expect((await move.differences(writer)).differing).toEqual([]);
    expect(await beyondBoundaries(move.home)).toBe(0);
    expect((await opened.finish()).theirs).toEqual({ messages: 230, verifierResults: 232 });
  });

  test('promise 7: tiers that follow, also from the middle, have the same records', async () => {
    const messages = await writeHistory(writer, make, 100);
    const opened = move.open();
    await move.follow(opened);
    const hot = createMemoryStorage({ common: createCommon(), name: 'hot' });
    hot.rebase(await move.target.boundaryAt({ ms: START_MS + 5_000 }));
    const cold = createLaggingStorage('cold');
    const catchUp = async () => {
      for (const tier of [hot, cold.storage])
        for (let isBehind = true; isBehind; ) {
          const set = await move.target.changesAfter(standsAt(tier), 40);
          await tier.apply(set);
          isBehind = set.throughPosition < set.headPosition;
        }
      await cold.flush();
    };
    await catchUp();
    const { movePosition, throughPosition } = move.target.coverage();
    expect(movePosition).toBe(0n);
    await writer.results([{ result: make.result(make.message()), atMs: START_MS + 6_000 }]);
    // by a process whose clock is behind
    const younger = messages[60] as NewMessage;
    await writer.results([{ result: make.result(younger), atMs: START_MS + 4_000 }]);
    await move.follow(opened);
    expect(move.target.coverage().movePosition).toBeGreaterThan(throughPosition);
    await catchUp();
    await expect(hot.getCCVData(younger.messageId)).rejects.toThrow(CoverageGapError);
    await writer.replayMessage(messages[0] as NewMessage, START_MS + HOUR_MS);
    await writer.status((messages[99] as NewMessage).messageId, 'SUCCESS');
    await move.follow(opened);
    await catchUp();
    const startMs = hot.coverage().afterMs + 1;
    const all = { limit: 1_000, endMs: cold.storage.coverage().throughMs };
    expect(plain((await cold.storage.queryMessages(all)).items)).toEqual(
      plain((await move.target.queryMessages(all)).items),
    );
    expect(plain((await cold.storage.queryCCVData(all)).items)).toEqual(
      plain((await move.target.queryCCVData(all)).items),
    );
    const query = { startMs, endMs: START_MS + 2 * HOUR_MS, limit: 1_000 };
    expect(plain(await hot.queryMessages(query))).toEqual(plain(await move.target.queryMessages(query)));
    expect(plain(await hot.queryCCVData(query))).toEqual(plain(await move.target.queryCCVData(query)));
    expect((await hot.queryMessages(query)).items.length).toBeGreaterThan(40);
    await Promise.all([hot.close(), cold.storage.close()]);
  });

  test('is not finished while the tables are written to, and loses nothing of that', async () => {
    await writeHistory(writer, make, 20);
    const opened = move.open();
    await writer.client.query('BEGIN');
    await writer.results([{ result: make.result(make.message()), atMs: START_MS }]);
    await expect(opened.finish()).rejects.toMatchObject({
      code: 'SOURCE_STILL_WRITTEN',
      details: { sessions: [{ application: 'indexer' }] },
    });
    await writer.client.query('COMMIT');
    // one that writes whenever the import stores something
    const target = { ...move.target };
    target.apply = async (set) => {
      await move.target.apply(set);
      await writer.results([{ result: make.result(make.message()), atMs: START_MS }]);
    };
    await expect(move.open({ target }).finish()).rejects.toThrow(/rows were written during the last pass/);
    await expect(opened.finish()).rejects.toMatchObject({ code: 'IMPORT_TARGET' });
    const report = await opened.finish();
    expect(report.ours).toEqual(report.theirs);
    expect((await move.differences(writer)).differing).toEqual([]);
    expect(report.sessions).toEqual([expect.objectContaining({ application: 'indexer', sessions: 1 })]);
  });
});
