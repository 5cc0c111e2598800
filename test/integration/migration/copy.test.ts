import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStorage } from '../../../src/app/open-storage.js';
import { parseConfig } from '../../../src/config/load.js';
import { createCommon } from '../../../src/core/common.js';
import { compareRecords } from '../../../src/migration/parity/compare.js';
import { restore } from '../../../src/sink/restore/restore.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { runHere } from '../../support/e2e/run-here.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { liveEventfully } from '../../support/sink/eventful-life.js';

const common = createCommon();
let database: TestDatabase;
let folder: string;
beforeEach(async () => {
  [database, folder] = await Promise.all([createTestDatabase(), mkdtemp(join(tmpdir(), 'ccv-copy-'))]);
});
afterEach(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

const sections = () => ({
  one: { Name: 'one', Type: 's3', S3: { Directory: join(folder, 'one') } },
  two: { Name: 'two', Type: 's3', S3: { Directory: join(folder, 'two') } },
  warm: { Name: 'warm', Type: 'postgres', Postgres: { URI: database.uri } },
});
type Name = keyof ReturnType<typeof sections>;
const tableOf = (...names: readonly Name[]) => ({
  Storage: { Strategy: 'sink', Sink: { Storages: names.map((name) => sections()[name]) } },
});

async function open(...names: readonly Name[]) {
  return await openStorage(parseConfig(tableOf(...names), 'test.toml'), common, 'write');
}

async function copy(from: Name, to: Name) {
  const file = join(folder, 'indexer.toml');
  await writeFile(file, stringify(tableOf(from, to)));
  return await runHere(['migration', 'copy', '-c', file, '--from', from, '--to', to]);
}

test('promise 7: a directory goes to another, to a database and back, and each goes on where the last one stood', async () => {
  const make = createRecordMaker(1301);
  const first = await open('one');
  await liveEventfully(first.sink, make, 8);
  const { position } = await first.sink.boundaryAt({ ms: Number.MAX_SAFE_INTEGER });
  const everything = await first.sink.queryMessages({ limit: 1_000 });
  await first.close();

  expect(await copy('one', 'two')).toMatchObject({ code: 0, stdout: expect.stringContaining('no difference') });
  expect(await copy('one', 'two')).toMatchObject({ code: 0, stdout: expect.stringContaining('already') });
  const second = await open('two');
  expect(await second.sink.queryMessages({ limit: 1_000 })).toEqual(everything);
  const outcome = await second.sink.insertBatch({ messages: [make.message()] });
  expect(outcome.committed?.throughPosition).toBe(position + 1n);
  await second.close();

  expect(await copy('two', 'warm')).toMatchObject({ code: 0 });
  const third = await open('warm');
  await third.sink.insertBatch({ messages: [make.message()] });
  await third.close();
  expect(await copy('warm', 'two')).toMatchObject({ code: 0, stdout: expect.stringContaining('took 1 records') });
  // it has another history by now
  const again = await open('one');
  await again.sink.insertBatch({ messages: [make.message()] });
  await again.close();
  expect(await copy('one', 'two')).toMatchObject({ code: 1 });
});

test('the library copies a memory to a database', async () => {
  const memory = createMemoryStorage({ name: 'memory', common });
  await liveEventfully(memory, createRecordMaker(1302), 6);
  const target = createPostgresStorage({ connection: database.connection, common });
  await restore({ source: memory, target, common });
  const report = await compareRecords({ leader: { storage: memory }, follower: { storage: target }, common });
  expect(report.differenceCounts).toEqual({ missing: 0, surplus: 0, different: 0 });
  expect(report.records).toBeGreaterThan(10);
  await Promise.all([memory.close(), target.close()]);
});
