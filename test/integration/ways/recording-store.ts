import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';

/** A store that notes each request as a line: `put messages/part`, `get messages/part`, `put ledger/_delta_log`, … */
export function createRecordingStore(store: ObjectStore, note: (line: string) => void): ObjectStore {
  return {
    putIfAbsent: async (key, bytes) => {
      note(`put ${kindOf(key)}`);
      return await store.putIfAbsent(key, bytes);
    },
    get: async (key, range) => {
      note(`get ${kindOf(key)}`);
      return await store.get(key, range);
    },
    head: async (key) => {
      note(`head ${kindOf(key)}`);
      return await store.head(key);
    },
    list: async (prefix, options) => await store.list(prefix, options),
    deleteMany: async (keys) => await store.deleteMany(keys),
    close: async () => await store.close(),
  };
}

/** A key without its namespace, its day and what is random or counted in it. */
function kindOf(key: string): string {
  return key
    .replace(/^[^/]+\//, '')
    .replace(/day=[0-9-]+\//, '')
    .replace(/part-.*(\.\w+)$/, 'part$1')
    .replace(/\/\d{20}\.json$/, '/commit');
}
