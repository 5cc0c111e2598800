import { constants } from 'node:fs';
import { access, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createCommon } from '../../../src/core/common.js';
import { toError } from '../../../src/core/errors.js';
import { createDirectoryObjectStore } from '../../../src/storage/cold/object-store/directory/directory-store.js';
import { MAX_PAGE_OBJECTS, type ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { createTestS3Store } from '../../../test/support/s3/object-store.js';
import { startS3Server } from '../../../test/support/s3/server.js';
import { makeDirectory } from '../scratch.js';

/** An object store to measure, empty. */
export interface ObjectPlace {
  /** For the tables. */
  readonly name: 'directory' | 'S3 server';
  readonly store: ObjectStore;
  /** Deletes everything in it. */
  close(): Promise<void>;
}

/** Results of `work` in each place, and the reason where one is missing. */
export interface InPlaces<T> {
  readonly found: readonly T[];
  readonly remarks: readonly string[];
}

/** Programs that `.ci/install-ceph` provides, by PATH or unpacked below the cache directory. */
const CEPH_PROGRAMS = ['radosgw', 'radosgw-admin', 'ceph-mon', 'ceph-osd', 'ceph', 'ceph-authtool', 'monmaptool'];
const NO_S3 =
  'The S3 server was left out: Ceph is not installed. `.ci/install-ceph` installs it (Debian, or any system with apt).';

/**
 * Gives `work` a directory and, where there is one, a real S3 server, one after the other, and empties each afterwards.
 */
export async function inObjectPlaces<T>(work: (place: ObjectPlace) => Promise<T>): Promise<InPlaces<T>> {
  const found = [await inPlace(await openDirectory(), work)];
  if (!(await hasCeph())) return { found, remarks: [NO_S3] };
  let server: ObjectPlace;
  try {
    server = await openS3Server();
  } catch (thrown) {
    return { found, remarks: [`The S3 server was left out: ${toError(thrown).message}`] };
  }
  return { found: [...found, await inPlace(server, work)], remarks: [] };
}

/** Deletes every object whose key starts with `prefix`. */
export async function deleteAll(store: ObjectStore, prefix: string): Promise<void> {
  for (;;) {
    const { objects } = await store.list(prefix, { limit: MAX_PAGE_OBJECTS });
    if (objects.length === 0) return;
    await store.deleteMany(objects.map(({ key }) => key));
  }
}

async function inPlace<T>(place: ObjectPlace, work: (place: ObjectPlace) => Promise<T>): Promise<T> {
  try {
    return await work(place);
  } finally {
    await place.close();
  }
}

async function openDirectory(): Promise<ObjectPlace> {
  const directory = await makeDirectory();
  const store = createDirectoryObjectStore({ directory, common: createCommon() });
  return {
    name: 'directory',
    store,
    async close() {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function openS3Server(): Promise<ObjectPlace> {
  const server = await startS3Server();
  // its files are not below the run's directory
  const onInterrupt = () => void server.stop().finally(() => process.exit(130));
  process.once('SIGINT', onInterrupt);
  try {
    const store = await createTestS3Store(server);
    return {
      name: 'S3 server',
      store,
      async close() {
        process.off('SIGINT', onInterrupt);
        await store.close();
        await server.stop();
      },
    };
  } catch (thrown) {
    await server.stop();
    throw thrown;
  }
}

async function hasCeph(): Promise<boolean> {
  const unpacked = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ccv-indexer/ceph/usr/bin/radosgw');
  if (await canRun(unpacked)) return true;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const found = await Promise.all(
    CEPH_PROGRAMS.map(async (program) => {
      const here = await Promise.all(folders.map((folder) => canRun(join(folder, program))));
      return here.includes(true);
    }),
  );
  return found.every(Boolean);
}

async function canRun(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
