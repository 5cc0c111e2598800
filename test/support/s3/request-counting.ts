import type {
  ByteRange,
  ListOptions,
  ObjectHead,
  ObjectPage,
  ObjectStore,
} from '../../../src/storage/cold/object-store/object-store.js';

/** What is counted apart. */
export type CountedOperation = 'put' | 'get' | 'head' | 'list' | 'delete';

/** Calls of one kind and the bytes of objects that they moved. */
export interface RequestCount {
  readonly requests: number;
  readonly bytes: number;
}

/** All calls since the start or the last reset. */
export type RequestCounts = Readonly<Record<CountedOperation, RequestCount>>;

/** A store that counts what it is asked, failed calls too. Retries and hedges inside the store are not seen here. */
export interface CountingObjectStore extends ObjectStore {
  counts(): RequestCounts;
  /** Requests and bytes of all kinds together. */
  total(): RequestCount;
  reset(): void;
}

const OPERATIONS: readonly CountedOperation[] = ['put', 'get', 'head', 'list', 'delete'];

const zeroes = () => ({
  put: { requests: 0, bytes: 0 },
  get: { requests: 0, bytes: 0 },
  head: { requests: 0, bytes: 0 },
  list: { requests: 0, bytes: 0 },
  delete: { requests: 0, bytes: 0 },
});

/** Counts the calls to `store`, for tests and benchmarks. Closing it closes `store`. */
export function createCountingObjectStore(store: ObjectStore): CountingObjectStore {
  let counted = zeroes();
  const add = (operation: CountedOperation, bytes: number, requests = 1) => {
    counted[operation].requests += requests;
    counted[operation].bytes += bytes;
  };
  return {
    async putIfAbsent(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
      add('put', bytes.byteLength);
      return await store.putIfAbsent(key, bytes);
    },
    async get(key: string, range?: ByteRange): Promise<Uint8Array> {
      add('get', 0);
      const bytes = await store.get(key, range);
      add('get', bytes.byteLength, 0);
      return bytes;
    },
    async head(key: string): Promise<ObjectHead> {
      add('head', 0);
      return await store.head(key);
    },
    async list(prefix: string, options?: ListOptions): Promise<ObjectPage> {
      add('list', 0);
      return await store.list(prefix, options);
    },
    async deleteMany(keys: readonly string[]): Promise<void> {
      // what S3 takes in one request
      add('delete', 0, Math.ceil(keys.length / 1000));
      await store.deleteMany(keys);
    },
    close: () => store.close(),
    counts: () => structuredClone(counted),
    total: () =>
      OPERATIONS.reduce(
        (sum, operation) => ({
          requests: sum.requests + counted[operation].requests,
          bytes: sum.bytes + counted[operation].bytes,
        }),
        { requests: 0, bytes: 0 },
      ),
    reset: () => {
      counted = zeroes();
    },
  };
}
