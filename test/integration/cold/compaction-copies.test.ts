import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { plain } from '../../contract/subject.js';
import { dataObjects, openMaintained } from '../../support/cold/maintenance.js';
import { allOf, follow } from '../../support/cold/storage-life.js';
import { createRecordMaker } from '../../support/records.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';

/** Messages with a result each, by flush: enough for several row groups, or for less than one. */
const FLUSHES = [240, 4, 240, 3, 3, 240];

let directory: TestDirectoryStore;
let origin: ReturnType<typeof createMemoryStorage>;
let ids: Hex[];
let senders: Hex[];

beforeEach(async () => {
  directory = await createTestDirectoryStore();
  origin = createMemoryStorage({ name: 'origin' });
  const make = createRecordMaker(91);
  [ids, senders] = [[], []];
  const archive = openMaintained(directory.store);
  for (const messages of FLUSHES) {
    for (let made = 0; made < messages; made += 50) {
      const wanted = Array.from({ length: Math.min(50, messages - made) }, () => make.hex(20));
      const some = wanted.map((sender) => make.message({ sender, dataBytes: 400 }));
      await origin.insertBatch({ messages: some, verifierResults: some.map((message) => make.result(message)) });
      ids.push(...some.map(({ messageId }) => messageId));
      senders.push(...wanted);
    }
    await follow(archive, origin);
    await archive.flush();
  }
  await archive.close();
});

afterEach(async () => {
  await origin.close();
  await directory.remove();
});

const large = async (table: string) => {
  const keys = (await dataObjects(directory.store)).filter(
    (key) => key.includes(`/${table}/`) && key.endsWith('.parquet'),
  );
  const files = await Promise.all(keys.map((key) => readFile(join(directory.directory, key))));
  return files.filter(({ length }) => length > 100_000);
};

test('large files keep their row groups as they are, and everything is found in the file of all (promise 7)', async () => {
  const before = { messages: await large('messages'), results: await large('verifier_results') };
  expect([before.messages.length, before.results.length]).toEqual([3, 3]);
  const archive = openMaintained(directory.store);
  await archive.maintenance.compact({ full: true });
  await archive.maintenance.vacuum({ graceMs: 0 });
  const [messages] = await large('messages');
  const [results] = await large('verifier_results');
  for (const [all, old] of [
    [messages, before.messages],
    [results, before.results],
  ] as const)
    for (const file of old) expect(all?.includes(file.subarray(4, 60_000))).toBe(true);
  expect((await archive.maintenance.verify()).problems).toEqual([]);
  await archive.close();

  const reader = openMaintained(directory.store, { role: 'leader' });
  expect(await allOf(reader)).toEqual(await allOf(origin));
  for (let at = 0; at < ids.length; at += 37) {
    expect(plain(await reader.getMessage(ids[at]!))).toEqual(plain(await origin.getMessage(ids[at]!)));
    expect(plain(await reader.getCCVData(ids[at]!))).toEqual(plain(await origin.getCCVData(ids[at]!)));
    const { items } = await reader.queryMessages({ senders: [senders[at]!] });
    expect(items.map(({ messageId }) => messageId)).toEqual([ids[at]]);
  }
  await reader.close();
});

test('a damaged row group ends a compaction, and the table stays as it is', async () => {
  const keys = (await dataObjects(directory.store)).filter((key) => key.includes('/verifier_results/'));
  let path = '';
  for (const key of keys.filter((each) => each.endsWith('.parquet'))) {
    path = join(directory.directory, key);
    if ((await readFile(path)).length > 100_000) break;
  }
  const bytes = await readFile(path);
  bytes[40_000]! ^= 1;
  await writeFile(path, bytes);
  const archive = openMaintained(directory.store);
  const filesOf = async () => (await archive.maintenance.describe()).tables.map(({ files }) => files);
  const before = await filesOf();
  await expect(archive.maintenance.compact({ full: true })).rejects.toMatchObject({
    cause: { name: 'ParquetFormatError' },
  });
  // the messages may be compacted before
  expect((await filesOf())[1]).toBe(before[1]);
  await archive.close();
});
