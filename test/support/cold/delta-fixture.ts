import { afterAll, beforeAll } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { Action, AddFile } from '../../../src/storage/cold/delta/actions.js';
import { createDeltaLog, type DeltaLog, type DeltaLogOptions } from '../../../src/storage/cold/delta/delta-log.js';
import { dataFilePath, pathToUri } from '../../../src/storage/cold/delta/paths.js';
import type { DeltaSnapshot } from '../../../src/storage/cold/delta/snapshot.js';
import { stringifyStats } from '../../../src/storage/cold/delta/stats.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { loadZstd } from '../../../src/storage/cold/parquet/zstd.js';
import { VERIFIER_RESULT_ROWS } from '../../../src/storage/cold/rows/verifier-results.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../s3/object-store.js';

export const COLUMNS = VERIFIER_RESULT_ROWS.columns;
export const APP = 'ccv-indexer';
export const INFO = { operation: 'WRITE' };

/** Delta tables in a directory that the tests of a file share. */
export interface DeltaFixture {
  readonly store: ObjectStore;
  /** A root that no other test uses. */
  newRoot(): string;
  /** A log with a checkpoint every ten commits, over the directory unless told. */
  logOver(root: string, store?: ObjectStore, options?: Partial<DeltaLogOptions>): DeltaLog;
  text(key: string): Promise<string>;
  /** Names of the entries of a log. */
  logNames(root: string): Promise<string[]>;
}

export async function deltaFixture(): Promise<DeltaFixture> {
  const zstd = await loadZstd();
  let directory: TestDirectoryStore;
  let tables = 0;
  beforeAll(async () => {
    directory = await createTestDirectoryStore();
  });
  afterAll(async () => {
    await directory.remove();
  });
  return {
    get store() {
      return directory.store;
    },
    newRoot: () => `ns/t${++tables}`,
    logOver: (root, store = directory.store, options = {}) =>
      createDeltaLog({
        store,
        root,
        zstd,
        table: 'verifier_results',
        common: createCommon(),
        checkpointEvery: 10,
        ...options,
      }),
    text: async (key) => Buffer.from(await directory.store.get(key)).toString('utf8'),
    async logNames(root) {
      const { objects } = await directory.store.list(`${root}/_delta_log/`);
      return objects.map(({ key }) => key.slice(`${root}/_delta_log/`.length));
    },
  };
}

/** A data file of that name enters the table. */
export function add(name: string, rows = 1): Action {
  const file: AddFile = {
    path: pathToUri(dataFilePath('2026-11-20', name)),
    partitionValues: { day: '2026-11-20' },
    size: 100,
    modificationTime: 1_795_000_000_000,
    dataChange: true,
    stats: stringifyStats({ numRecords: rows, minValues: {}, maxValues: {}, nullCount: {} }),
    tags: { rows: String(rows) },
  };
  return { add: file };
}

/** How far the table has come. */
export const txn = (version: number): Action => ({ txn: { appId: APP, version: BigInt(version), lastUpdated: null } });

/** What a snapshot says of the table. `dataChange` is of the commit, and a checkpoint forgets it. */
export function contents({ version, protocol, metadata, files, tombstones, transactions }: DeltaSnapshot) {
  const plain = <T>(map: ReadonlyMap<string, T>) =>
    [...map].map(([key, value]) => [key, { ...value, dataChange: true }] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  return { version, protocol, metadata, files: plain(files), tombstones: plain(tombstones), txns: [...transactions] };
}
