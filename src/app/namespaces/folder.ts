import { AbortedError, IndexerError } from '../../core/errors.js';
import type { ListedObject, ObjectStore } from '../../storage/cold/object-store/object-store.js';

/** The folder of a namespace in an object store: all that lies below its name. */
export interface FolderState {
  readonly files: number;
  readonly bytes: number;
  /** A key that no namespace has, the first one; null: all are of its tables. */
  readonly foreign: string | null;
}

/** Keys below a namespace: logs, data files and indexes of its tables. */
const OWN = /^(?:messages|verifier_results|executions|ledger)\/(?:_delta_log|_index|day=[^/]+)\/./;
/** The character after the slash: the first key that is not in a folder is at or above the folder's name with it. */
const AFTER_SLASH = '0';

/** The folders at the top of a store, in order. One request for each, and for each thousand objects beside them. */
export async function foldersOf(store: ObjectStore): Promise<readonly string[]> {
  const folders: string[] = [];
  let startAfter = '';
  for (;;) {
    const { objects, next } = await store.list('', startAfter === '' ? {} : { startAfter });
    let after: string | null = next;
    for (const { key } of objects) {
      const slash = key.indexOf('/');
      if (slash < 0 || key.slice(0, slash) === folders.at(-1)) continue;
      folders.push(key.slice(0, slash));
    }
    const last = objects.at(-1)?.key ?? '';
    // the rest of the folder that the page ends in is passed over
    if (after !== null && last.includes('/')) after = `${last.slice(0, last.indexOf('/'))}${AFTER_SLASH}`;
    if (after === null) return folders;
    startAfter = after;
  }
}

/** Whether a folder holds something of our tables. */
export async function holdsTables(store: ObjectStore, namespace: string): Promise<boolean> {
  for (const table of ['ledger', 'messages', 'verifier_results', 'executions'])
    if ((await store.list(`${namespace}/${table}/`, { limit: 1 })).objects.some(isOwn(namespace))) return true;
  return false;
}

/** Counts what lies in a folder. One request for each thousand objects. */
export async function lookAtFolder(store: ObjectStore, namespace: string, signal?: AbortSignal): Promise<FolderState> {
  let files = 0;
  let bytes = 0;
  for await (const page of pages(store, namespace, signal)) {
    const foreign = page.find((object) => !isOwn(namespace)(object));
    files += page.length;
    for (const { sizeBytes } of page) bytes += sizeBytes;
    if (foreign) return { files, bytes, foreign: foreign.key };
  }
  return { files, bytes, foreign: null };
}

/**
 * Deletes a folder of a namespace, page by page; after an interruption the same call goes on.
 * @throws IndexerError NAMESPACE_FOLDER_SHARED before a page with a key that no namespace has; the errors of the store.
 */
export async function deleteFolder(
  store: ObjectStore,
  namespace: string,
  signal: AbortSignal,
  onDeleted: (files: number) => void,
): Promise<{ readonly files: number; readonly bytes: number }> {
  let files = 0;
  let bytes = 0;
  // a process that is told to end may still be writing
  for (let before = -1; files > before; ) {
    before = files;
    for await (const page of pages(store, namespace, signal)) {
      const foreign = page.find((object) => !isOwn(namespace)(object));
      if (foreign) throw folderShared(namespace, foreign.key);
      await store.deleteMany(page.map(({ key }) => key));
      files += page.length;
      for (const { sizeBytes } of page) bytes += sizeBytes;
      onDeleted(files);
    }
  }
  return { files, bytes };
}

/** The refusal to delete a folder in which something else lies. */
export function folderShared(namespace: string, key: string): IndexerError {
  return new IndexerError(
    'NAMESPACE_FOLDER_SHARED',
    `folder ${namespace}/ holds ${key}, which is of no namespace: nothing is deleted in a folder of others`,
    false,
    { details: { nextStep: `move it elsewhere, or correct Prefix (or Directory): the folder may be another's` } },
  );
}

function isOwn(namespace: string): (object: ListedObject) => boolean {
  return ({ key }) => OWN.test(key.slice(namespace.length + 1));
}

async function* pages(
  store: ObjectStore,
  namespace: string,
  signal?: AbortSignal,
): AsyncGenerator<readonly ListedObject[]> {
  let startAfter: string | null = '';
  while (startAfter !== null) {
    if (signal?.aborted) throw new AbortedError('the work on a folder');
    // with the slash: `ccv` is not `ccv_2`
    const { objects, next } = await store.list(`${namespace}/`, startAfter === '' ? {} : { startAfter });
    if (objects.length > 0) yield objects;
    startAfter = next;
  }
}
