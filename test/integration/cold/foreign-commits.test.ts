import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { pythonEngines } from '../../support/cold/delta-rs.js';
import { openMaintained } from '../../support/cold/maintenance.js';
import { allOf, committed, createLife, follow } from '../../support/cold/storage-life.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';

const engines = await pythonEngines();

const directories: TestDirectoryStore[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0)) await directory.remove();
});

async function livedNamespace(seed: number) {
  const directory = await createTestDirectoryStore();
  directories.push(directory);
  const life = createLife(seed);
  const archive = openMaintained(directory.store);
  for (let flush = 0; flush < 6; flush += 1) {
    await life.live(12);
    await follow(archive, life.origin);
    await archive.flush();
  }
  return { ...directory, life, archive, folderOf: (table: string) => join(directory.directory, 'test', table) };
}

/** Commits as an engine would that knows no features of writers: with its own facts last, and without our checksum. */
async function commitForeign(folder: string, lines: readonly object[]): Promise<string> {
  const log = join(folder, '_delta_log');
  const commits = (await readdir(log)).filter((name) => /^\d+\.json$/.test(name)).sort();
  const name = `${String(commits.length).padStart(20, '0')}.json`;
  const all = [...lines, { commitInfo: { timestamp: 1, operation: 'DELETE', engineInfo: 'another' } }];
  await writeFile(join(log, name), `${all.map((line) => JSON.stringify(line)).join('\n')}\n`);
  return name;
}

async function filesIn(folder: string): Promise<Map<string, object>> {
  const log = join(folder, '_delta_log');
  const files = new Map<string, object>();
  for (const name of (await readdir(log)).filter((each) => /^\d+\.json$/.test(each)).sort())
    for (const line of (await readFile(join(log, name), 'utf8')).trim().split('\n')) {
      const { add, remove } = JSON.parse(line) as { add?: { path: string }; remove?: { path: string } };
      if (remove) files.delete(remove.path);
      if (add) files.set(add.path, add);
    }
  return files;
}

const removing = (path: string) => ({ remove: { path, deletionTimestamp: 1, dataChange: true } });

describe.each(['messages', 'verifier_results', 'ledger'])('a deletion by another engine in %s', (table) => {
  test('is refused by readers, writers and verify, and undone by a rollback', async () => {
    const { store, life, archive, folderOf } = await livedNamespace(801);
    const before = await committed(store);
    const [path] = (await filesIn(folderOf(table))).keys();
    const name = await commitForeign(folderOf(table), [removing(path!)]);
    const refusal = {
      name: 'StorageFailureError',
      cause: { code: 'DELTA_FOREIGN', message: expect.stringContaining('ccv-indexer storage rollback') },
    };
    const reader = openMaintained(store, { role: 'reader' });
    await expect(reader.ready()).rejects.toMatchObject(refusal);
    await life.live(12);
    await follow(archive, life.origin);
    await expect(archive.flush()).rejects.toMatchObject(refusal);
    const { problems } = await reader.maintenance.verify();
    expect(problems.map((problem) => `${problem.table} ${problem.path}`)).toEqual([`${table} _delta_log/${name}`]);
    expect(problems[0]!.advice).toContain('storage rollback');

    const { tables } = await reader.maintenance.rollback();
    const restoredVersion = Number(name.slice(0, 20)) - 1;
    expect(tables).toEqual([{ table, restoredVersion, undone: 1 }]);
    expect(await committed(store)).toEqual(before);
    expect((await reader.maintenance.rollback()).tables).toEqual([]);
    await archive.flush();
    expect(await committed(store)).toEqual(await allOf(life.origin));
    expect((await reader.maintenance.verify()).problems).toEqual([]);
    await Promise.all([reader.close(), archive.close()]);
  });

  test('is not undone while a file is missing, and nothing is changed then', async () => {
    const { archive, folderOf } = await livedNamespace(802);
    const [path] = (await filesIn(folderOf(table))).keys();
    await commitForeign(folderOf(table), [removing(path!)]);
    await rm(join(folderOf(table), decodeURIComponent(path!)));
    const versions = await readdir(join(folderOf(table), '_delta_log'));
    await expect(archive.maintenance.rollback()).rejects.toMatchObject({ cause: { code: 'DELTA_FOREIGN_GONE' } });
    expect(await readdir(join(folderOf(table), '_delta_log'))).toEqual(versions);
    await archive.close().catch(() => undefined);
  });
});

test('files that are missing in a table, by a log that was rewritten, are missed by the count of the ledger', async () => {
  const { store, archive, folderOf } = await livedNamespace(803);
  await archive.close();
  const log = join(folderOf('messages'), '_delta_log');
  const last = (await readdir(log))
    .filter((name) => name.endsWith('.json'))
    .sort()
    .at(-1)!;
  const text = await readFile(join(log, last), 'utf8');
  // without a checksum it would be taken for the commit of another engine
  const [info, ...lines] = text.trim().split('\n');
  const kept = lines.filter((line) => !line.startsWith('{"add"'));
  expect(kept.length).toBeLessThan(lines.length);
  const body = kept.map((line) => `${line}\n`).join('');
  await writeFile(join(log, last), `${info!.replace(/("ccv-indexer.crc32":)\d+/, `$1${crc32(body)}`)}\n${body}`);
  const reader = openMaintained(store, { role: 'reader' });
  await expect(reader.ready()).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/the ledger counts \d+ rows/) },
  });
  const { problems } = await reader.maintenance.verify();
  expect(problems.map(({ what }) => what).join()).toMatch(/the ledger counts \d+ rows, and its files have \d+/);
  await reader.close();
});

/** Prints the refusal of each way to write. */
const WRITE = `
import sys, json
from deltalake import DeltaTable
table = DeltaTable(sys.argv[1])
ways = dict(
  delete=lambda: table.delete("position > 0"),
  optimize=lambda: table.optimize.compact(),
  vacuum=lambda: table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False),
  restore=lambda: table.restore(1))
refusals = {}
for name, way in ways.items():
  try:
    way()
    refusals[name] = None
  except Exception as error:
    refusals[name] = str(error)
print(json.dumps(refusals))
`;

const READ = `
import sys, json
import polars
from deltalake import DeltaTable
rows = DeltaTable(sys.argv[1]).to_pyarrow_table(columns=["message_id", "position"]).to_pylist()
counts = polars.read_delta(sys.argv[1]).group_by("day").len()["len"].to_list()
print(json.dumps(dict(positions=sorted(row["position"] for row in rows), count=sum(counts))))
`;

describe.skipIf('missing' in engines)(`delta-rs${'missing' in engines ? ` (${engines.missing})` : ''}`, () => {
  test('reads one row a record, with polars too, and cannot delete, optimize, vacuum or restore', async () => {
    if ('missing' in engines) return;
    const { store, life, archive, folderOf } = await livedNamespace(804);
    // each table has a file to delete
    const { messageId } = (await life.origin.queryCCVData({ limit: 1 })).items[0]!;
    const { blockHash } = (await life.origin.getMessage(messageId)).origin!;
    await life.origin.insertBatch({ orphanings: [{ messageId, blockHash }] });
    await follow(archive, life.origin);
    await archive.flush();
    const shown = {
      messages: (await life.origin.queryMessages({ limit: 10_000 })).items,
      verifier_results: (await life.origin.queryCCVData({ limit: 10_000 })).items,
    };
    const expectRead = async () => {
      for (const [table, records] of Object.entries(shown)) {
        const positions = records.map(({ position }) => Number(position)).sort((a, b) => a - b);
        expect(await engines.run(READ, folderOf(table))).toEqual({ positions, count: records.length });
      }
    };
    await expectRead();
    for (const table of Object.keys(shown)) {
      const refused = expect.stringContaining('ccvIndexer');
      expect(await engines.run(WRITE, folderOf(table))).toEqual({
        ...{ delete: refused, optimize: refused, vacuum: refused, restore: refused },
      });
    }
    await archive.maintenance.compact({ full: true });
    await expectRead();
    expect((await archive.maintenance.verify()).problems).toEqual([]);
    await archive.close();
    expect(await committed(store)).toEqual(await allOf(life.origin));
  });
});
