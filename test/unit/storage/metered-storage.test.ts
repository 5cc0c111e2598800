import { expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.js';
import { createCommon } from '../../../src/core/common.js';
import { resolveListQuery, resolveRange } from '../../../src/model/list-query.js';
import type { BackendStorage } from '../../../src/storage/backend-storage.js';
import { createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createMeteredStorage } from '../../../src/storage/metered-storage.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { createMemoryObjectStore, MemoryBucket } from '../../simulation/process/memory-object-store.js';
import { createRecordMaker } from '../../support/records.js';
import { createFaultyStorage } from '../../support/sink/faulty-storage.js';

const cold = (role: 'follower' | 'leader') =>
  createColdStorage({
    ...{ name: role, store: createMemoryObjectStore(new MemoryBucket(), systemClock), namespace: 'test', role },
  });
const opened: Readonly<Record<string, () => BackendStorage>> = {
  window: () => createMemoryStorage({ name: 'window' }),
  'prunable record': () => createPostgresStorage({ connection: { connectionString: 'postgres://localhost:1/none' } }),
  'lasting record': () => cold('leader'),
  archive: () => cold('follower'),
};

/** Own and inherited. */
function membersOf(storage: object): Map<string, string> {
  const members = new Map<string, string>();
  for (let part = storage; part !== Object.prototype; part = Reflect.getPrototypeOf(part)!)
    for (const name of Object.getOwnPropertyNames(part))
      if (name !== 'constructor') members.set(name, typeof Reflect.get(storage, name));
  return members;
}

test.each(Object.entries(opened))('a metered storage keeps every member of a %s', async (_, open) => {
  const storage = open();
  const metered = createMeteredStorage(storage, createCommon());
  expect(membersOf(metered)).toEqual(membersOf(storage));
  expect([metered.kind, metered.prunable]).toEqual([storage.kind, storage.prunable]);
  await metered.close();
});

test('each operation is measured under its name, a list under that of its records', async () => {
  const common = createCommon();
  const storage = createMeteredStorage(createMemoryStorage({ name: 'hot' }), common);
  const result = createRecordMaker(1).results(1)[0]!;
  await storage.insertBatch({ verifierResults: [result] });
  await storage.getCCVData(result.messageId);
  // the Sink asks for these two, users for the others
  await storage.list('message', resolveListQuery({ limit: 1 }));
  await storage.count('verifierResult', resolveRange({}));
  await storage.queryCCVData({ limit: 1 });
  await storage.countMessages({});
  await storage.close();
  const text = await common.metrics.metrics();
  for (const operation of [
    ...['insertBatch', 'getCCVData', 'queryMessages', 'countCCVData', 'queryCCVData', 'countMessages'],
  ])
    expect(text).toMatch(
      new RegExp(`operation_duration_seconds_count\\{[^}]*backend="hot",operation="${operation}"[^}]*\\} 1\\b`),
    );
  expect(text).toMatch(/indexer_verification_records_total\{[^}]*backend="hot"[^}]*\} 1\b/);
});

test('dashboards of the Go indexer find unique messages, writes, reads and failures', async () => {
  const common = createCommon();
  const faulty = createFaultyStorage(createMemoryStorage({ name: 'hot' }));
  const storage = createMeteredStorage(faulty.storage, common);
  const messages = [createRecordMaker(2).message()];
  await storage.insertBatch({ messages });
  await storage.insertBatch({ messages });
  await storage.getMessage(messages[0]!.messageId);
  await expect(storage.getMessage(`0x${'00'.repeat(32)}`)).rejects.toMatchObject({ code: 'MESSAGE_NOT_FOUND' });
  faulty.fail(['insertBatch', 'getMessage']);
  await expect(storage.insertBatch({ messages })).rejects.toThrow();
  await expect(storage.getMessage(messages[0]!.messageId)).rejects.toThrow();
  faulty.heal();
  await storage.close();
  const lines = (await common.metrics.metrics()).split('\n');
  for (const line of [
    'indexer_unique_messages_total 1',
    'indexer_storage_insert_errors_total{backend="hot",operation="insertBatch"} 1',
    'indexer_storage_write_duration_seconds_count{backend="hot",operation="insertBatch",errored="false"} 2',
    'indexer_storage_write_duration_seconds_count{backend="hot",operation="insertBatch",errored="true"} 1',
    'indexer_storage_query_duration_seconds_count{backend="hot",operation="getMessage",errored="false"} 2',
    'indexer_storage_query_duration_seconds_bucket{le="+Inf",backend="hot",operation="getMessage",errored="true"} 1',
    'indexer_storage_operation_duration_seconds_count{backend="hot",operation="getMessage",errored="false"} 2',
    'indexer_storage_operation_duration_seconds_count{backend="hot",operation="getMessage",errored="true"} 1',
  ])
    expect(lines).toContain(line);
  for (const [name, count] of [
    ['indexer_storage_insert_errors_total{', 1],
    ['indexer_storage_write_duration_seconds_count{', 2],
    ['indexer_storage_query_duration_seconds_count{', 2],
  ] as const)
    expect(lines.filter((line) => line.startsWith(name))).toHaveLength(count);
});
