import { beforeEach, describe, expect, test } from 'vitest';
import { backendSections, leadingDatabase } from '../../../src/app/backend-sections.js';
import { presentConfig } from '../../../src/app/move/present-config.js';
import { systemClock } from '../../../src/core/clock.js';
import { createCommon } from '../../../src/core/common.js';
import type { IndexerError } from '../../../src/core/errors.js';
import { nextTurn } from '../../../src/core/event-loop.js';
import type { VerifierResult } from '../../../src/model/records.js';
import type { Sink } from '../../../src/sink/sink.js';
import { eventually } from '../../support/eventually.js';
import { freshMovingDeployment, type MovingDeployment } from '../../support/migration/deployment.js';
import { dumpDatabase } from '../../support/postgres/database-dump.js';
import type { TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker, type RecordMaker } from '../../support/records.js';
import { liveEventfully } from '../../support/sink/eventful-life.js';

const fresh = freshMovingDeployment(1110);
let from: TestDatabase;
let to: TestDatabase;
let deployment: MovingDeployment;
let make: RecordMaker;
beforeEach(() => {
  ({ from, to, deployment, make } = fresh());
});

async function recordsOf(database: TestDatabase) {
  const { ingest_clock, members, move, move_processes, ...tables } = await dumpDatabase(database);
  return tables;
}

async function untilEqual(): Promise<void> {
  await eventually('the follower holds the head', async () => {
    const [a, b] = [await deployment.ends.from.moves.look(), await deployment.ends.to.moves.look()];
    return a.head.position === b.head.position && a.isWhole && b.isWhole;
  });
}

/** Between two writes of the traffic: enough of them meet every phase. */
const PACE_MS = 5;

/** Writes results one after the other until it is told to stop; every one is acknowledged. */
function writeOn(sink: Sink, from: RecordMaker) {
  const written: VerifierResult[] = [];
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      const message = from.message();
      const result = from.result(message);
      await sink.insertBatch({ messages: [message], verifierResults: [result] });
      written.push(result);
      await systemClock.sleep(PACE_MS);
    }
  })();
  return {
    written,
    async stop(): Promise<readonly VerifierResult[]> {
      isOver = true;
      await running;
      return written;
    },
  };
}

/** Asks for everything that was acknowledged, again and again: nothing is ever missing, and nothing goes back. */
function readOn(sink: Sink, written: readonly VerifierResult[]) {
  let isOver = false;
  let asked = 0;
  const running = (async () => {
    let before = 0;
    while (!isOver) {
      const acknowledged = written.length;
      const { count } = await sink.countMessages({ startMs: 0, endMs: Number.MAX_SAFE_INTEGER });
      expect(count).toBeGreaterThanOrEqual(acknowledged);
      expect(count).toBeGreaterThanOrEqual(before);
      before = count;
      const last = written[acknowledged - 1];
      if (last) expect(await sink.getCCVData(last.messageId)).toHaveLength(1);
      asked += 1;
      await nextTurn();
    }
  })();
  return {
    async stop(): Promise<number> {
      isOver = true;
      await running;
      return asked;
    },
  };
}

describe('a move to another database', () => {
  test('promise 1, promise 3: goes through its phases and back while it is written to and read', async () => {
    const [worker, other] = [await deployment.open('write'), await deployment.open('write')];
    await liveEventfully(worker.sink, createRecordMaker(1111), 20);
    const { move } = deployment;
    const writing = writeOn(worker.sink, make);
    const reading = readOn(worker.sink, writing.written);
    await move.run('prepare');
    await deployment.inStep();
    await move.run('start');
    await deployment.inStep();
    await move.run('backfill');
    await deployment.inStep();
    await eventually('the backfill has ended', async () => (await deployment.ends.to.moves.look()).backfill === null);
    await deployment.compare();
    await deployment.inStep();
    const switched = await move.run('switch');
    expect(switched).toMatchObject({ phase: 'switched', handover: null });
    await deployment.inStep();
    const back = await move.run('rollback');
    expect(back).toMatchObject({ phase: 'rolled-back', handover: null });
    await deployment.inStep();
    const asked = await reading.stop();
    const written = await writing.stop();
    expect(asked).toBeGreaterThan(10);
    const last = written.at(-1) as VerifierResult;
    await eventually('the other process knows the last', () =>
      other.sink.getCCVData(last.messageId).then(
        () => true,
        (thrown: unknown) => (thrown as IndexerError).code,
      ),
    );
    for (const { messageId } of written) expect(await other.sink.getCCVData(messageId)).toHaveLength(1);

    // a second time, to the end
    await deployment.backfill();
    await deployment.compare();
    await deployment.inStep();
    await untilEqual();
    expect(await recordsOf(to)).toEqual(await recordsOf(from));
    await move.run('switch');
    await deployment.inStep();
    await worker.sink.insertBatch({ messages: [make.message()] });
    // the old one still has every write that is acknowledged
    expect(await recordsOf(to)).toEqual(await recordsOf(from));
    await move.run('finish');
    await deployment.inStep();
    await worker.sink.insertBatch({ messages: [make.message()] });
    expect(await recordsOf(to)).not.toEqual(await recordsOf(from));
  });

  test('a replica that opens no old database reads from the new one within seconds of the switch', async () => {
    const [worker, replica] = [await deployment.open('write'), await deployment.open('read')];
    const { move } = deployment;
    await deployment.backfill();
    await deployment.compare();
    await deployment.inStep();
    await move.run('switch');
    const message = make.message();
    await worker.sink.insertBatch({ messages: [message] });
    // until then its memory is as old as MaxStaleness allows, and the old database answers nothing
    await eventually('the replica answers', () =>
      replica.sink.getMessage(message.messageId).then(
        () => true,
        (thrown: unknown) => (thrown as IndexerError).code !== 'MESSAGE_NOT_FOUND' && Promise.reject(thrown),
      ),
    );
    await deployment.inStep();
    expect((await replica.sink.status()).map(({ name }) => name)).toEqual(['hot', 'new']);
    // and so do commands that look at the backends once
    const present = await presentConfig(deployment.config, createCommon());
    expect(backendSections(present).map(({ Name }) => Name)).toEqual(['hot', 'new', 'old']);
    expect(leadingDatabase(backendSections(present))?.Name).toBe('new');
  });

  test('refuses each command whose conditions do not hold, and names the one to run instead', async () => {
    const { move } = deployment;
    const refusal = (command: Parameters<typeof move.run>[0]) => move.run(command).catch((thrown: unknown) => thrown);
    expect(await refusal('start')).toMatchObject({
      code: 'MOVE_REFUSED',
      message: expect.stringContaining('migration prepare'),
    });
    await move.run('prepare');
    expect(await refusal('switch')).toMatchObject({ message: expect.stringContaining('migration start') });
    await move.run('start');
    expect(await refusal('prepare')).toMatchObject({ message: expect.stringContaining('no move is under way') });
    expect(await refusal('backfill')).toMatchObject({ message: expect.stringContaining('a worker runs') });
    const worker = await deployment.open('write');
    await worker.sink.insertBatch({ messages: [make.message()] });
    await move.run('backfill');
    await eventually('the backfill has ended', async () => (await deployment.ends.to.moves.look()).backfill === null);
    await move.run('compare');
    expect(await refusal('switch')).toMatchObject({ message: expect.stringContaining('migration compare') });
    expect(await refusal('finish')).toMatchObject({ message: expect.stringContaining('migration switch') });
    await move.run('rollback');
    await deployment.inStep();
    expect(await refusal('backfill')).toMatchObject({ message: expect.stringContaining('migration prepare') });
    // a database of another history is no place to move to
    await to.sql('UPDATE ccv.commits SET ingestion_ms = ingestion_ms + 1');
    await to.sql('UPDATE ccv.ingest_clock SET last_ms = last_ms + 1');
    expect(await refusal('prepare')).toMatchObject({ message: expect.stringContaining('new is empty') });
    // and one that lacks what the old one has let go since cannot follow it
    await worker.sink.insertBatch({ messages: [make.message()] });
    await from.sql('UPDATE ccv.ingest_clock SET floor_position = last_position, floor_ms = last_ms');
    expect(await refusal('prepare')).toMatchObject({ message: expect.stringContaining('old has pruned') });
  });

  test('a command that was killed behind its last change, given again, is done', async () => {
    const { move } = deployment;
    await deployment.open('write');
    const again = async (command: Parameters<typeof move.run>[0]) => {
      const state = await move.run(command);
      expect(await move.run(command)).toEqual(state);
      expect(await move.conditions(command)).toMatchObject([{ holds: true }]);
    };
    await again('prepare');
    await again('start');
    await eventually('a worker is there', async () => (await move.look()).processes.length > 0);
    await again('backfill');
    await eventually('the backfill has ended', async () => (await deployment.ends.to.moves.look()).backfill === null);
    await again('compare');
    await move.compared({ atMs: 0, throughPosition: '0', records: 0, differences: 0 });
    await deployment.inStep();
    await again('switch');
    await deployment.inStep();
    await again('rollback');
    await deployment.backfill();
    await deployment.compare();
    await deployment.inStep();
    await move.run('switch');
    await deployment.inStep();
    await again('finish');
  });

  test('a handing over that was cut anywhere is ended by any process, or taken back', async () => {
    const { move, ends } = deployment;
    const worker = await deployment.open('write');
    await deployment.backfill();
    await deployment.compare();
    await deployment.inStep();
    await worker.close();
    // the command dies after the old one has ended its lead
    const cut = new Error('cut');
    const lead = ends.to.moves.lead;
    Object.assign(ends.to.moves, { lead: () => Promise.reject(cut) });
    await expect(move.run('switch')).rejects.toBe(cut);
    expect(await ends.from.moves.look()).toMatchObject({ handedOver: true });
    Object.assign(ends.to.moves, { lead });
    const { leadAgain } = ends.from.moves;
    // and so does the rollback, before the old one leads again
    Object.assign(ends.from.moves, { leadAgain: () => Promise.reject(cut) });
    await expect(move.run('rollback')).rejects.toBe(cut);
    Object.assign(ends.from.moves, { leadAgain });
    expect(await move.run('rollback')).toMatchObject({ phase: 'rolled-back', handover: null });
    expect(await ends.from.moves.look()).toMatchObject({ handedOver: false });

    // and again, with a worker that ends it
    await deployment.open('write');
    await deployment.backfill();
    await deployment.compare();
    await deployment.inStep();
    Object.assign(ends.to.moves, { lead: () => Promise.reject(cut) });
    await move.run('switch').catch((thrown: unknown) => expect(thrown).toBe(cut));
    Object.assign(ends.to.moves, { lead });
    await eventually('a worker has ended it', async () => (await move.look()).view.state?.phase === 'switched');
  });
});
