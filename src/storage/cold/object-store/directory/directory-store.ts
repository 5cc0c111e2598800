import { randomUUID } from 'node:crypto';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Common } from '../../../../core/common.js';
import { ClosedError, IndexerError } from '../../../../core/errors.js';
import { checkByteRange, checkListArguments, checkObjectKey, RESERVED_SEGMENT } from '../object-key.js';
import {
  type ByteRange,
  type ListedObject,
  type ListOptions,
  MAX_PAGE_OBJECTS,
  type ObjectHead,
  type ObjectPage,
  type ObjectStore,
} from '../object-store.js';
import {
  type DeleteFailure,
  ObjectDeleteError,
  ObjectNotFoundError,
  ObjectRangeError,
} from '../object-store-errors.js';
import {
  createObjectStoreMeters,
  type ObjectOperation,
  type ObjectStoreMeters,
  type RequestResult,
} from '../object-store-metrics.js';
import {
  DurableFolders,
  isFolder,
  isMissing,
  linkIfAbsent,
  readExactly,
  removeFilesOlderThan,
  syncDirectory,
  unlinkIfPresent,
  writeSynced,
} from './durable-files.js';
import { directoryError, systemErrorCode } from './system-errors.js';
import { walkKeys } from './walk.js';

/** The place of a local store. */
export interface DirectoryObjectStoreOptions {
  /** Created with the first object. Any number of processes of one machine may use it. */
  readonly directory: string;
  readonly common: Common;
}

/** No write takes so long: an older file in the folder of files being written was left by a crash. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/**
 * An object store in a local directory: each object is a file at its key's path. Acknowledged writes survive a crash
 * of the process and of the machine. Touches nothing before the first call.
 */
export function createDirectoryObjectStore(options: DirectoryObjectStoreOptions): ObjectStore {
  return new DirectoryObjectStore(options);
}

class DirectoryObjectStore implements ObjectStore {
  readonly #root: string;
  readonly #common: Common;
  readonly #meters: ObjectStoreMeters;
  /** The folder of files without their name yet: on the same file system, outside of all keys. */
  readonly #uploads: string;
  readonly #folders = new DurableFolders();
  #preparing: Promise<void> | undefined;
  #closed = false;

  constructor({ directory, common }: DirectoryObjectStoreOptions) {
    this.#root = resolve(directory);
    this.#uploads = join(this.#root, RESERVED_SEGMENT);
    this.#common = common;
    this.#meters = createObjectStoreMeters('directory', common);
  }

  async putIfAbsent(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    checkObjectKey(key);
    return await this.#measured('put', bytes.byteLength, async () => {
      await this.#prepare();
      const path = join(this.#root, key);
      const temporaryPath = join(this.#uploads, randomUUID());
      try {
        await writeSynced(temporaryPath, bytes);
        await this.#folders.make(dirname(path));
        return await linkIfAbsent(temporaryPath, path);
      } finally {
        await unlinkIfPresent(temporaryPath);
      }
    });
  }

  async get(key: string, range?: ByteRange): Promise<Uint8Array> {
    checkObjectKey(key);
    if (range) checkByteRange(range);
    return await this.#measured('get', 0, async () => {
      const file = await this.#open(key);
      try {
        const sizeBytes = await sizeOf(file, key);
        if (range && range.endExclusive > sizeBytes) throw new ObjectRangeError(key, range, { details: { sizeBytes } });
        const { start, endExclusive } = range ?? { start: 0, endExclusive: sizeBytes };
        const bytes = await readExactly(file, start, endExclusive - start);
        if (!bytes) throw new ObjectRangeError(key, { start, endExclusive }, { details: { sizeBytes } });
        return bytes;
      } finally {
        await file.close();
      }
    });
  }

  async head(key: string): Promise<ObjectHead> {
    checkObjectKey(key);
    return await this.#measured('head', 0, async () => {
      const head = await headOf(join(this.#root, key));
      if (!head) throw new ObjectNotFoundError(key);
      return head;
    });
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ObjectPage> {
    checkListArguments(prefix, options);
    const limit = Math.min(options.limit ?? MAX_PAGE_OBJECTS, MAX_PAGE_OBJECTS);
    return await this.#measured('list', 0, async () => {
      const objects: ListedObject[] = [];
      for await (const key of walkKeys(this.#root, prefix, options.startAfter ?? '')) {
        // one more than asked for shows that there are more
        if (objects.length === limit) return { objects, next: objects.at(-1)?.key ?? null };
        const head = await headOf(join(this.#root, key));
        // deleted since the folder was read
        if (head) objects.push({ key, ...head });
      }
      return { objects, next: null };
    });
  }

  async deleteMany(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkObjectKey(key);
    await this.#measured('delete', 0, async () => {
      const failures: DeleteFailure[] = [];
      const folders = new Set<string>();
      for (const key of keys) {
        const path = join(this.#root, key);
        try {
          if (await unlinkIfPresent(path)) folders.add(dirname(path));
        } catch (thrown) {
          const reason = systemErrorCode(thrown);
          if (reason === undefined) throw thrown;
          // a folder of that name: there is no such object
          if (!(await isFolder(path))) failures.push({ key, reason });
        }
      }
      for (const folder of folders) await syncDirectory(folder);
      if (failures.length > 0) throw new ObjectDeleteError(failures);
    });
  }

  /** Running calls finish: they are short and hold nothing of the store's. */
  async close(): Promise<void> {
    this.#closed = true;
  }

  /** Once per store: the folder of files being written, without those that a crash left. */
  async #prepare(): Promise<void> {
    this.#preparing ??= this.#prepareUploads();
    try {
      await this.#preparing;
    } catch (failure) {
      this.#preparing = undefined;
      throw failure;
    }
  }

  async #prepareUploads(): Promise<void> {
    await this.#folders.make(this.#uploads);
    const removed = await removeFilesOlderThan(this.#uploads, this.#common.clock.nowMs() - ABANDONED_AFTER_MS);
    if (removed > 0) this.#common.log.info({ removed }, 'removed files that a crash left half written');
  }

  async #open(key: string): Promise<FileHandle> {
    try {
      return await open(join(this.#root, key), 'r');
    } catch (thrown) {
      if (isMissing(thrown)) throw new ObjectNotFoundError(key);
      throw thrown;
    }
  }

  async #measured<T>(operation: ObjectOperation, sentBytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new ClosedError('object store');
    const startedMs = this.#common.clock.monotonicMs();
    const finish = (result: RequestResult, receivedBytes: number) => {
      const elapsedMs = this.#common.clock.monotonicMs() - startedMs;
      this.#meters.finished({ operation, result, elapsedMs, sentBytes, receivedBytes });
    };
    try {
      const answer = await work();
      finish(answer === 'exists' ? 'exists' : 'ok', answer instanceof Uint8Array ? answer.byteLength : 0);
      return answer;
    } catch (thrown) {
      const failure = directoryError(operation, thrown);
      finish(resultOf(failure), 0);
      throw failure;
    }
  }
}

function resultOf(failure: unknown): RequestResult {
  if (failure instanceof ObjectNotFoundError) return 'not_found';
  return failure instanceof IndexerError && failure.retryable ? 'server_error' : 'refused';
}

async function headOf(path: string): Promise<ObjectHead | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? { sizeBytes: found.size, modifiedMs: Math.floor(found.mtimeMs) } : undefined;
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

async function sizeOf(file: FileHandle, key: string): Promise<number> {
  const found = await file.stat();
  if (!found.isFile()) throw new ObjectNotFoundError(key);
  return found.size;
}
