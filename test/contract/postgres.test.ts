import { createPostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { createTestDatabase } from '../support/postgres/postgres.js';
import { storageContract } from './storage-contract.js';

storageContract('postgres', async () => {
  const database = await createTestDatabase();
  const open = (name: string) => createPostgresStorage({ name, connection: database.connection });
  const storage = open('warm');
  return {
    storage,
    reopen: async () => open('warm-again'),
    close: async () => {
      await storage.close();
      await database.drop();
    },
  };
});
