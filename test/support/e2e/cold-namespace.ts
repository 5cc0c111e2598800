import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TomlTable } from 'smol-toml';
import { createCommon } from '../../../src/core/common.js';
import { createSink, type Sink } from '../../../src/sink/sink.js';
import { type ColdStorage, createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { createDirectoryObjectStore } from '../../../src/storage/cold/object-store/directory/directory-store.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { migrate } from '../../../src/storage/postgres/migrate/migrations.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { recallFrom } from '../../../src/storage/recall-from.js';
import { everything } from '../../contract/subject.js';
import { eventually } from '../eventually.js';
import type { TestDatabase } from '../postgres/postgres.js';
import { createRecordMaker } from '../records.js';
import { liveEventfully } from '../sink/eventful-life.js';
import { runCli } from './cli.js';
import { hotAndWarm, writeConfig } from './service.js';

const common = createCommon();

/** A namespace with a warm and a cold tier, and what a command needs to reach them. */
export interface ColdNamespace {
  readonly namespace: string;
  readonly database: TestDatabase;
  readonly file: string;
  readonly coldDirectory: string;
  /** Runs `storage …` on it. */
  run(command: string, ...options: string[]): ReturnType<typeof runCli>;
  /** The same with --json: what it printed. */
  json<T>(command: string, ...options: string[]): Promise<{ readonly code: number | null; readonly value: T }>;
}

/** `s3`: its `S3` table, default a directory of its own; `uri`: how the configuration reaches the database. */
export function coldNamespace(
  database: TestDatabase,
  directory: string,
  namespace: string,
  wish: { readonly s3?: TomlTable; readonly uri?: string } = {},
): ColdNamespace {
  const coldDirectory = join(directory, `cold-${namespace}`);
  const table = hotAndWarm({ namespace, uri: wish.uri ?? database.uri });
  (table['Storage'] as { Sink: { Storages: TomlTable[] } }).Sink.Storages.push({
    Name: 'cold',
    Type: 's3',
    S3: wish.s3 ?? { Directory: coldDirectory },
  });
  const file = writeConfig(directory, `${namespace}.toml`, table);
  const run = (command: string, ...options: string[]) => runCli(['storage', command, '-c', file, ...options]);
  return {
    namespace,
    database,
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
export interface ColdWorker {
  readonly sink: Sink;
  readonly warm: PostgresStorage;
  readonly cold: ColdStorage;
  close(): Promise<void>;
}

/** Follows and flushes on demand; `given`: the store of its cold tier, default its directory. */
export async function openWorker(
  { namespace, coldDirectory, database }: ColdNamespace,
  given?: ObjectStore,
): Promise<ColdWorker> {
  const { connection } = database;
  await migrate({ connection, namespace });
  const store = given ?? createDirectoryObjectStore({ directory: coldDirectory, common });
  const settings = { compactIntervalMs: 0, vacuumIntervalMs: 0 };
  const cold = createColdStorage({ name: 'cold', store, namespace, role: 'follower', common, ...settings });
  const recall = recallFrom(cold);
  const warm = createPostgresStorage({ name: 'warm', connection, namespace, common, recall });
  const sink = createSink({ backends: [{ storage: warm }, { storage: cold, tier: 'cold' }], common });
  await sink.started();
  return {
    sink,
    warm,
    cold,
    close: async () => {
      await sink.close();
      if (!given) await store.close();
    },
  };
}

/** Flushes everything that is committed. */
export async function flushed({ sink, cold }: ColdWorker): Promise<void> {
  await eventually('the cold tier has heard of everything', () => {
    return cold.appliedPosition() === sink.coverage().throughPosition;
  });
  await cold.flush();
}

/** Lives in several flushes, so that there is something to compact. */
export async function lived(tiers: ColdNamespace, seed: number, store?: ObjectStore): Promise<void> {
  const worker = await openWorker(tiers, store);
  const make = createRecordMaker(seed);
  for (let flush = 0; flush < 5; flush += 1) {
    await liveEventfully(worker.sink, make, 3);
    await flushed(worker);
  }
  await worker.close();
}

/** Everything that the cold tier answers by itself. */
export async function coldAnswers({ namespace, coldDirectory }: ColdNamespace): Promise<unknown> {
  const store = createDirectoryObjectStore({ directory: coldDirectory, common });
  const reader = createColdStorage({ name: 'reader', store, namespace, role: 'leader', common });
  const answers = await everything(reader);
  await reader.close();
  await store.close();
  return answers;
}

/** Paths of the data files of a table, in use or not. */
export function parquetFiles(
  { namespace, coldDirectory }: Pick<ColdNamespace, 'namespace' | 'coldDirectory'>,
  table: string,
): string[] {
  const root = join(coldDirectory, namespace, table);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.parquet') && !name.startsWith('_delta_log'))
    .map((name) => join(root, name))
    .sort();
}

/** Loses the database. */
export async function dropSchema({ database, namespace }: ColdNamespace): Promise<void> {
  await database.sql(`DROP SCHEMA ${namespace} CASCADE`);
}
