import { afterAll, beforeAll } from 'vitest';
import { createSimpleSink } from '../../src/sink/sink.js';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.js';
import { createS3Storage } from '../../src/storage/s3/s3-storage.js';
import { createTestDirectoryStore, s3StoreOn } from '../support/object-store.js';
import { newBucketName, type S3TestServer, startS3Server } from '../support/s3-server.js';
import { storageContract } from './storage-contract.js';

storageContract('S3 over a directory', async () => {
  const { store, remove } = await createTestDirectoryStore();
  const open = (name: string) => createS3Storage({ name, store, namespace: 'test', role: 'sole' });
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
  const open = (name: string) => createS3Storage({ name, store, namespace: 'test', role: 'sole' });
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

let server: S3TestServer;
let bucket: string;
let namespaces = 0;

beforeAll(async () => {
  server = await startS3Server();
  bucket = newBucketName();
  const store = s3StoreOn(server, { bucket });
  await store.ensureBucket();
  await store.close();
}, 300_000);
afterAll(async () => {
  await server?.stop();
});

storageContract('S3 over a real server', async () => {
  const stores = [s3StoreOn(server, { bucket }), s3StoreOn(server, { bucket })] as const;
  namespaces += 1;
  const namespace = `test-${namespaces}`;
  const open = (name: string, store: (typeof stores)[number]) =>
    createS3Storage({ name, store, namespace, role: 'sole' });
  const storage = open('cold', stores[0]);
  return {
    storage,
    reopen: async () => open('cold-again', stores[1]),
    close: async () => {
      await storage.close();
      await Promise.all(stores.map((store) => store.close()));
    },
  };
});
