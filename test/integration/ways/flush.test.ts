import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ColdStorage, createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { plain } from '../../contract/subject.js';
import { committed, follow, NAMESPACE } from '../../support/cold/storage-life.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';
import { createRecordingStore } from './recording-store.js';

const FILES = [
  'ledger/part.parquet',
  'messages/_index/part.idx',
  'messages/part.parquet',
  'verifier_results/_index/part.idx',
  'verifier_results/part.parquet',
];
const COMMITS = ['messages', 'verifier_results', 'ledger'].map((table) => `put ${table}/_delta_log/commit`);

let database: TestDatabase;
let directory: TestDirectoryStore;
let warm: PostgresStorage;
let cold: ColdStorage;
/** What reaches the store, in order, and where the cold tier says that it stands meanwhile. */
let steps: string[];
let stoodAt: Set<bigint>;

beforeEach(async () => {
  [database, directory] = await Promise.all([createTestDatabase(), createTestDirectoryStore()]);
  warm = createPostgresStorage({ name: 'warm', connection: database.connection });
  [steps, stoodAt] = [[], new Set()];
  const store = createRecordingStore(directory.store, (step) => {
    steps.push(step);
    stoodAt.add(cold.coverage().throughPosition);
  });
  cold = createColdStorage({ name: 'cold', store, namespace: NAMESPACE, role: 'follower', flushIntervalMs: 1e9 });
});
afterEach(async () => {
  await Promise.all([warm.close(), cold.close()]);
  await Promise.all([database.drop(), directory.remove()]);
});

test('promise 8: a flush makes files of the buffer, reads them back, commits them, the ledger last, and then covers', async () => {
  // a cold tier that has its tables already
  const make = createRecordMaker(8);
  await warm.insertBatch({ messages: [make.message()] });
  await follow(cold, warm);
  await cold.flush();
  const { throughPosition: stood } = cold.coverage();

  // a chain's step: a message, its verification, and the cursor that moves with them
  const message = make.message();
  await warm.insertBatch({
    messages: [message],
    verifierResults: [make.result(message)],
    cursors: [{ sourceId: 'chain:1', height: 7n, hash: null, expectedHeight: null }],
  });

  // the changes of Postgres wait in the buffer: nothing is stored, and nothing is covered
  steps.length = 0;
  const changes = await warm.changesAfter(stood);
  await cold.apply(changes);
  expect(cold.appliedPosition()).toBe(changes.throughPosition);
  expect(cold.coverage().throughPosition).toBe(stood);
  expect(steps).toEqual([]);

  stoodAt.clear();
  await cold.flush();
  const writes = steps.filter((step) => !/^(?:get|head) .*_delta_log/.test(step));
  // the files of the buffer, each kind of record in its table, what goes by id with an index
  expect(writes.slice(0, 5).sort()).toEqual(FILES.map((file) => `put ${file}`));
  // every one of them read back
  expect(writes.slice(5, 10).sort()).toEqual(FILES.map((file) => `get ${file}`));
  // and only then the commits, that of the ledger last
  expect(writes.slice(10)).toEqual(COMMITS);
  // all the while the cold tier covered no more than before
  expect([...stoodAt]).toEqual([stood]);
  expect(cold.coverage()).toMatchObject({ throughPosition: changes.throughPosition });
  // another process finds the same, from the files alone
  expect(await committed(directory.store)).toMatchObject({ changes: plain((await warm.changesAfter(0n)).changes) });
});
