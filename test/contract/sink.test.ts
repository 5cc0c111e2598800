import { createSimpleSink, createSink } from '../../src/sink/sink.js';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.js';
import { createPostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { neverRead } from '../../src/storage/read-conditions.js';
import { recallFrom } from '../../src/storage/recall.js';
import { eventually } from '../support/eventually.js';
import { createFaultyStorage } from '../support/faulty-storage.js';
import { createLaggingStorage } from '../support/lagging-storage.js';
import { createTestDatabase } from '../support/postgres.js';
import { storageContract } from './storage-contract.js';

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
  const database = await createTestDatabase();
  const open = (name: string) => createPostgresStorage({ name, connection: database.connection });
  const storage = createSimpleSink([createMemoryStorage({ name: 'hot' }), open('warm')]);
  return {
    storage,
    reopen: async () => createSimpleSink([createMemoryStorage({ name: 'hot-again' }), open('warm-again')]),
    close: async () => {
      await storage.close();
      await database.drop();
    },
  };
});

storageContract('Sink of a memory that holds little and two Postgres databases', async () => {
  const [first, second] = [await createTestDatabase(), await createTestDatabase()];
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
      await Promise.all([first.drop(), second.drop()]);
    },
  };
});

// nearly everything is answered by a tier that lags, put right by what the database still knows
storageContract(
  'Sink of a memory that holds little, a Postgres that is pruned all the time and a tier that lags',
  async () => {
    const database = await createTestDatabase();
    const lagging = createLaggingStorage('cold', { settles: true });
    const recall = recallFrom(lagging.storage)!;
    const warm = createPostgresStorage({ name: 'warm', connection: database.connection, recall });
    const storage = createSink({
      backends: [
        { storage: createMemoryStorage({ name: 'hot', maxSize: 3, cleanupIntervalMs: 1 }) },
        { storage: warm, retentionMs: 1 },
        { storage: lagging.storage, tier: 'cold' },
      ],
      pruneIntervalMs: 3,
    });
    await storage.started();
    // cases close the storage themselves: a flush then finds it closed
    const flushing = setInterval(() => void lagging.flush().catch(() => undefined), 8);
    // a database that takes over changes does not know from where they moved records: the tier has to have them first
    const apply = storage.apply.bind(storage);
    storage.apply = async (set) => {
      await apply(set);
      await eventually('the tier has heard of it', () => lagging.storage.appliedPosition() >= set.throughPosition);
      await lagging.flush();
    };
    return {
      storage,
      close: async () => {
        clearInterval(flushing);
        await storage.close();
        await database.drop();
      },
    };
  },
);
