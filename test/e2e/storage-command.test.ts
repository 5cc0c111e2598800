import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { unpackFormat } from '../support/cold/old-formats.js';
import { runCli } from '../support/e2e/cli.js';
import { coldAnswers, flushed, lived, openWorker, parquetFiles } from '../support/e2e/cold-namespace.js';
import { commandFixture } from '../support/e2e/fixture.js';
import { hotAndWarm, writeConfig } from '../support/e2e/service.js';
import { createRecordMaker } from '../support/records.js';
import { liveEventfully } from '../support/sink/eventful-life.js';

const TABLES = ['messages', 'verifier_results', 'executions', 'ledger'];
const fixture = commandFixture();
const { tiersOf } = fixture;

interface StatusJson {
  readonly tiers: readonly {
    readonly backend: string;
    readonly type: string;
    readonly unreachable?: { readonly code: string; readonly message: string };
    readonly lag?: { readonly positions: string; readonly ms: number };
    readonly description?: {
      readonly position: string;
      readonly tables: readonly { readonly table: string; readonly rows: number; readonly files?: number }[];
    };
  }[];
}

describe('storage status', () => {
  it('shows what every tier covers and holds, and the lag of the cold one, while a worker writes', async () => {
    const tiers = tiersOf('status');
    const worker = await openWorker(tiers);
    await liveEventfully(worker.sink, createRecordMaker(1), 4);
    await flushed(worker);
    const { throughPosition: flushedTo } = worker.cold.coverage();
    await liveEventfully(worker.sink, createRecordMaker(2), 2);
    const { throughPosition } = worker.sink.coverage();

    const { code, value } = await tiers.json<StatusJson>('status');
    expect(code).toBe(0);
    const [hot, warm, cold] = value.tiers;
    expect(hot).toMatchObject({ backend: 'hot', type: 'memory' });
    expect(warm).toMatchObject({
      backend: 'warm',
      type: 'postgres',
      description: { position: String(throughPosition) },
    });
    expect(cold).toMatchObject({
      backend: 'cold',
      type: 's3',
      description: { position: String(flushedTo) },
      lag: { positions: String(throughPosition - flushedTo) },
    });
    const rows = Object.fromEntries(warm!.description!.tables.map((table) => [table.table, table.rows]));
    expect(rows['messages']).toBe(18);
    expect(cold!.description!.tables.map(({ table }) => table)).toEqual(TABLES);

    const text = await tiers.run('status');
    expect({ code: text.code, stderr: text.stderr }).toEqual({ code: 0, stderr: '' });
    expect(text.stdout).toContain('hot (memory), read recent 3600 s');
    expect(text.stdout).toMatch(/complete for positions 1 to \d+/);
    expect(text.stdout).toMatch(/\d+ positions behind/);
    await worker.close();
    expect((await tiers.run('status', '--backend', 'cold')).stdout).not.toContain('hot (');
  });

  it('says which backend cannot be reached, without the password, and shows the others', async () => {
    const tiers = tiersOf('half', { uri: 'postgresql://ccv:hunter2@127.0.0.1:1/ccv' });
    await lived(tiers, 3);
    const { code, stdout, stderr } = await tiers.run('status');
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(/^warm \(postgres\).*\n {2}UNREACHABLE: .*ECONNREFUSED/m);
    expect(stdout).toMatch(/^cold \(s3, .*\n {2}complete for positions 1 to \d+/m);
    expect(stdout).not.toContain('hunter2');
  });

  it('tells a namespace that was never migrated and a cold tier that nobody wrote to', async () => {
    const { code, stdout } = await tiersOf('nobody').run('status');
    expect(code).toBe(1);
    expect(stdout).toContain('run `ccv-indexer migrate up`');
    expect(stdout).toMatch(/^cold .*\n {2}empty$/m);
  });
});

interface CompactionJson {
  readonly tables: readonly { readonly table: string; readonly filesBefore: number; readonly filesAfter: number }[];
}

interface VerifyJson {
  readonly ok: boolean;
  readonly files: number;
  readonly rows: number;
  readonly problems: readonly { readonly table: string; readonly path: string }[];
}

interface VacuumJson {
  readonly removedFiles: number;
  readonly orphans: number;
  readonly dryRun: boolean;
}

describe('storage compact, vacuum and verify', () => {
  it('make fewer files, delete those replaced when their grace is over, and leave every answer as it was', async () => {
    const tiers = tiersOf('upkeep');
    await lived(tiers, 4);
    const before = await coldAnswers(tiers);
    const [counted] = (await tiers.json<VerifyJson[]>('verify')).value;
    expect(counted).toMatchObject({ ok: true, problems: [] });

    const compacted = await tiers.run('compact', '--full');
    expect(compacted.code, compacted.stderr).toBe(0);
    expect(compacted.stdout).toMatch(/^ {2}messages +\d+ +→ 1 /m);
    expect(await coldAnswers(tiers)).toEqual(before);
    const [again] = (await tiers.json<CompactionJson[]>('compact', '--full')).value;
    for (const { filesBefore, filesAfter } of again!.tables) expect(filesAfter).toBe(filesBefore);

    const replaced = parquetFiles(tiers, 'messages').length;
    const [dry] = (await tiers.json<VacuumJson[]>('vacuum', '--dry-run', '--grace', '0s')).value;
    expect(dry).toMatchObject({ dryRun: true });
    expect(dry!.removedFiles).toBeGreaterThan(0);
    const spared = await tiers.run('vacuum');
    expect(spared.stdout).toContain('deleted 0 files that were replaced');
    // a query of the database may take 60 s (StatementTimeout)
    const refused = await tiers.run('vacuum', '--grace', '59s');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('GRACE_TOO_SHORT');
    expect(parquetFiles(tiers, 'messages')).toHaveLength(replaced);
    const [vacuumed] = (await tiers.json<VacuumJson[]>('vacuum', '--grace', '0s', '--force')).value;
    expect(vacuumed!.removedFiles).toBe(dry!.removedFiles);
    expect(parquetFiles(tiers, 'messages')).toHaveLength(1);
    expect(await coldAnswers(tiers)).toEqual(before);

    const verified = await tiers.run('verify');
    expect(verified.code).toBe(0);
    expect(verified.stdout).toContain('everything is as it must be');
  });

  it('verify names every damaged file and ends with code 1', async () => {
    const tiers = tiersOf('damaged');
    await lived(tiers, 5);
    const [flipped = '', ...others] = parquetFiles(tiers, 'messages');
    const bytes = readFileSync(flipped);
    const middle = Math.floor(bytes.length / 3);
    bytes[middle] = bytes[middle]! ^ 0xff;
    writeFileSync(flipped, bytes);
    const removed = others.at(-1)!;
    rmSync(removed);

    const { code, value } = await tiers.json<VerifyJson[]>('verify');
    expect(code).toBe(1);
    const named = value[0]!.problems.map(({ path }) => path);
    for (const file of [flipped, removed])
      expect(
        named.some((path) => path !== '' && file.endsWith(path)),
        file,
      ).toBe(true);
    const text = await tiers.run('verify');
    expect(text.code).toBe(1);
    expect(text.stdout).toMatch(/^ {2}\d+ problems?:$/m);
  });

  it('need a cold backend, of the name given', async () => {
    const warmOnly = writeConfig(
      fixture.directory,
      'warm.toml',
      hotAndWarm({ namespace: 'warm', uri: fixture.database.uri }),
    );
    const without = await runCli(['storage', 'verify', '-c', warmOnly]);
    expect(without.code).toBe(1);
    expect(without.stderr).toContain('no backend of Type = "s3" is configured');
    const { code, stderr } = await tiersOf('named').run('compact', '--backend', 'colder');
    expect(code).toBe(1);
    expect(stderr).toContain('no cold backend is called colder: write one of cold');
  });
});

describe('storage upgrade', () => {
  it('copies a tier of format 1 to the place that the configuration has, once', async () => {
    const old = join(fixture.directory, 'format-1');
    unpackFormat(1, old);
    const refused = await tiersOf('test', { s3: { Directory: old } }).run('upgrade', '--from', old);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('give the backend a new Directory');

    const tiers = tiersOf('test');
    const first = await tiers.run('upgrade', '--from', old);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout).toContain('complete up to position 116');
    expect(first.stdout).toContain('89 rows written, 4 of orphaned records');
    expect(await tiers.json('upgrade', '--from', old)).toMatchObject({ code: 0, value: { position: '116', rows: 0 } });
    expect(await tiers.run('verify')).toMatchObject({ code: 0 });

    const mistyped = await tiersOf('test', { s3: { Directory: join(old, 'copy') } }).run(
      'upgrade',
      '--from',
      `${old}2`,
    );
    expect(mistyped).toMatchObject({ code: 1, stdout: '' });
    expect(mistyped.stderr).toContain('holds nothing of the namespace');
  });
});
