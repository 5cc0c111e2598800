import { neverRead } from '../../src/model/read-conditions.js';
import { createSimpleSink, createSink } from '../../src/sink/sink.js';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.js';
import { createPostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { databasesInTurn } from '../support/postgres/emptied-database.js';
import { createFaultyStorage } from '../support/sink/faulty-storage.js';
import { storageContract } from './storage-contract.js';

const databases = databasesInTurn();

storageContract('Sink of two memories', async () => {
  const storage = createSimpleSink([createMemoryStorage({ name: 'first' }), createMemoryStorage({ name: 'second' })]);
  return { storage, close: async () => await storage.close() };
});

// nearly every answer is put together from both
storageContract('Sink of a memory that holds little and one that holds all', async () => {
  const hot = createMemoryStorage({ name: 'hot', maxSize: 3, cleanupIntervalMs: 1 });
  const warm = createFaultyStorage(createMemoryStorage({ name: 'warm' }), { durable: true });
  const storage = createSink({ backends: [{ storage: hot }, { storage: warm.storage }] });
  await storage.started();
  return { storage, close: async () => await storage.close() };
});

storageContract('Sink of memory and Postgres', async () => {
  const database = await databases.take();
  const open = (name: string) => createPostgresStorage({ name, connection: database.connection });
  const storage = createSimpleSink([createMemoryStorage({ name: 'hot' }), open('warm')]);
  return {
    storage,
    reopen: async () => createSimpleSink([createMemoryStorage({ name: 'hot-again' }), open('warm-again')]),
    close: async () => {
      await storage.close();
      database.giveBack();
    },
  };
});

storageContract('Sink of a memory that holds little and two Postgres databases', async () => {
  const [first, second] = [await databases.take(), await databases.take()];
  const storage = createSink({
    backends: [
      { storage: createMemoryStorage({ name: 'hot', maxSize: 5, cleanupIntervalMs: 5 }) },
      { storage: createPostgresStorage({ name: 'old', connection: first.connection }) },
      { storage: createPostgresStorage({ name: 'new', connection: second.connection }), condition: neverRead() },
    ],
  });
  return {
    storage,
    reopen: async () => createPostgresStorage({ name: 'new-again', connection: second.connection }),
    close: async () => {
      await storage.close();
      first.giveBack();
      second.giveBack();
    },
  };
});

// a pruned Postgres and the cold tier: see tiers.test.ts
