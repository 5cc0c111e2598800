import { createPostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { databasesInTurn } from '../support/postgres/emptied-database.js';
import { storageContract } from './storage-contract.js';

const databases = databasesInTurn();

storageContract('postgres', async () => {
  const database = await databases.take();
  const open = (name: string) => createPostgresStorage({ name, connection: database.connection });
  const storage = open('warm');
  return {
    storage,
    reopen: async () => open('warm-again'),
    close: async () => {
      await storage.close();
      database.giveBack();
    },
  };
});
