import { expect, test } from 'vitest';
import { createColdStorage } from '../../../../src/storage/cold/cold-storage.js';
import type { ObjectStore } from '../../../../src/storage/cold/object-store/object-store.js';
import { ObjectStoreUnavailableError } from '../../../../src/storage/cold/object-store/object-store-errors.js';
import { createMemoryObjectStore, MemoryBucket } from '../../../simulation/process/memory-object-store.js';
import { createHoldingObjectStore } from '../../../support/cold/maintenance.js';
import { createMortalStore, NAMESPACE } from '../../../support/cold/storage-life.js';
import { createRecordMaker } from '../../../support/records.js';
import { createFaultyObjectStore } from '../../../support/s3/object-store-faults.js';
import { createCountingObjectStore } from '../../../support/s3/request-counting.js';

const newStore = () => createMemoryObjectStore(new MemoryBucket(), { nowMs: () => Date.now() });

function openLeader(store: ObjectStore) {
  return createColdStorage({ name: 'cold', store, namespace: NAMESPACE, role: 'leader' });
}

async function storedIds(store: ObjectStore): Promise<string[]> {
  const reader = openLeader(store);
  const { items } = await reader.queryMessages({ limit: 100 });
  const { problems } = await reader.maintenance.verify();
  expect(problems).toEqual([]);
  await reader.close();
  return items.map(({ messageId }) => messageId).sort();
}

test('looks once at a namespace that is not there, and creates each table with one request', async () => {
  const make = createRecordMaker(90);
  const store = createCountingObjectStore(newStore());
  const storage = openLeader(store);
  await storage.ready();
  // the ledger's checkpoint and its commits, and whether there is anything else
  expect(store.total().requests).toBe(3);
  store.reset();
  await storage.insertBatch({ messages: [make.message({})] });
  const { put, get, head, list } = store.counts();
  // four tables, a file with its index, the commits to three tables
  expect(put.requests).toBe(4 + 2 + 3);
  // the file and its index are read back
  expect(get.requests + head.requests + list.requests).toBe(2);
  await storage.close();
});

test('promise 3: a namespace whose ledger is gone is not taken for one that is not there', async () => {
  const make = createRecordMaker(96);
  const store = newStore();
  const before = openLeader(store);
  await before.insertBatch({ messages: [make.message({})] });
  await before.close();
  const { objects } = await store.list(`${NAMESPACE}/ledger/`);
  expect(objects.length).toBeGreaterThan(0);
  await store.deleteMany(objects.map(({ key }) => key));

  const after = openLeader(store);
  await expect(after.queryMessages({ limit: 1 })).rejects.toThrow('storage cold failed to');
  await expect(after.insertBatch({ messages: [make.message({})] })).rejects.toThrow('storage cold failed to');
  await after.close();
});

test('two writers that found no namespace and write at the same time both store their records', async () => {
  const make = createRecordMaker(91);
  const store = newStore();
  const messages = Array.from({ length: 6 }, () => make.message({}));
  const writers = messages.map(() => openLeader(store));
  await Promise.all(writers.map((writer) => writer.ready()));
  await Promise.all(writers.map((writer, place) => writer.insertBatch({ messages: [messages[place]!] })));
  await Promise.all(writers.map((writer) => writer.close()));
  expect(await storedIds(store)).toEqual(messages.map(({ messageId }) => messageId).sort());
});

test('a writer that found no namespace, and creates a table when another one has filled it, starts anew on top', async () => {
  const make = createRecordMaker(92);
  const [early, late] = [make.message({}), make.message({})];
  for (const table of ['messages', 'verifier_results', 'executions', 'ledger']) {
    const store = newStore();
    const holding = createHoldingObjectStore(store);
    const held = holding.hold((key) => key.includes(`/${table}/_delta_log/`));
    const slow = openLeader(holding);
    const writing = slow.insertBatch({ messages: [late] });
    const { release } = await held;
    const quick = openLeader(store);
    await quick.insertBatch({ messages: [early] });
    release();
    await writing;
    await Promise.all([slow.close(), quick.close()]);
    expect(await storedIds(store)).toEqual([early.messageId, late.messageId].sort());
  }
});

test.each(['messages', 'verifier_results', 'executions', 'ledger'])(
  'a writer that died as it created %s is followed by one that stores everything',
  async (table) => {
    const make = createRecordMaker(93);
    for (const when of ['before', 'after'] as const) {
      const store = newStore();
      const mortal = createMortalStore(store);
      const faulty = createFaultyObjectStore(mortal);
      faulty.failOn({
        ...{ operation: 'put', when, key: (key) => key.includes(`/${table}/_delta_log/`) },
        error: () => {
          mortal.kill();
          throw new ObjectStoreUnavailableError('the process was killed');
        },
      });
      const dying = openLeader(faulty);
      await expect(dying.insertBatch({ messages: [make.message({})] })).rejects.toThrow();
      const message = make.message({});
      const next = openLeader(store);
      await next.insertBatch({ messages: [message] });
      await next.close();
      expect(await storedIds(store)).toEqual([message.messageId]);
    }
  },
);
