import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import type { TomlTable } from 'smol-toml';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createCommon } from '../../src/core/common.js';
import { createSink, type Sink } from '../../src/sink/sink.js';
import { migrate } from '../../src/storage/postgres/migrations.js';
import { createPostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../src/storage/recall.js';
import { createDirectoryObjectStore } from '../../src/storage/s3/directory-object-store.js';
import type { ObjectStore } from '../../src/storage/s3/object-store.js';
import { createS3Storage, type S3Storage } from '../../src/storage/s3/s3-storage.js';
import { everything } from '../contract/subject.js';
import { dumpDatabase } from '../support/database-dump.js';
import { endAllCli, runCli, startCli } from '../support/e2e-cli.js';
import { e2eDirectory, hotAndWarm, writeConfig } from '../support/e2e-service.js';
import { liveEventfully } from '../support/eventful-life.js';
import { eventually } from '../support/eventually.js';
import { createTestS3Store } from '../support/object-store.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { createRecordMaker } from '../support/records.js';
import { newBucketName, type S3TestServer, startS3Server } from '../support/s3-server.js';

// a test runs up to six processes
vi.setConfig({ testTimeout: 120_000 });

const TABLES = ['messages', 'verifier_results', 'ledger'];
const common = createCommon();
const directory = e2eDirectory();
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
});
afterEach(endAllCli);
afterAll(async () => {
  directory.remove();
  await database.drop();
});

/** A namespace with a warm and a cold tier, and what a command needs to reach them. */
interface Tiers {
  readonly namespace: string;
  readonly file: string;
  readonly coldDirectory: string;
  /** Runs `storage …` on it. */
  run(command: string, ...options: string[]): ReturnType<typeof runCli>;
  /** The same with --json: what it printed. */
  json<T>(command: string, ...options: string[]): Promise<{ readonly code: number | null; readonly value: T }>;
}

function tiersOf(namespace: string, s3?: TomlTable, uri = database.uri): Tiers {
  const coldDirectory = join(directory.path, `cold-${namespace}`);
  const table = hotAndWarm({ namespace, uri });
  (table['Storage'] as { Sink: { Storages: TomlTable[] } }).Sink.Storages.push({
    Name: 'cold',
    Type: 's3',
    S3: s3 ?? { Directory: coldDirectory },
  });
  const file = writeConfig(directory.path, `${namespace}.toml`, table);
  const run = (command: string, ...options: string[]) => runCli(['storage', command, '-c', file, ...options]);
  return {
    namespace,
    file,
    coldDirectory,
    run,
    async json<T>(command: string, ...options: string[]) {
      const { code, stdout, stderr } = await run(command, ...options, '--json');
      if (!stdout) throw new Error(`nothing was printed: ${stderr}`);
      return { code, value: JSON.parse(stdout) as T };
    },
  };
}

/** What a worker has open. */
interface Worker {
  readonly sink: Sink;
  readonly cold: S3Storage;
  close(): Promise<void>;
}

async function openWorker({ namespace, coldDirectory }: Tiers, given?: ObjectStore): Promise<Worker> {
  const { connection } = database;
  await migrate({ connection, namespace });
  const store = given ?? createDirectoryObjectStore({ directory: coldDirectory, common });
  const settings = { compactIntervalMs: 0, vacuumIntervalMs: 0 };
  const cold = createS3Storage({ name: 'cold', store, namespace, role: 'archive', common, ...settings });
  const recall = recallFrom(cold)!;
  const warm = createPostgresStorage({ name: 'warm', connection, namespace, common, recall });
  const sink = createSink({ backends: [{ storage: warm }, { storage: cold, tier: 'cold' }], common });
  await sink.started();
  return {
    sink,
    cold,
    close: async () => {
      await sink.close();
      if (!given) await store.close();
    },
  };
}

async function flushed({ sink, cold }: Worker): Promise<void> {
  await eventually('the cold tier has heard of everything', () => {
    return cold.appliedPosition() === sink.coverage().throughPosition;
  });
  await cold.flush();
}

/** Lives in several flushes, so that there is something to compact. */
async function lived(tiers: Tiers, seed: number, store?: ObjectStore): Promise<void> {
  const worker = await openWorker(tiers, store);
  const make = createRecordMaker(seed);
  for (let flush = 0; flush < 5; flush += 1) {
    await liveEventfully(worker.sink, make, 3);
    await flushed(worker);
  }
  await worker.close();
}

/** Everything that the cold tier answers by itself. */
async function coldAnswers({ namespace, coldDirectory }: Tiers): Promise<unknown> {
  const store = createDirectoryObjectStore({ directory: coldDirectory, common });
  const reader = createS3Storage({ name: 'reader', store, namespace, role: 'sole', common });
  const answers = await everything(reader);
  await reader.close();
  await store.close();
  return answers;
}

function parquetFiles({ namespace, coldDirectory }: Tiers, table: string): string[] {
  const root = join(coldDirectory, namespace, table);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.parquet') && !name.startsWith('_delta_log'))
    .map((name) => join(root, name))
    .sort();
}

async function dropSchema(namespace: string): Promise<void> {
  await database.sql(`DROP SCHEMA ${namespace} CASCADE`);
}

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
    const tiers = tiersOf('half', undefined, 'postgresql://ccv:hunter2@127.0.0.1:1/ccv');
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
    const refused = await tiers.run('vacuum', '--grace', '1s');
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
    const warmOnly = writeConfig(directory.path, 'warm.toml', hotAndWarm({ namespace: 'warm', uri: database.uri }));
    const without = await runCli(['storage', 'verify', '-c', warmOnly]);
    expect(without.code).toBe(1);
    expect(without.stderr).toContain('no backend of Type = "s3" is configured');
    const { code, stderr } = await tiersOf('named').run('compact', '--backend', 'colder');
    expect(code).toBe(1);
    expect(stderr).toContain('no cold backend is called colder: write one of cold');
  });
});

interface RestoreJson {
  readonly fromPosition: string;
  readonly throughPosition: string;
  readonly changes: Readonly<Record<string, number>>;
  readonly compared: readonly { readonly what: string; readonly first: number; readonly same: boolean }[];
}

describe('storage restore', () => {
  it('rebuilds a database that was dropped, equal record by record, and workers go on from there', async () => {
    const tiers = tiersOf('restored');
    await lived(tiers, 6);
    const before = await dumpDatabase(database, tiers.namespace);
    await tiers.run('compact', '--full');
    await dropSchema(tiers.namespace);
    const { code, stdout, stderr } = await tiers.run('restore');
    expect(code, stderr).toBe(0);
    expect(await dumpDatabase(database, tiers.namespace)).toEqual(before);
    expect(stdout).toMatch(/warm took \d+ records from cold in .* \(\d[\d ]* records\/s\)/);
    expect(stdout).not.toContain('DIFFERS');

    const again = await tiers.json<RestoreJson>('restore');
    expect(again.code).toBe(0);
    expect(again.value.fromPosition).toBe(again.value.throughPosition);
    expect(again.value.compared.map(({ same }) => same)).toEqual([true, true, true, true, true]);

    const worker = await openWorker(tiers);
    await liveEventfully(worker.sink, createRecordMaker(66), 2);
    await flushed(worker);
    const expected = await everything(worker.sink);
    await worker.close();
    expect(await coldAnswers(tiers)).toEqual(expected);
    const refused = await tiers.run('restore');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('RESTORE_TARGET_IN_USE');
  });

  it('killed in the middle, goes on where it was and ends the same', async () => {
    const tiers = tiersOf('killed');
    const worker = await openWorker(tiers);
    const make = createRecordMaker(7);
    for (let batch = 0; batch < 60; batch += 1) {
      const messages = Array.from({ length: 250 }, () => make.message());
      await worker.sink.insertBatch({ messages, verifierResults: messages.map((message) => make.result(message)) });
    }
    await flushed(worker);
    await worker.close();
    const before = await dumpDatabase(database, tiers.namespace);
    await dropSchema(tiers.namespace);

    const killed = startCli(['storage', 'restore', '-c', tiers.file]);
    const standing = async () => {
      const { rows } = await database.sql(
        `SELECT last_position::int AS last, head_position::int AS head FROM ${tiers.namespace}.ingest_clock`,
      );
      return rows[0] as { last: number; head: number };
    };
    await eventually('some of it to be restored', async () => {
      const { last } = await standing().catch(() => ({ last: 0 }));
      return last > 0;
    });
    killed.kill('SIGKILL');
    expect((await killed.exited).signal).toBe('SIGKILL');
    const { last, head } = await standing();
    expect(last).toBeLessThan(head);
    const status = await tiers.run('status', '--backend', 'warm');
    expect(status.stdout).toContain('NOT COMPLETE: at position');

    const resumed = await tiers.json<RestoreJson>('restore');
    expect(resumed.code).toBe(0);
    expect(Number(resumed.value.fromPosition)).toBeGreaterThanOrEqual(last);
    expect(await dumpDatabase(database, tiers.namespace)).toEqual(before);
  });

  it('is refused while another process is connected, and from a cold tier that holds nothing', async () => {
    const tiers = tiersOf('connected');
    await lived(tiers, 8);
    await dropSchema(tiers.namespace);
    await migrate({ connection: database.connection, namespace: tiers.namespace });
    const other = createPostgresStorage({
      name: 'other',
      connection: database.connection,
      namespace: 'connected',
      common,
    });
    other.subscribe(() => undefined);
    expect((await other.countMessages({})).count).toBe(0);
    const busy = await tiers.run('restore');
    expect(busy.code).toBe(1);
    expect(busy.stderr).toContain('RESTORE_TARGET_BUSY');
    const forced = await tiers.run('restore', '--force');
    expect(forced.code, forced.stderr).toBe(0);
    expect((await other.countMessages({})).count).toBeGreaterThan(0);
    await other.close();

    const empty = await tiersOf('empty').run('restore');
    expect(empty.code).toBe(1);
    expect(empty.stderr).toContain('RESTORE_NOTHING');
  });
});

describe('on a real S3 server', () => {
  let server: S3TestServer;
  beforeAll(async () => {
    server = await startS3Server();
  }, 300_000);
  afterAll(async () => {
    await server?.stop();
  });

  const tableOf = (bucket: string): TomlTable => ({
    Endpoint: server.endpoint,
    Bucket: bucket,
    Region: server.region,
    Prefix: 'some/prefix',
    ForcePathStyle: true,
    AccessKeyID: server.credentials.accessKeyId,
    SecretAccessKey: server.credentials.secretAccessKey,
  });

  it('every command does its work', async () => {
    const bucket = newBucketName();
    const store = await createTestS3Store(server, { bucket, prefix: 'some/prefix' });
    const tiers = tiersOf('bucket', tableOf(bucket));
    await lived(tiers, 9, store);
    const before = await dumpDatabase(database, tiers.namespace);
    for (const command of [
      ['status'],
      ['verify'],
      ['compact', '--full'],
      ['vacuum', '--grace', '0s', '--force'],
      ['verify'],
    ]) {
      const [name = '', ...options] = command;
      const { code, stdout, stderr } = await tiers.run(name, ...options);
      expect({ command, code, stderr }).toMatchObject({ command, code: 0 });
      expect(`${stdout}${stderr}`).not.toContain(server.credentials.secretAccessKey);
    }
    await dropSchema(tiers.namespace);
    const { code, stderr } = await tiers.run('restore');
    expect(code, stderr).toBe(0);
    expect(await dumpDatabase(database, tiers.namespace)).toEqual(before);
    await store.close();
  });

  it('a bucket that does not exist is told apart from one that cannot be reached', async () => {
    const missing = tiersOf('missing', tableOf(newBucketName()));
    const { code, stderr } = await runCli(['start', '--migrate', '-c', missing.file]);
    expect(code).toBe(1);
    expect(stderr).toContain('NoSuchBucket');
    expect(stderr).toContain('create the bucket');
  });
});

describe('the place of a cold tier is checked at start', () => {
  it('a server that overwrites in spite of If-None-Match is refused, with what to do', async () => {
    const overwriting = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(200).end());
    });
    await new Promise<void>((resolve) => overwriting.listen(0, '127.0.0.1', resolve));
    const { port } = overwriting.address() as { port: number };
    const tiers = tiersOf('overwriting', placeAt(port));
    const { code, stderr } = await runCli(['start', '--migrate', '-c', tiers.file]);
    await new Promise<void>((resolve) => overwriting.close(() => resolve()));
    expect(code).toBe(1);
    expect(stderr).toContain('COLD_STORE_REFUSED');
    expect(stderr).toContain('use a server that honours If-None-Match');
  });

  it('a directory that cannot be made is refused', async () => {
    const blocked = join(directory.path, 'a-file');
    writeFileSync(blocked, '');
    const tiers = tiersOf('blocked', { Directory: join(blocked, 'cold') });
    const { code, stderr } = await runCli(['start', '--migrate', '-c', tiers.file]);
    expect(code).toBe(1);
    expect(stderr).toContain('create it and let this account read and write there');
  });

  it('a server that is away keeps nobody from starting', async () => {
    const tiers = tiersOf('away', { ...placeAt(1), MaxAttempts: 1 });
    const cli = startCli(['start', '--migrate', '-c', tiers.file]);
    await cli.printed(/"msg":"the object store is away: starting without it"/);
    await cli.printed(/"msg":"started"/);
    expect(await cli.stop()).toEqual({ code: 0, signal: null });
  });

  it('a cold tier alone serves one process that does everything, and no other', async () => {
    const file = writeConfig(directory.path, 'alone.toml', {
      Namespace: 'alone',
      API: { ListenAddress: '127.0.0.1', ListenPort: 0 },
      Admin: { ListenAddress: '127.0.0.1', ListenPort: 0 },
      Log: { Format: 'json' },
      Storage: { Strategy: 'single', Single: { Type: 's3', S3: { Directory: join(directory.path, 'alone') } } },
    });
    const cli = startCli(['start', '-c', file]);
    await cli.printed(/"msg":"started"/);
    expect(await cli.stop()).toEqual({ code: 0, signal: null });
    for (const role of ['api', 'worker']) {
      const { code, stderr } = await runCli([role, '-c', file]);
      expect(code).toBe(1);
      expect(stderr).toContain('ROLE_NEEDS_DATABASE');
    }
  });

  function placeAt(port: number): TomlTable {
    return {
      Endpoint: `http://127.0.0.1:${port}`,
      Bucket: 'b',
      Region: 'us-east-1',
      ForcePathStyle: true,
      AccessKeyID: 'a',
      SecretAccessKey: 'b',
    };
  }
});
