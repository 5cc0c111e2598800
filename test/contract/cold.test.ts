import { afterAll, beforeAll } from 'vitest';
import { createSimpleSink } from '../../src/sink/sink.js';
import { createColdStorage } from '../../src/storage/cold/cold-storage.js';
import type { ObjectStore } from '../../src/storage/cold/object-store/object-store.js';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.js';
import { createTestDirectoryStore, s3StoreOn } from '../support/s3/object-store.js';
import { s3BucketFixture } from '../support/s3/server-fixture.js';
import { storageContract } from './storage-contract.js';

storageContract('S3 over a directory', async () => {
  const { store, remove } = await createTestDirectoryStore();
  const open = (name: string) => createColdStorage({ name, store, namespace: 'test', role: 'leader' });
  const storage = open('cold');
  return {
    storage,
    reopen: async () => open('cold-again'),
    close: async () => {
      await storage.close();
      await remove();
    },
  };
});

storageContract('Sink of memory and S3', async () => {
  const { store, remove } = await createTestDirectoryStore();
  const open = (name: string) => createColdStorage({ name, store, namespace: 'test', role: 'leader' });
  const storage = createSimpleSink([createMemoryStorage({ name: 'hot' }), open('cold')]);
  return {
    storage,
    reopen: async () => createSimpleSink([createMemoryStorage({ name: 'hot-again' }), open('cold-again')]),
    close: async () => {
      await storage.close();
      await remove();
    },
  };
});

const s3 = s3BucketFixture();
let namespaces = 0;
// two processes' ways to the server, for all tests: each test has a namespace of its own
let stores: readonly [ObjectStore, ObjectStore];

beforeAll(() => {
  const { server, bucket } = s3;
  stores = [s3StoreOn(server, { bucket }), s3StoreOn(server, { bucket })];
});
afterAll(async () => {
  for (const store of stores) await store.close();
});

storageContract('S3 over a real server', async () => {
  namespaces += 1;
  const namespace = `test-${namespaces}`;
  const open = (name: string, store: ObjectStore) => createColdStorage({ name, store, namespace, role: 'leader' });
  const storage = open('cold', stores[0]);
  return {
    storage,
    reopen: async () => open('cold-again', stores[1]),
    close: async () => await storage.close(),
  };
});
