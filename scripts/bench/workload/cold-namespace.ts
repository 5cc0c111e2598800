import { createCommon } from '../../../src/core/common.js';
import { type ColdStorage, createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import type { ListedObject, ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import type { Sample } from '../sample.js';
import { fill } from './fill.js';
import type { PayloadKind } from './record-stream.js';
import { PAYLOAD_BYTES } from './records.js';

/** Nothing is flushed because of time while records are built. */
const NEVER_MS = 2_000_000_000;

/** The cold tier behind a Sink: it takes changes and flushes them, and does nothing by itself. */
export function openArchive(store: ObjectStore, namespace: string): ColdStorage {
  return createColdStorage({
    ...{ name: 'cold', store, namespace, role: 'follower', takeoverMs: 0 },
    ...{ flushIntervalMs: NEVER_MS, compactIntervalMs: 0, vacuumIntervalMs: 0 },
    common: createCommon(),
  });
}

/**
 * The same tables to read from, caches empty. Unless told otherwise it never looks for news: that is measured apart.
 */
export function openReader(store: ObjectStore, namespace: string, refreshIntervalMs = NEVER_MS): ColdStorage {
  return createColdStorage({
    ...{ name: 'cold', store, namespace, role: 'leader', refreshIntervalMs },
    common: createCommon(),
  });
}

/** Fills a namespace; a flush begins each time that `flushBytes` of payload have come, as under steady traffic. */
export async function fillCold(
  store: ObjectStore,
  wish: {
    readonly namespace: string;
    readonly what: string;
    readonly records: number;
    readonly payload: PayloadKind;
    readonly flushBytes: number;
    readonly sample?: Sample;
  },
): Promise<void> {
  const archive = openArchive(store, wish.namespace);
  const flushRecords = Math.floor(wish.flushBytes / PAYLOAD_BYTES);
  let waiting = 0;
  try {
    await fill({
      ...wish,
      seed: 11,
      async apply(set) {
        await archive.apply(set);
        waiting += set.changes.length;
        if (waiting < flushRecords) return;
        await archive.flush();
        waiting = 0;
      },
    });
    await archive.flush();
  } finally {
    await archive.close();
  }
}

/** Bytes and number of the objects of a namespace. */
export interface ColdSize {
  readonly dataFiles: number;
  readonly dataBytes: number;
  readonly indexBytes: number;
  readonly logBytes: number;
  readonly totalBytes: number;
}

/** Every object below a prefix. */
export async function allObjects(store: ObjectStore, prefix: string): Promise<readonly ListedObject[]> {
  const found: ListedObject[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const page = await store.list(prefix, after === '' ? {} : { startAfter: after });
    found.push(...page.objects);
    after = page.next;
  }
  return found;
}

/** Sizes of the objects of a namespace, by their place in the tables. */
export function sizeOf(objects: readonly ListedObject[]): ColdSize {
  const data = objects.filter(({ key }) => partOf(key) === 'data');
  const bytes = (part: ColdPart) =>
    objects.filter(({ key }) => partOf(key) === part).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const [dataBytes, indexBytes, logBytes] = [bytes('data'), bytes('index'), bytes('log')];
  return { dataFiles: data.length, dataBytes, indexBytes, logBytes, totalBytes: dataBytes + indexBytes + logBytes };
}

type ColdPart = 'data' | 'index' | 'log';

/** Which part of a table a key belongs to. */
export function partOf(key: string): ColdPart {
  if (key.includes('/_delta_log/')) return 'log';
  return key.includes('/_index/') ? 'index' : 'data';
}
