import type { ColdStorage } from '../../src/storage/cold/cold-storage.js';
import type { Storage } from '../../src/storage/storage.js';
import { openMaintained } from '../support/cold/maintenance.js';
import { createTestDirectoryStore } from '../support/s3/object-store.js';
import { storageContract } from './storage-contract.js';

/** Compacts everything after each commit, and deletes at once what that removed; every third time only by the policy. */
function compactingStorage(storage: ColdStorage): Storage {
  let commits = 0;
  const maintained = async <T>(writing: Promise<T>): Promise<T> => {
    const outcome = await writing;
    commits += 1;
    await storage.maintenance.compact({ full: commits % 3 !== 0 });
    if (commits % 5 === 0) await storage.maintenance.vacuum({ graceMs: 0 });
    return outcome;
  };
  return new Proxy<Storage>(storage, {
    get(target, name) {
      if (name === 'insertBatch')
        return (input: never) =>
          maintained<unknown>((target[name] as (input: never) => Promise<unknown>).call(target, input));
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

storageContract('S3 over a directory, compacted after every commit', async () => {
  const { store, remove } = await createTestDirectoryStore();
  const storage = openMaintained(store, { role: 'leader', compactBytes: 64 * 1024 });
  return {
    storage: compactingStorage(storage),
    reopen: async () => openMaintained(store, { name: 'cold-again', role: 'leader' }),
    close: async () => {
      await storage.close();
      await remove();
    },
  };
});
