import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { createDeltaLog } from '../../../src/storage/cold/delta/delta-log.js';
import { uriToPath } from '../../../src/storage/cold/delta/paths.js';
import { RECORD_TABLES } from '../../../src/storage/cold/namespace/record-tables.js';
import { loadZstd } from '../../../src/storage/cold/parquet/zstd.js';
import { NAMED_TABLES } from '../../../src/storage/cold/rows/table-name.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { openDuckDB } from '../../support/cold/duckdb.js';
import { openMaintained } from '../../support/cold/maintenance.js';
import { createDyingStore, createLife, follow } from '../../support/cold/storage-life.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createRecordMaker } from '../../support/records.js';
import { createTestDirectoryStore } from '../../support/s3/object-store.js';

const IDENTITY = {
  messages: 'message_id',
  verifier_results: 'message_id, verifier_source_address, verifier_dest_address',
  executions: 'message_id, block_hash, log_index',
};

test('at every version of its log a table has one row for each record, and at the last those that lists show', async () => {
  const { store, directory, remove } = await createTestDirectoryStore();
  const life = createLife(701);
  const archive = openMaintained(store);
  const flush = async () => {
    await life.live(12);
    await follow(archive, life.origin);
    await archive.flush();
  };
  for (let round = 0; round < 10; round += 1) await flush();
  const faulty = createDyingStore(store, (key) => key.startsWith('test/ledger/_delta_log/'));
  const dying = openMaintained(faulty);
  await life.live(12);
  await follow(dying, life.origin);
  await expect(dying.flush()).rejects.toMatchObject({ name: 'StorageUnavailableError' });
  for (let round = 0; round < 5; round += 1) await flush();
  await archive.maintenance.compact({ full: true });
  await flush();
  await archive.close();

  const duckdb = await openDuckDB();
  const zstd = await loadZstd();
  const { changes } = await life.origin.changesAfter(0n, 100_000);
  for (const table of NAMED_TABLES) {
    const log = createDeltaLog({ store, root: `test/${table}`, table, zstd, common: createCommon() });
    const { version: last } = (await log.read())!;
    expect(last).toBeGreaterThan(table === 'executions' ? 5 : 17);
    const rowsAt = async (version: number, columns: string) => {
      const names = [...(await log.read(version))!.files.keys()].map((uri) =>
        join(directory, 'test', table, uriToPath(uri)),
      );
      if (names.length === 0) return [];
      return await duckdb.rows(`SELECT ${columns} FROM read_parquet([${names.map((name) => `'${name}'`).join()}])`);
    };
    for (let version = 0; version <= last; version += 1)
      for (const counted of await rowsAt(version, `count(*) AS rows, count(DISTINCT (${IDENTITY[table]})) AS records`))
        expect(counted['rows'], `${table} at ${version}`).toBe(counted['records']);

    const shown = changes.filter(
      ({ kind, record }) => kind === RECORD_TABLES[table].kind && 'orphaned' in record && !record.orphaned,
    );
    expect((await rowsAt(last, 'position')).map((row) => row['position']).sort()).toEqual(
      shown.map(({ position }) => position).sort(),
    );
  }
  duckdb.close();
  await remove();
});

test('a flush that would write much of a table anew for one change waits for twelve intervals', async () => {
  const { store, remove } = await createTestDirectoryStore();
  const clock = createManualClock();
  const make = createRecordMaker(702);
  const origin = createMemoryStorage({ name: 'origin', common: { clock } });
  // 64 times this are less than the file of the messages
  const archive = openMaintained(store, { flushBytes: 2_000, flushIntervalMs: 60_000, common: { clock } });
  const messages = Array.from({ length: 60 }, () => make.message({ dataBytes: 3_000 }));
  await origin.insertBatch({ messages });
  await follow(archive, origin);
  await archive.flush();
  await origin.insertBatch({ statuses: [{ messageId: messages[7]!.messageId, status: 'success' }] });
  await follow(archive, origin);
  const { position: before } = await archive.maintenance.describe();
  let intervals = 0;
  for (; (await archive.maintenance.describe()).position === before; intervals += 1) await clock.advance(60_000);
  expect(intervals).toBeGreaterThanOrEqual(12);
  // one that is asked for does not wait
  await origin.insertBatch({ statuses: [{ messageId: messages[9]!.messageId, status: 'success' }] });
  await follow(archive, origin);
  await archive.flush();
  expect((await archive.maintenance.describe()).position).toBe(before + 2n);
  await archive.close();
  await remove();
});
