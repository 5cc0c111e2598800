import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ResultIdentity } from '../../../src/model/identity.js';
import type { Storage } from '../../../src/storage/storage.js';
import { plain } from '../../contract/subject.js';
import { openDuckDB } from '../../support/cold/duckdb.js';
import { coldHistory, copyNamespace, shownOf } from '../../support/cold/duckdb-cold.js';
import { dataObjects, openMaintained } from '../../support/cold/maintenance.js';
import { allOf, committed, createLife, follow } from '../../support/cold/storage-life.js';
import { createTestS3Store, s3StoreOn } from '../../support/s3/object-store.js';
import { newBucketName } from '../../support/s3/server.js';
import { s3ServerFixture } from '../../support/s3/server-fixture.js';

const s3 = s3ServerFixture();

/** The last state of every record, in list order. */
async function historyOf(storage: Storage) {
  const { changes } = await storage.changesAfter(0n, 100_000);
  const listed = <T>(kind: string) =>
    changes
      .filter((change) => change.kind === kind)
      .map(({ record }) => record as unknown as T & { ingestionMs: number });
  const inOrder = <T>(records: (T & { ingestionMs: number })[], nameOf: (record: T) => string) =>
    records.sort((a, b) => a.ingestionMs - b.ingestionMs || (nameOf(a) < nameOf(b) ? -1 : 1));
  return {
    messages: inOrder(listed<{ messageId: string; orphaned: boolean }>('message'), ({ messageId }) => messageId),
    results: inOrder(
      listed<ResultIdentity & { orphaned: boolean }>('verifierResult'),
      (record) => `${record.messageId} ${record.verifierSourceAddress} ${record.verifierDestAddress}`,
    ),
  };
}

test('two archives on a real server that flush, compact and vacuum at once hold every change once, also for DuckDB', async () => {
  const bucket = newBucketName();
  const store = await createTestS3Store(s3.server, { bucket });
  const stores = [store, s3StoreOn(s3.server, { bucket })];
  const archives = stores.map((each) => openMaintained(each, { compactBytes: 1 << 20, takeoverMs: 30_000 }));
  const life = createLife(33);
  for (let round = 0; round < 12; round += 1) {
    await life.live(8);
    for (const archive of archives) await follow(archive, life.origin);
    await Promise.all(archives.map((archive) => archive.flush()));
    if (round % 4 !== 3) continue;
    await Promise.all([
      ...archives.map(({ maintenance }) => maintenance.compact({ full: round === 7 })),
      ...archives.map((archive) => follow(archive, life.origin).then(() => archive.flush())),
    ]);
    await archives[0]!.maintenance.vacuum({ graceMs: 60_000 });
    expect(await committed(store)).toEqual(await allOf(life.origin));
  }
  // what each made last was left alone by itself
  await archives[0]!.maintenance.compact({ full: true });
  await archives[0]!.maintenance.vacuum({ graceMs: 0 });
  const { tables } = await archives[0]!.maintenance.describe();
  expect(tables.map(({ files }) => files)).toEqual([1, 1, 1, 1]);
  expect((await archives[1]!.maintenance.verify()).problems).toEqual([]);
  expect(await dataObjects(store)).toHaveLength(8);

  const directory = await mkdtemp(join(tmpdir(), 'ccv-compacted-'));
  const duckdb = await openDuckDB();
  try {
    const folder = await copyNamespace(store, 'test', directory);
    expect(plain(await coldHistory(duckdb, folder))).toEqual(plain(shownOf(await historyOf(life.origin))));
    const [counted] = await duckdb.rows(
      "SELECT count(*) AS rows, count(DISTINCT message_id) AS ids FROM read_parquet(getvariable('message_files'))",
    );
    expect(counted!['rows']).toBe(counted!['ids']);
  } finally {
    duckdb.close();
    await rm(directory, { recursive: true, force: true });
  }
  for (const archive of archives) await archive.close();
  for (const each of stores) await each.close();
});
