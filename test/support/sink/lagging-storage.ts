import { systemClock } from '../../../src/core/clock.js';
import { type ColdStorage, createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { createMemoryObjectStore, MemoryBucket } from '../../simulation/process/memory-object-store.js';

/** A cold tier over a bucket of its own: takes changes at once and is complete for them only when a test flushes them. */
export interface LaggingStorage {
  readonly storage: ColdStorage;
  /** Makes everything applied so far durable and answered for. */
  flush(): Promise<void>;
}

/**
 * @param bucket of another one that was there before, or is beside this one.
 * @param refreshIntervalMs for how long it takes the bucket to be unchanged by others.
 */
export function createLaggingStorage(name: string, bucket = new MemoryBucket(), refreshIntervalMs = 0): LaggingStorage {
  const archive = createColdStorage({
    ...{ name, store: createMemoryObjectStore(bucket, systemClock), namespace: 'test', role: 'follower' },
    ...{ flushIntervalMs: 1e9, refreshIntervalMs, takeoverMs: 0, compactIntervalMs: 0, vacuumIntervalMs: 0 },
  });
  return { storage: archive, flush: async () => await archive.flush() };
}
