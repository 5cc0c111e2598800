import type { ObjectStore } from '../../src/storage/s3/object-store.js';
import { createS3Storage, type S3Storage, type S3StorageOptions } from '../../src/storage/s3/s3-storage.js';

/** A storage over `store` that flushes, compacts and vacuums only when told to. */
export function openMaintained(store: ObjectStore, options: Partial<S3StorageOptions> = {}): S3Storage {
  return createS3Storage({
    name: 'cold',
    store,
    namespace: 'test',
    role: 'archive',
    takeoverMs: 0,
    compactIntervalMs: 0,
    vacuumIntervalMs: 0,
    ...options,
  });
}
