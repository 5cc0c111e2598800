import { describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { createDeltaLog } from '../../../src/storage/cold/delta/delta-log.js';
import { Catalog } from '../../../src/storage/cold/namespace/catalog.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { loadZstd } from '../../../src/storage/cold/parquet/zstd.js';
import { byTable } from '../../../src/storage/cold/rows/table-name.js';
import { createMemoryObjectStore, MemoryBucket } from '../../simulation/process/memory-object-store.js';
import { openMaintained } from '../../support/cold/maintenance.js';
import { createLife, follow } from '../../support/cold/storage-life.js';

function newBucket() {
  const bucket = new MemoryBucket();
  return { bucket, store: createMemoryObjectStore(bucket, { nowMs: () => Date.now() }) };
}

async function catalogOver(store: ObjectStore): Promise<Catalog> {
  const [zstd, common] = [await loadZstd(), createCommon()];
  const logOf = (table: string) => createDeltaLog({ store, root: `test/${table}`, table, zstd, common });
  return new Catalog({
    logs: byTable(logOf),
    common,
    isEmpty: async () => false,
  });
}

const OPTIONS = { compactBytes: 1 << 20 };

describe('a compaction that was overtaken by a flush and another compaction', () => {
  test('does not lose rows from the view of its process', async () => {
    const { store } = newBucket();
    const life = createLife(301);
    const archive = openMaintained(store, OPTIONS);
    const flush = async () => {
      await life.live(15);
      await follow(archive, life.origin);
      await archive.flush();
    };
    await flush();
    await flush();
    const catalog = await catalogOver(store);
    const base = await catalog.survey();
    const rowsOf = (files: readonly { readonly rows: number }[]) => files.reduce((sum, { rows }) => sum + rows, 0);
    const before = rowsOf(base.view.tables.messages.files);
    // what another process does while a group of this one is merged: a flush, and that is merged with older files
    await flush();
    await archive.maintenance.compact({ full: true });
    expect(await catalog.replace(base, { table: 'messages', removed: [], added: [] })).toBe(true);
    expect(rowsOf(catalog.view.tables.messages.files)).toBeGreaterThan(before / 2);
    await archive.close();
  });
});
