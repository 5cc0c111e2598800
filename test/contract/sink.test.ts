import { createSimpleSink, createSink } from '../../src/sink/sink.js';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.js';
import { createFaultyStorage } from '../support/faulty-storage.js';
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
