import { systemClock } from '../../src/core/clock.js';
import type { BufferedStorage } from '../../src/storage/buffered-storage.js';
import { createS3Storage, type S3Storage } from '../../src/storage/s3/s3-storage.js';
import { createMemoryObjectStore, MemoryBucket } from '../simulation/memory-object-store.js';

/** A cold tier over a bucket of its own: takes changes at once and is complete for them only when a test flushes them. */
export interface LaggingStorage {
  readonly storage: S3Storage;
  /** Makes everything applied so far durable and answered for. */
  flush(): Promise<void>;
}

/**
 * `settles`: flushes before it tells its changes. Whoever reads changes below a leader's floor can otherwise meet an old
 * state of a record, and its last in a later set (see `changesFrom`).
 */
export function createLaggingStorage(name: string, options: { readonly settles?: boolean } = {}): LaggingStorage {
  const archive = createS3Storage({
    ...{ name, store: createMemoryObjectStore(new MemoryBucket(), systemClock), namespace: 'test', role: 'archive' },
    ...{ flushIntervalMs: 1e9, refreshIntervalMs: 0, takeoverMs: 0, compactIntervalMs: 0, vacuumIntervalMs: 0 },
  });
  const flush = async () => await archive.flush();
  if (options.settles) {
    const changesAfter: BufferedStorage['changesAfter'] = archive.changesAfter.bind(archive);
    archive.changesAfter = async (afterPosition, limit) => {
      await flush();
      return await changesAfter(afterPosition, limit);
    };
  }
  return { storage: archive, flush };
}
