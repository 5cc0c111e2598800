import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ColdStorage, createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import type { ColdStorageOptions } from '../../../src/storage/cold/namespace/cold-storage-options.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../s3/object-store.js';

/** A storage over `store` that flushes, compacts and vacuums only when told to. */
export function openMaintained(store: ObjectStore, options: Partial<ColdStorageOptions> = {}): ColdStorage {
  return createColdStorage({
    name: 'cold',
    store,
    namespace: 'test',
    role: 'follower',
    takeoverMs: 0,
    compactIntervalMs: 0,
    vacuumIntervalMs: 0,
    ...options,
  });
}

/** A namespace that can be put back to how it was: for runs that are cut off at one point after the other. */
export interface NamespaceTemplate {
  /** A copy of it, to be done with as one likes. */
  copy(): Promise<TestDirectoryStore>;
  remove(): Promise<void>;
}

/** Keeps what `fill` stores. */
export async function createNamespaceTemplate(fill: (store: ObjectStore) => Promise<void>): Promise<NamespaceTemplate> {
  const template = await createTestDirectoryStore();
  await fill(template.store);
  return {
    copy: async () => {
      const copy = await createTestDirectoryStore();
      await copyFiles(template.directory, copy.directory);
      return copy;
    },
    remove: () => template.remove(),
  };
}

/** `cp` of Node.js looks at each file several times before it copies it. */
async function copyFiles(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    await (entry.isDirectory() ? copyFiles(source, target) : copyFile(source, target));
  }
}

/** Paths of all objects, without the logs. */
export async function dataObjects(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for (let startAfter: string | null = ''; startAfter !== null; ) {
    const page = await store.list('test/', startAfter === '' ? {} : { startAfter });
    keys.push(...page.objects.map(({ key }) => key).filter((key) => !key.includes('_delta_log')));
    startAfter = page.next;
  }
  return keys;
}

/** A store whose calls about some keys wait until they are let go. */
export interface HoldingObjectStore extends ObjectStore {
  /** The next put of such a key waits. Resolves when one does. */
  hold(key: (key: string) => boolean): Promise<{ release(): void }>;
}

export function createHoldingObjectStore(store: ObjectStore): HoldingObjectStore {
  let held: { key: (key: string) => boolean; reached: (wait: { release(): void }) => void } | null = null;
  return {
    hold: (key) =>
      new Promise((reached) => {
        held = { key, reached };
      }),
    putIfAbsent: async (key, bytes) => {
      if (held?.key(key)) {
        const { reached } = held;
        held = null;
        await new Promise<void>((release) => reached({ release }));
      }
      return await store.putIfAbsent(key, bytes);
    },
    get: (key, range) => store.get(key, range),
    head: (key) => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    deleteMany: (keys) => store.deleteMany(keys),
    close: async () => undefined,
  };
}
