import { beforeEach, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { createMove } from '../../../src/migration/move.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { eventually } from '../../support/eventually.js';
import { freshMovingDeployment, type MovingDeployment } from '../../support/migration/deployment.js';
import type { TestDatabase } from '../../support/postgres/postgres.js';
import type { RecordMaker } from '../../support/records.js';

const fresh = freshMovingDeployment(1130);
let from: TestDatabase;
let to: TestDatabase;
let deployment: MovingDeployment;
let make: RecordMaker;
beforeEach(() => {
  ({ from, to, deployment, make } = fresh());
});

const cut = new Error('cut');

/** Lets the worker see what a person did, and what it did about it. */
async function phaseIs(phase: string): Promise<void> {
  await eventually(`the worker works in ${phase}`, async () => {
    const { view, processes } = await deployment.move.look();
    const isIn = view.state?.phase === phase && view.state.handover === null;
    return isIn && processes.length > 0 && processes.every(({ revision }) => revision === view.state?.revision);
  });
}

async function switched(): Promise<void> {
  await deployment.backfill();
  await deployment.compare();
  await deployment.inStep();
  await deployment.move.run('switch');
  await phaseIs('switched');
}

test('promise 1: a command judges the state that it steps from, also when another command came between', async () => {
  const worker = await deployment.open('write');
  await worker.sink.insertBatch({ messages: [make.message()] });
  await switched();
  const { ends, move } = deployment;
  const other = createMove({ ...ends, to: { ...ends.to, moves: { ...ends.to.moves } } }, createCommon());
  const { handOver } = ends.to.moves;
  Object.assign(ends.to.moves, {
    handOver: async (...of: Parameters<typeof handOver>) => {
      Object.assign(ends.to.moves, { handOver });
      await other.run('finish');
      return await handOver(...of);
    },
  });
  await expect(move.run('rollback')).rejects.toMatchObject({ code: 'MOVE_REFUSED' });
  await phaseIs('finished');
  const message = make.message();
  await worker.sink.insertBatch({ messages: [message] });
  expect(await ends.from.moves.look()).toMatchObject({ handedOver: true });
});

test('a rollback that was cut can be ended or taken back, and nothing else', async () => {
  const worker = await deployment.open('write');
  await worker.sink.insertBatch({ messages: [make.message()] });
  await switched();
  await worker.close();
  const { ends, move } = deployment;
  const { lead } = ends.from.moves;
  Object.assign(ends.from.moves, { lead: () => Promise.reject(cut) });
  await expect(move.run('rollback')).rejects.toBe(cut);
  Object.assign(ends.from.moves, { lead });
  await expect(move.run('finish')).rejects.toMatchObject({ message: expect.stringContaining('migration rollback') });
  await expect(move.abandonOld()).rejects.toMatchObject({ message: expect.stringContaining('does not answer') });
  expect(await move.run('switch')).toMatchObject({ phase: 'switched', handover: null });
  const again = await deployment.open('write');
  const message = make.message();
  await again.sink.insertBatch({ messages: [message] });
  expect(await move.run('rollback')).toMatchObject({ phase: 'rolled-back' });
  expect((await again.sink.getMessage(message.messageId)).messageId).toBe(message.messageId);
});

test('a new database that answers is not given up', async () => {
  const worker = await deployment.open('write');
  await worker.sink.insertBatch({ messages: [make.message()] });
  await switched();
  await expect(deployment.move.abandonNew()).rejects.toMatchObject({
    message: expect.stringContaining('migration rollback'),
  });
});

test('a worker whose backfill fails follows the move all the same, and ends', async () => {
  const worker = await deployment.open('write');
  await worker.sink.insertBatch({ messages: [make.message(), make.message()] });
  // what came before is nowhere to be had
  await from.sql('UPDATE ccv.ingest_clock SET floor_position = last_position, floor_ms = last_ms');
  const { move } = deployment;
  await move.run('prepare');
  await move.run('start');
  await phaseIs('dual-write');
  await move.run('backfill');
  await phaseIs('backfilling');
  await move.run('rollback');
  await phaseIs('rolled-back');
  await worker.close();
});

test('a new database that takes no writes, or has another history, stops no process and no write', async () => {
  const worker = await deployment.open('write');
  await worker.sink.insertBatch({ messages: [make.message()] });
  await deployment.backfill();
  await deployment.compare();
  await phaseIs('comparing');
  await to.sql('UPDATE ccv.ingest_clock SET handed_over = false');
  const stranger = createPostgresStorage({ connection: to.connection });
  await stranger.insertBatch({ messages: [make.message()] });
  await stranger.close();
  for (let i = 0; i < 3; i += 1) await worker.sink.insertBatch({ messages: [make.message()] });
  expect((await worker.sink.countMessages({})).count).toBe(4);
  await expect(deployment.move.run('switch')).rejects.toMatchObject({ code: 'DIVERGED' });
  expect(await deployment.ends.from.moves.look()).toMatchObject({ handedOver: false });
  await to.sql(`ALTER DATABASE ${to.name} SET default_transaction_read_only = on`);
  await to.sql(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()',
    [to.name],
  );
  await deployment.move.run('rollback').catch(() => 'the new one cannot be told');
  await phaseIs('rolled-back');
  await worker.sink.insertBatch({ messages: [make.message()] });
});

test('promise 6: a database that came back without its fence is fenced again', async () => {
  const worker = await deployment.open('write');
  await worker.sink.insertBatch({ messages: [make.message()] });
  await deployment.backfill();
  await phaseIs('backfilling');
  const { ends } = deployment;
  await to.sql('UPDATE ccv.ingest_clock SET handed_over = false');
  await eventually('the new one is fenced', async () => (await ends.to.moves.look()).handedOver);
  await deployment.compare();
  await phaseIs('comparing');
  await deployment.move.run('switch');
  await phaseIs('switched');
  await from.sql('UPDATE ccv.ingest_clock SET handed_over = false');
  await eventually('the old one is fenced', async () => (await ends.from.moves.look()).handedOver);
  await worker.sink.insertBatch({ messages: [make.message()] });
});
