import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCommon } from '../../../src/core/common.js';
import { createDirectoryObjectStore } from '../../../src/storage/cold/object-store/directory/directory-store.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import {
  createS3ObjectStore,
  type S3ObjectStore,
  type S3ObjectStoreOptions,
} from '../../../src/storage/cold/object-store/s3/s3-store.js';
import { newBucketName, type S3TestServer } from './server.js';

/** An S3 store on `server`; `options` replace what they name. The bucket is a new name and does not exist yet. */
export function s3StoreOn(server: S3TestServer, options: Partial<S3ObjectStoreOptions> = {}): S3ObjectStore {
  return createS3ObjectStore({
    endpoint: server.endpoint,
    region: server.region,
    bucket: newBucketName(),
    prefix: '',
    pathStyle: true,
    checksums: 'when_supported',
    credentials: server.credentials,
    requestTimeoutMs: 20_000,
    maxAttempts: 4,
    hedgeAfterMs: 10_000,
    common: createCommon(),
    ...options,
  });
}

/** An S3 store in a bucket of its own, that exists. */
export async function createTestS3Store(
  server: S3TestServer,
  options: Partial<S3ObjectStoreOptions> = {},
): Promise<S3ObjectStore> {
  const store = s3StoreOn(server, options);
  await store.ensureBucket();
  return store;
}

/** A directory store of its own; `remove` closes it and deletes the directory. */
export interface TestDirectoryStore {
  readonly store: ObjectStore;
  readonly directory: string;
  remove(): Promise<void>;
}

export async function createTestDirectoryStore(): Promise<TestDirectoryStore> {
  const parent = await mkdtemp(join(tmpdir(), 'ccv-objects-'));
  const directory = join(parent, 'objects');
  const store = createDirectoryObjectStore({ directory, common: createCommon() });
  return {
    store,
    directory,
    remove: async () => {
      await store.close();
      await rm(parent, { recursive: true, force: true });
    },
  };
}
