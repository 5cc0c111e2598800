import { createMemoryStorage } from '../../src/storage/memory/memory-storage.js';
import { storageContract } from './storage-contract.js';

storageContract('memory', async () => {
  const storage = createMemoryStorage({ name: 'memory', maxStalenessMs: 60_000 });
  return { storage, close: () => storage.close() };
});
