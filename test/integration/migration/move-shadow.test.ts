import { beforeEach, expect, test } from 'vitest';
import { shadowStatus } from '../../../src/cli/migration/shadow-status.js';
import { eventually } from '../../support/eventually.js';
import { freshMovingDeployment, type MovingDeployment } from '../../support/migration/deployment.js';
import type { TestDatabase } from '../../support/postgres/postgres.js';
import type { RecordMaker } from '../../support/records.js';

const fresh = freshMovingDeployment(1110);
let to: TestDatabase;
let deployment: MovingDeployment;
let make: RecordMaker;
beforeEach(() => {
  ({ to, deployment, make } = fresh());
});

test('live questions are asked of the new database too, and what it answers otherwise is told', async () => {
  const worker = await deployment.open('write');
  const { move } = deployment;
  const messages = Array.from({ length: 3 }, () => make.message());
  await worker.sink.insertBatch({ messages });
  await deployment.backfill();
  await move.run('compare');
  await move.shadow(1);
  await deployment.inStep();
  const found = async () => {
    await worker.sink.queryMessages({});
    for (const { messageId } of messages) await worker.sink.getMessage(messageId);
    const { processes } = await move.look();
    return shadowStatus(1, processes);
  };
  await eventually('questions were asked of both', async () => (await found()).outcomes.same > 8);
  expect((await found()).outcomes.different).toBe(0);
  await to.sql(`UPDATE ccv.messages SET status = 2 WHERE message_id = decode($1, 'hex')`, [
    messages[1]!.messageId.slice(2),
  ]);
  await eventually('the difference is told', async () => (await found()).differences.length > 0);
  const { differences, outcomes } = await found();
  expect(differences.map(({ operation }) => operation)).toContain('getMessage');
  expect(outcomes.different).toBeGreaterThan(0);
  // the answers stay those of the old one
  expect((await worker.sink.getMessage(messages[1]!.messageId)).status).toBe('processing');
  await move.shadow(0);
  await deployment.inStep();
  await eventually('no figures are told', async () => (await move.look()).processes.every(({ figures }) => !figures));
});
