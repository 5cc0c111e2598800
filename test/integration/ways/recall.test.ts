import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ColdStorage, createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../../src/storage/recall-from.js';
import { plain } from '../../contract/subject.js';
import { follow, NAMESPACE } from '../../support/cold/storage-life.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';
import { createRecordingStore } from './recording-store.js';

let database: TestDatabase;
let directory: TestDirectoryStore;
let warm: PostgresStorage;
let cold: ColdStorage;
/** What is read from the cold tier, in order. */
let steps: string[];

beforeEach(async () => {
  [database, directory] = await Promise.all([createTestDatabase(), createTestDirectoryStore()]);
  steps = [];
  cold = createColdStorage({
    ...{ name: 'cold', namespace: NAMESPACE, role: 'follower', flushIntervalMs: 1e9 },
    store: createRecordingStore(directory.store, (step) => steps.push(step)),
  });
  const recall = recallFrom(cold);
  if (recall === null) throw new Error('the cold tier cannot be recalled from');
  warm = createPostgresStorage({ name: 'warm', connection: database.connection, recall });
});
afterEach(async () => {
  await Promise.all([warm.close(), cold.close()]);
  await Promise.all([database.drop(), directory.remove()]);
});

async function rowsInPostgres(): Promise<number> {
  const { rows } = await database.sql('SELECT count(*)::int AS rows FROM ccv.messages');
  return (rows as { rows: number }[])[0]?.rows ?? Number.NaN;
}

test('promise 9: a reorg of a pruned message reads it back from the cold tier, and orphans it in the commit that restores it', async () => {
  // a message and its verification are stored, finished and flushed
  const make = createRecordMaker(9);
  const message = make.message();
  const { messageId, origin } = message;
  await warm.insertBatch({ messages: [message], verifierResults: [make.result(message)] });
  await warm.insertBatch({ statuses: [{ messageId, status: 'success' }] });
  await follow(cold, warm);
  await cold.flush();
  const before = await warm.getMessage(messageId);

  // Postgres is pruned as far as the cold tier has them: no row of them is left
  const { throughMs, throughPosition } = cold.coverage();
  await warm.prune({ ingestionMs: throughMs, position: throughPosition }, { dutyCycle: 1 });
  expect(await rowsInPostgres()).toBe(0);

  // a change that does not need the record reads nothing
  steps.length = 0;
  await warm.insertBatch({ messages: [make.message()] });
  expect(steps).toEqual([]);

  // the reorg does: by the index of its id, and then the row itself
  const { committed: commit } = await warm.insertBatch({
    orphanings: [{ messageId, blockHash: origin!.blockHash }],
  });
  const reads = steps.filter((step) => !step.includes('_delta_log'));
  expect(reads.slice(0, 2).sort()).toEqual(['get messages/_index/part.idx', 'get verifier_results/_index/part.idx']);
  expect(reads.slice(2).sort()).toEqual(['get messages/part.parquet', 'get verifier_results/part.parquet']);

  // Postgres tells it whole again, as it was but orphaned, with its result, at the positions of this commit
  const { changes } = await warm.changesAfter(commit!.throughPosition - 2n);
  const [after, result] = changes.map(({ record }) => record);
  expect(changes.map(({ kind }) => kind)).toEqual(['message', 'verifierResult']);
  expect(plain(after)).toEqual(plain({ ...before, orphaned: true, position: commit!.throughPosition - 1n }));
  expect(result).toMatchObject({ messageId, orphaned: true, position: commit!.throughPosition });
  // no list of it has more than what came in between
  expect((await warm.queryMessages({ startMs: throughMs + 1 })).items).toHaveLength(1);

  // and the cold tier follows: both say the same of it
  await follow(cold, warm);
  await cold.flush();
  const archive = createColdStorage({ name: 'again', store: directory.store, namespace: NAMESPACE, role: 'leader' });
  expect(plain(await archive.getMessage(messageId))).toEqual(plain(after));
  expect((await archive.queryMessages({})).items.map((item) => item.messageId)).not.toContain(messageId);
  await archive.close();
});
