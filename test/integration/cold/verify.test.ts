import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { VerifyProblem } from '../../../src/storage/cold/maintenance/cold-maintenance.js';
import { createNamespaceTemplate, type NamespaceTemplate, openMaintained } from '../../support/cold/maintenance.js';
import { committed, createDyingStore, createLife, follow } from '../../support/cold/storage-life.js';
import { createManualClock } from '../../support/manual-clock.js';
import type { TestDirectoryStore } from '../../support/s3/object-store.js';

let template: NamespaceTemplate;
let copyOfTemplate: TestDirectoryStore;

/** Over a hundred commits, so that there is a checkpoint; files of flushes, rewritten and compacted ones. */
beforeAll(async () => {
  template = await createNamespaceTemplate(async (store) => {
    const life = createLife(50);
    const archive = openMaintained(store);
    for (let flush = 0; flush < 104; flush += 1) {
      await life.live(2);
      await follow(archive, life.origin);
      await archive.flush();
      if (flush === 60) await archive.maintenance.compact();
    }
    // what the log does not name is nobody's
    await archive.maintenance.vacuum({ graceMs: 0 });
    await archive.close();
  });
});
afterAll(async () => template.remove());
afterEach(async () => copyOfTemplate.remove());

/** The problems that are found after `damage` was done. */
async function problemsAfter(damage: (path: (...parts: string[]) => string) => Promise<void>) {
  copyOfTemplate = await template.copy();
  const { store, directory } = copyOfTemplate;
  const storage = openMaintained(store);
  await storage.ready();
  await damage((...parts) => join(directory, 'test', ...parts));
  const report = await storage.maintenance.verify();
  await storage.close();
  expect(report.ok).toBe(report.problems.length === 0);
  expect(report.files).toBeGreaterThan(100);
  return report.problems;
}

async function filesBelow(folder: string, suffix: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names
    .filter((name) => name.endsWith(suffix) && !name.includes('_delta_log'))
    .sort()
    .map((name) => join(folder, name));
}

async function flipBit(path: string, place: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[Math.floor(bytes.length * place)]! ^= 1;
  await writeFile(path, bytes);
}

/** What a writer would have stored that had meant it: with the checksum that goes with it. */
async function writeCommit(commit: string, text: string): Promise<void> {
  const lines = text.slice(text.indexOf('\n') + 1);
  await writeFile(commit, text.replace(/("ccv-indexer.crc32":)\d+/, `$1${crc32(lines)}`));
}

/** Replaces a text within the commits of a table: the last one that has it. */
async function forge(log: string, search: RegExp, replacement: string): Promise<void> {
  for (const name of (await readdir(log))
    .filter((each) => each.endsWith('.json'))
    .sort()
    .reverse()) {
    const text = await readFile(join(log, name), 'utf8');
    if (!search.test(text)) continue;
    await writeCommit(join(log, name), text.replace(search, replacement));
    return;
  }
  throw new Error('no commit has it');
}

const about = (problems: readonly VerifyProblem[], pattern: RegExp) =>
  problems.filter(({ what, path }) => pattern.test(what) || pattern.test(path));

describe('verifying a namespace', () => {
  test('finds nothing where nothing is wrong', async () => {
    expect(await problemsAfter(async () => undefined)).toEqual([]);
  });

  test('names each damaged file and index, and goes on with all others', async () => {
    const problems = await problemsAfter(async (path) => {
      const files = await filesBelow(path('messages'), '.parquet');
      await flipBit(files[0]!, 0.3);
      await flipBit(files[1]!, 0.99);
      await rm(files[2]!);
      await writeFile(files[3]!, (await readFile(files[3]!)).subarray(0, 500));
      const indexes = await filesBelow(path('verifier_results', '_index'), '.idx');
      await flipBit(indexes[0]!, 0.1);
      await flipBit(indexes[1]!, 0.95);
      await rm(indexes[2]!);
      await flipBit((await filesBelow(path('ledger'), '.parquet'))[0]!, 0.2);
    });
    const damaged = (table: string) => new Set(problems.filter((each) => each.table === table).map(({ path }) => path));
    expect(damaged('messages').size).toBe(4);
    expect(damaged('verifier_results').size).toBe(3);
    expect(damaged('ledger').size).toBe(1);
    for (const { what, advice } of problems) expect(what.length * advice.length).toBeGreaterThan(0);
  });

  test('names a commit that is missing, one that is cut off, and a checkpoint that says something else', async () => {
    const problems = await problemsAfter(async (path) => {
      const log = path('messages', '_delta_log');
      await rm(join(log, `${'50'.padStart(20, '0')}.json`));
      await writeFile(join(path('ledger', '_delta_log'), `${'20'.padStart(20, '0')}.json`), '{"add":');
      await rm(join(path('verifier_results', '_delta_log'), `${'100'.padStart(20, '0')}.checkpoint.parquet`));
      await writeFile(
        join(path('verifier_results', '_delta_log'), `${'100'.padStart(20, '0')}.checkpoint.parquet`),
        await readFile(join(log, `${'100'.padStart(20, '0')}.checkpoint.parquet`)),
      );
    });
    // readers take the checkpoint at its word, so that more is wrong
    const logs = problems.filter(({ path }) => path.startsWith('_delta_log'));
    expect(logs.map(({ table, path }) => `${table} ${path}`)).toEqual([
      `messages _delta_log/${'50'.padStart(20, '0')}.json`,
      `verifier_results _delta_log/${'100'.padStart(20, '0')}.checkpoint.parquet`,
      `ledger _delta_log/${'20'.padStart(20, '0')}.json`,
    ]);
  });

  test.each([
    ['a count of rows', 'messages', /\\"numRecords\\":(\d+)/, '\\"numRecords\\":$1' + '7'],
    ['a highest time', 'messages', /(\\"maxValues\\":\{\\"ingestion_ms\\":)(\d+)/, '$1' + '9999999999999'],
    ['a lowest position', 'verifier_results', /("ccv.minPosition":")\d+/, '$1' + '0'],
    ['a lane', 'messages', /("ccv.lanes":"\{\\"1-2\\":)\d+/, '$1' + '77'],
    ['a size', 'ledger', /("size":)\d+/, '$1' + '77'],
  ])('names a file of which the log says %s that is not its own', async (_, table, search, replacement) => {
    copyOfTemplate = await template.copy();
    const { store, directory } = copyOfTemplate;
    await forge(join(directory, 'test', table, '_delta_log'), search, replacement);
    const storage = openMaintained(store);
    const { problems } = await storage.maintenance.verify();
    await storage.close();
    expect(
      about(problems, /by the log|statistics|counts by lane|does not|cut off|end as one|not the one/).length,
    ).toBeGreaterThan(0);
  });

  test('names a data file or an index in which any bit is wrong', async () => {
    const small = await createNamespaceTemplate(async (store) => {
      const life = createLife(4);
      const archive = openMaintained(store);
      await life.live(3);
      await follow(archive, life.origin);
      await archive.flush();
      await archive.close();
    });
    copyOfTemplate = await small.copy();
    await small.remove();
    const { store: objects, directory } = copyOfTemplate;
    const root = join(directory, 'test');
    const problemsNow = async () => {
      const storage = openMaintained(objects);
      const { problems } = await storage.maintenance.verify();
      await storage.close();
      return problems;
    };
    const unnoticed: string[] = [];
    for (const path of [...(await filesBelow(root, '.parquet')), ...(await filesBelow(root, '.idx'))]) {
      const intact = await readFile(path);
      const places = [...intact.keys()].filter((at) => at % 31 === 0 || (at > intact.length - 260 && at % 7 === 0));
      for (const at of places) {
        const damaged = Buffer.from(intact);
        damaged[at]! ^= 1 << (at % 8);
        await writeFile(path, damaged);
        const named = (await problemsNow()).some((each) => path.endsWith(`${each.table}/${each.path}`));
        if (!named) unnoticed.push(`${path.slice(root.length)}: ${at} of ${intact.length}`);
      }
      await writeFile(path, intact);
    }
    expect(unnoticed).toEqual([]);
    expect(await problemsNow()).toEqual([]);
  });

  test('names a commit or a checkpoint in which any bit is wrong', async () => {
    copyOfTemplate = await template.copy();
    const { store: objects, directory } = copyOfTemplate;
    const verify = async () => {
      const storage = openMaintained(objects);
      const { problems } = await storage.maintenance.verify();
      await storage.close();
      return problems;
    };
    for (const [table, name] of [
      ['messages', `${'104'.padStart(20, '0')}.json`],
      ['ledger', `${'104'.padStart(20, '0')}.json`],
      ['verifier_results', `${'9'.padStart(20, '0')}.json`],
      ['messages', `${'100'.padStart(20, '0')}.checkpoint.parquet`],
      ['ledger', `${'100'.padStart(20, '0')}.checkpoint.parquet`],
    ] as const) {
      const path = join(directory, 'test', table, '_delta_log', name);
      const intact = await readFile(path);
      // nothing depends on what a commit says of itself
      const from = name.endsWith('.json') ? intact.indexOf('\n') + 1 : 0;
      for (let part = 0; part < 8; part += 1) {
        const damaged = Buffer.from(intact);
        damaged[from + Math.floor(((intact.length - from) * (part + 0.4)) / 8)]! ^= 1 << (part % 8);
        await writeFile(path, damaged);
        const problems = await verify();
        const named = problems.filter((each) => each.table === table && `${each.path} ${each.what}`.includes(name));
        expect(named.length, `${table} ${name} part ${part}: ${JSON.stringify(problems)}`).toBeGreaterThan(0);
      }
      await writeFile(path, intact);
    }
    expect(await verify()).toEqual([]);
  });

  test.each([
    ['the ledger is gone', 'ledger', 0],
    ['the results are gone', 'verifier_results', 0],
    ['the ledger was set back by two flushes', 'ledger', 2],
    ['the messages were set back by one flush', 'messages', 1],
    ['the results were set back by one flush', 'verifier_results', 1],
  ])('says that %s', async (_, table, commits) => {
    copyOfTemplate = await template.copy();
    const { store: objects, directory } = copyOfTemplate;
    if (commits === 0) await rm(join(directory, 'test', table), { recursive: true });
    const log = join(directory, 'test', table, '_delta_log');
    const names = commits === 0 ? [] : (await readdir(log)).filter((name) => /^\d+\.json$/.test(name)).sort();
    for (const name of names.slice(names.length - commits)) await rm(join(log, name));
    const storage = openMaintained(objects);
    const { problems } = await storage.maintenance.verify();
    await storage.close();
    expect(about(problems, /the ledger stands at \d+, and|others were written to/).map((each) => each.table)).toContain(
      commits > 1 ? 'messages' : table,
    );
  });

  test('finds a flush that was not ended no problem', async () => {
    copyOfTemplate = await template.copy();
    const { store: objects } = copyOfTemplate;
    const faulty = createDyingStore(objects, (key) => key.startsWith('test/ledger/_delta_log/'));
    const life = createLife(50);
    await life.live(230);
    const archive = openMaintained(faulty);
    await follow(archive, life.origin);
    await expect(archive.flush()).rejects.toMatchObject({ name: 'StorageUnavailableError' });
    const storage = openMaintained(objects);
    expect((await storage.maintenance.describe()).tornFiles).toBeGreaterThan(0);
    expect((await storage.maintenance.verify()).problems).toEqual([]);
    await storage.close();
    await archive.close();
  });

  test.each([
    ['names nothing that is there', '{"version":50,"size":9}'],
    ['cannot be read', '{"versi'],
  ])('names a checkpoint pointer that %s', async (_, content) => {
    const problems = await problemsAfter((path) =>
      writeFile(path('messages', '_delta_log', '_last_checkpoint'), content),
    );
    expect(problems.map(({ table, path }) => `${table} ${path}`)).toEqual(['messages _delta_log/_last_checkpoint']);
  });

  test('names rows that are there twice', async () => {
    copyOfTemplate = await template.copy();
    const { store, directory } = copyOfTemplate;
    const log = join(directory, 'test', 'messages', '_delta_log');
    const commits = (await readdir(log)).filter((name) => /^\d+\.json$/.test(name)).sort();
    const last = join(log, commits.at(-1)!);
    const texts = await Promise.all(commits.slice(-20).map((name) => readFile(join(log, name), 'utf8')));
    const lines = texts.flatMap((text) => text.split('\n'));
    const pathOf = (line: string) => /"path":"([^"]+)"/.exec(line)![1]!;
    const removed = new Set(lines.filter((line) => line.startsWith('{"remove"')).map(pathOf));
    const add = lines.find((line) => line.startsWith('{"add"') && !removed.has(pathOf(line)))!;
    const [path, again] = [pathOf(add), pathOf(add).replace('part-', 'part-again-')];
    await copyFile(join(directory, 'test', 'messages', path), join(directory, 'test', 'messages', again));
    await writeCommit(last, `${await readFile(last, 'utf8')}${add.replace(path, again)}\n`);
    const storage = openMaintained(store);
    const { problems } = await storage.maintenance.verify();
    await storage.close();
    expect(about(problems, /hold in another row/)).toHaveLength(1);
    expect(about(problems, /have two rows/)).toHaveLength(1);
  });

  test('finds nothing wrong after a vacuum has removed the log entries that a checkpoint stands for', async () => {
    copyOfTemplate = await template.copy();
    const { store } = copyOfTemplate;
    const before = await committed(store);
    const clock = createManualClock(Date.now() + 8 * 24 * 3_600_000);
    const storage = openMaintained(store, { common: { clock } });
    const { logEntries, removedFiles, orphans } = await storage.maintenance.vacuum();
    expect([logEntries, removedFiles, orphans]).toEqual([300, 0, 0]);
    expect((await storage.maintenance.verify()).problems).toEqual([]);
    await storage.close();
    expect(await committed(store)).toEqual(before);
  });

  test('ends with an AbortedError when it is told to', async () => {
    copyOfTemplate = await template.copy();
    const storage = openMaintained(copyOfTemplate.store);
    const controller = new AbortController();
    const seen: number[] = [];
    const verifying = storage.maintenance.verify({
      signal: controller.signal,
      onProgress: ({ done }) => {
        seen.push(done);
        if (done === 5) controller.abort();
      },
    });
    await expect(verifying).rejects.toMatchObject({ name: 'AbortedError' });
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    await storage.close();
  });
});
