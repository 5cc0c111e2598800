import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { createDirectoryObjectStore } from '../../../src/storage/cold/object-store/directory/directory-store.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { ObjectStoreError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';

const HOUR_MS = 3_600_000;

describe('the files of a directory store', () => {
  let subject: TestDirectoryStore;
  let store: ObjectStore;
  beforeEach(async () => {
    subject = await createTestDirectoryStore();
    store = subject.store;
  });
  afterEach(async () => {
    await subject.remove();
  });
  const uploads = () => join(subject.directory, '.uploading');

  it('touches nothing before the first write', async () => {
    expect(await store.list('')).toEqual({ objects: [], next: null });
    await expect(stat(subject.directory)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('lie at the paths of their keys, with nothing left beside them', async () => {
    await store.putIfAbsent('a/b.json', Buffer.from('x'));
    await store.putIfAbsent('a/b.json', Buffer.from('y'));
    expect((await readdir(subject.directory, { recursive: true })).sort()).toEqual(['.uploading', 'a', 'a/b.json']);
  });

  it('are not seen half written', async () => {
    await store.putIfAbsent('a', Buffer.from('x'));
    await writeFile(join(uploads(), 'half'), 'x');
    expect((await store.list('')).objects.map(({ key }) => key)).toEqual(['a']);
    expect((await store.list('.upl')).objects).toEqual([]);
    expect((await store.list('.uploading/')).objects).toEqual([]);
  });

  it('that a crash left half written are removed after an hour, those of running writers are not', async () => {
    await mkdir(uploads(), { recursive: true });
    for (const [name, ageMs] of [
      ['abandoned', 2 * HOUR_MS],
      ['running', HOUR_MS / 2],
    ] as const) {
      await writeFile(join(uploads(), name), 'x');
      const writtenAt = new Date(Date.now() - ageMs);
      await utimes(join(uploads(), name), writtenAt, writtenAt);
    }
    await store.putIfAbsent('a', Buffer.from('x'));
    expect(await readdir(uploads())).toEqual(['running']);
  });

  it('are on the disk before they have their name, and the name is before the write returns, with every new folder', async () => {
    await store.putIfAbsent('first', Buffer.from('x'));
    const target = join(subject.directory, 'a/b/c.json');
    const handle = await open(subject.directory);
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    const { sync } = prototype;
    const synced: { readonly inode: number; readonly hasName: boolean }[] = [];
    prototype.sync = async function (this: FileHandle) {
      const { ino: inode } = await this.stat();
      synced.push({ inode, hasName: existsSync(target) });
      await sync.call(this);
    };
    try {
      await store.putIfAbsent('a/b/c.json', Buffer.from('x'));
    } finally {
      prototype.sync = sync;
    }
    const inodeOf = async (...path: string[]) => (await stat(join(subject.directory, ...path))).ino;
    expect(synced).toContainEqual({ inode: await inodeOf('a/b/c.json'), hasName: false });
    for (const folder of ['', 'a']) expect(synced.map(({ inode }) => inode)).toContain(await inodeOf(folder));
    expect(synced.at(-1)).toEqual({ inode: await inodeOf('a/b'), hasName: true });
  });

  it('cannot be written where another key is a folder, or below another key', async () => {
    await store.putIfAbsent('a/b', Buffer.from('x'));
    await expect(store.putIfAbsent('a', Buffer.from('y'))).rejects.toBeInstanceOf(ObjectStoreError);
    await expect(store.putIfAbsent('a/b/c', Buffer.from('y'))).rejects.toBeInstanceOf(ObjectStoreError);
    expect(await readdir(uploads())).toEqual([]);
  });

  it('cannot be written into a directory that is a file', async () => {
    await store.putIfAbsent('file', Buffer.from('x'));
    const broken = createDirectoryObjectStore({
      directory: join(subject.directory, 'file'),
      common: createCommon(),
    });
    await expect(broken.putIfAbsent('a', Buffer.from('y'))).rejects.toMatchObject({
      code: 'OBJECT_STORE_FAILED',
      details: { operation: 'put' },
    });
    expect((await broken.list('')).objects).toEqual([]);
  });

  it('put there by others are listed only where their names are keys', async () => {
    await store.putIfAbsent('a', Buffer.from('x'));
    await writeFile(join(subject.directory, 'with\nnewline'), 'x');
    await writeFile(join(subject.directory, 'b'), 'foreign');
    expect((await store.list('')).objects.map(({ key }) => key)).toEqual(['a', 'b']);
  });
});
