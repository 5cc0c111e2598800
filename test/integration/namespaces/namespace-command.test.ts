import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { stringify, type TomlTable } from 'smol-toml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNamespace } from '../../../src/app/namespaces/create.js';
import { type DropWish, dropNamespace } from '../../../src/app/namespaces/drop.js';
import { requireName } from '../../../src/cli/namespace/confirmation.js';
import { loadConfig } from '../../../src/config/load.js';
import { createCommon } from '../../../src/core/common.js';
import { encodeState } from '../../../src/migration/move-state.js';
import { createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { migrate } from '../../../src/storage/postgres/migrate/migrations.js';
import { everything } from '../../contract/subject.js';
import { type ColdNamespace, coldAnswers, flushed, openWorker } from '../../support/e2e/cold-namespace.js';
import { commandFixture } from '../../support/e2e/fixture.js';
import { runHere } from '../../support/e2e/run-here.js';
import { dumpDatabase } from '../../support/postgres/database-dump.js';
import { createTestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { createTestS3Store } from '../../support/s3/object-store.js';
import { newBucketName } from '../../support/s3/server.js';
import { s3ServerFixture } from '../../support/s3/server-fixture.js';
import { liveEventfully } from '../../support/sink/eventful-life.js';

const s3 = s3ServerFixture();
const fixture = commandFixture();
const common = createCommon();
const bucket = newBucketName();
const { signal } = new AbortController();
let store: ObjectStore;
let table: TomlTable;

beforeAll(async () => {
  store = await createTestS3Store(s3.server, { bucket, prefix: 'cold' });
  table = {
    Endpoint: s3.server.endpoint,
    Bucket: bucket,
    Region: s3.server.region,
    Prefix: 'cold',
    ForcePathStyle: true,
    AccessKeyID: s3.server.credentials.accessKeyId,
    SecretAccessKey: s3.server.credentials.secretAccessKey,
  };
});
afterAll(() => store.close());

/** A configuration of that namespace on the database and bucket that all share. */
const tiersOf = (namespace: string) => fixture.tiersOf(namespace, { s3: table });

const run = (tiers: ColdNamespace, ...call: string[]) => runHere(['namespace', ...call, '-c', tiers.file]);
const keysOf = async (namespace: string) => (await store.list(`${namespace}/`)).objects.map(({ key }) => key);

async function answersOf(namespace: string): Promise<unknown> {
  const reader = createColdStorage({ name: 'reader', store, namespace, role: 'leader', common });
  const answers = await everything(reader);
  await reader.close();
  return answers;
}

const schemas = async () =>
  (
    await fixture.database.sql(`SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE 'n\\_%' ORDER BY 1`)
  ).rows.map((row) => (row as { name: string }).name);

/** Few records in two flushes. */
async function filled(tiers: ColdNamespace, seed: number, given: ObjectStore | null = store): Promise<void> {
  const worker = await openWorker(tiers, given ?? undefined);
  const make = createRecordMaker(seed);
  for (let flush = 0; flush < 2; flush += 1) {
    await liveEventfully(worker.sink, make, 1);
    await flushed(worker);
  }
  await worker.close();
}

interface ListJson {
  readonly namespaces: readonly { readonly namespace: string; readonly backend: string; readonly rows: number }[];
}

describe('namespace list and drop', () => {
  it('drop takes one namespace and leaves one whose name goes on from it whole', async () => {
    const [going, staying] = [tiersOf('n_one'), tiersOf('n_one_2')];
    await filled(going, 1);
    await filled(staying, 2);
    const before = { rows: await dumpDatabase(fixture.database, 'n_one_2'), cold: await answersOf('n_one_2') };

    const listed = JSON.parse((await run(going, 'list', '--json')).stdout) as ListJson;
    expect(listed.namespaces.filter(({ namespace }) => namespace.startsWith('n_'))).toEqual(
      ['warm', 'cold'].flatMap((backend) =>
        ['n_one', 'n_one_2'].map((namespace) =>
          expect.objectContaining({ namespace, backend, rows: expect.any(Number) }),
        ),
      ),
    );
    expect(listed.namespaces.every(({ rows }) => rows > 0)).toBe(true);

    const dry = await run(going, 'drop', 'n_one', '--dry-run');
    expect(dry).toMatchObject({ code: 0, error: null });
    expect(dry.stdout).toMatch(/warm \(schema n_one\): \d+ tables, \d+ rows/);
    for (const wrong of [[], ['--confirm', 'n_one_2']])
      expect((await run(going, 'drop', 'n_one', ...wrong)).error).toMatchObject({ code: 'NOT_CONFIRMED' });
    expect(await schemas()).toEqual(['n_one', 'n_one_2']);

    const dropped = await run(going, 'drop', 'n_one', '--confirm', 'n_one');
    expect(dropped).toMatchObject({ code: 0, error: null });
    expect(await schemas()).toEqual(['n_one_2']);
    expect(await keysOf('n_one')).toEqual([]);
    expect({ rows: await dumpDatabase(fixture.database, 'n_one_2'), cold: await answersOf('n_one_2') }).toEqual(before);
    // nothing is left to do
    expect(await run(going, 'drop', 'n_one')).toMatchObject({ code: 0, error: null });
  });

  it('takes the folders of a directory along, and leaves those of a neighbour', async () => {
    const coldDirectory = join(fixture.directory, 'shared');
    const inDirectory = (name: string) => ({
      ...fixture.tiersOf(name, { s3: { Directory: coldDirectory } }),
      coldDirectory,
    });
    const [going, staying] = [inDirectory('n_dir'), inDirectory('n_dir_2')];
    for (const [seed, tiers] of [going, staying].entries()) await filled(tiers, seed, null);
    const before = await coldAnswers(staying);
    expect(await run(going, 'drop', 'n_dir', '--only', 'cold', '--confirm', 'n_dir')).toMatchObject({ code: 0 });
    expect(await schemas()).toContain('n_dir');
    expect(readdirSync(coldDirectory).sort()).toEqual(['.uploading', 'n_dir_2']);
    expect(await coldAnswers(staying)).toEqual(before);
  });

  it('a schema that keeps the configured namespace under another name, and its folder, go by no mistake', async () => {
    const tiers = tiersOf('n_apart');
    const text = readFileSync(tiers.file, 'utf8').replace(/^URI = .*$/m, '$&\nSchema = "n_apart_new"');
    writeFileSync(tiers.file, text);
    expect(await run(tiers, 'create', 'n_apart')).toMatchObject({ code: 0 });
    expect(await schemas()).toContain('n_apart_new');
    const drop = (name: string, ...options: string[]) => run(tiers, 'drop', name, '--confirm', name, ...options);
    const kept = { code: 'NAMESPACE_KEPT_ELSEWHERE' };
    for (const options of [[], ['--backend', 'cold'], ['--only', 'cold']])
      expect((await drop('n_apart', ...options)).error, options.join(' ')).toMatchObject(kept);
    expect((await drop('n_apart_new')).error).toMatchObject(kept);
    expect(await schemas()).toContain('n_apart_new');
    expect(await drop('n_apart_new', '--only', 'database')).toMatchObject({ code: 0 });
    expect(await schemas()).not.toContain('n_apart_new');
  });

  it('is refused while a worker is connected, with --force too in the middle of a move', async () => {
    const tiers = tiersOf('n_busy');
    const worker = await openWorker(tiers, store);
    await worker.warm.leases.beat({ member: 'worker-1', sources: [], verifiers: [] }, 60_000, []);
    const drop = (...options: string[]) => run(tiers, 'drop', 'n_busy', '--confirm', 'n_busy', ...options);
    expect((await drop()).error).toMatchObject({ code: 'NAMESPACE_IN_USE' });
    await worker.warm.leases.leave('worker-1');
    // its connections are enough
    expect((await drop('--only', 'cold')).error).toMatchObject({ code: 'NAMESPACE_IN_USE' });

    const elsewhere = await createTestDatabase({ migrated: false });
    const old = { Name: 'old', Type: 'postgres', Postgres: { URI: elsewhere.uri } };
    const text = readFileSync(tiers.file, 'utf8');
    appendFileSync(tiers.file, stringify({ Storage: { Sink: { Storages: [old] } } }));
    await migrate({ connection: elsewhere.connection, namespace: 'n_busy' });
    expect(await drop('--backend', 'old')).toMatchObject({ code: 0 });
    expect((await drop('--backend', 'warm')).error).toMatchObject({ code: 'NAMESPACE_IN_USE' });
    await elsewhere.drop();
    writeFileSync(tiers.file, text);

    const state = {
      ...{ move: '0x1', from: 'warm', to: 'new', phase: 'comparing' as const, handover: null, comparison: null },
      ...{ shadow: 0, history: [], revision: 1 },
    };
    await worker.warm.moves.put(encodeState(state, 'from'));
    expect((await drop('--force')).error).toMatchObject({ code: 'NAMESPACE_IN_MOVE' });
    expect(await schemas()).toContain('n_busy');
    await worker.warm.moves.put(encodeState({ ...state, phase: 'rolled-back', revision: 2 }, 'from'));
    expect(await drop('--force')).toMatchObject({ code: 0 });
    expect(await schemas()).not.toContain('n_busy');
    await worker.close().catch(() => 'its storage is gone');
  });

  it('goes on where it was interrupted, and until then the name is taken', async () => {
    const tiers = tiersOf('n_cut');
    await filled(tiers, 3);
    const config = loadConfig({ file: tiers.file });
    const wish: DropWish = { namespace: 'n_cut', force: false };
    const events = { waiting: () => 'alone', deleted: () => 'some' };
    const stopped = { signal: AbortSignal.abort(), events };
    await expect(dropNamespace(config, wish, common, stopped)).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await schemas()).not.toContain('n_cut');
    expect((await keysOf('n_cut')).length).toBeGreaterThan(10);
    expect((await run(tiers, 'create', 'n_cut')).error).toMatchObject({ code: 'NAMESPACE_TAKEN' });
    expect(await run(tiers, 'drop', 'n_cut', '--confirm', 'n_cut')).toMatchObject({ code: 0 });
    expect(await keysOf('n_cut')).toEqual([]);
    expect(await run(tiers, 'create', 'n_cut')).toMatchObject({ code: 0 });
  });

  it('leaves alone all that others have in its schema, in its folder, or built on its tables', async () => {
    const tiers = tiersOf('n_shared');
    await filled(tiers, 4);
    const drop = () => run(tiers, 'drop', 'n_shared', '--confirm', 'n_shared');
    await fixture.database.sql('CREATE SCHEMA others');
    await fixture.database.sql('CREATE VIEW others.ids AS SELECT message_id FROM n_shared.messages');
    expect((await drop()).error).toMatchObject({ code: 'NAMESPACE_DEPENDED_ON' });
    await fixture.database.sql('DROP VIEW others.ids');
    await store.putIfAbsent('n_shared/messages/notes.txt', Buffer.from('not ours'));
    expect((await drop()).error).toMatchObject({ code: 'NAMESPACE_FOLDER_SHARED' });
    expect(Object.keys(await dumpDatabase(fixture.database, 'n_shared'))).toContain('messages');
    await store.deleteMany(['n_shared/messages/notes.txt']);

    await fixture.database.sql('CREATE TABLE n_shared.notes (text text)');
    expect((await drop()).stdout).toContain('the schema stays');
    const { rows } = await fixture.database.sql(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'n_shared'`,
    );
    expect(rows).toEqual([{ name: 'notes' }]);
    for (const command of ['create', 'drop'])
      expect((await run(tiers, command, 'n_shared')).error).toMatchObject({
        code: expect.stringMatching(/^NAMESPACE_(TAKEN|NOT_OURS)$/),
      });
  });
});

describe('namespace create', () => {
  it('several at once make one namespace, and a later one finds it', async () => {
    const config = loadConfig({ file: tiersOf('n_mine').file });
    const create = () => createNamespace(config, 'n_new', common, { dryRun: false, signal });
    const results = await Promise.all([create(), create(), create(), create()]);
    const applied = results.map(([warm]) => warm?.applied ?? 0);
    expect(applied.reduce((sum, each) => sum + each, 0)).toBeGreaterThanOrEqual(6);
    expect(await create()).toMatchObject([
      { backend: 'warm', wasThere: true, applied: 0 },
      { backend: 'cold', wasThere: false },
    ]);
    expect(await schemas()).not.toContain('n_mine');
    await filled(tiersOf('n_new'), 5);
    expect(await create()).toMatchObject([{ wasThere: true }, { wasThere: true }]);
  });
});

describe('the name asked for again', () => {
  it.each([
    ['n_one\n', null],
    ['n_one_2\n', 'NOT_CONFIRMED'],
    ['', 'NOT_CONFIRMED'],
  ])('%j typed on a terminal', async (typed, code) => {
    const input = Object.assign(new PassThrough(), { isTTY: true });
    input.end(typed);
    const asked = requireName('n_one', undefined, signal, { input, output: new PassThrough() });
    if (code === null) await asked;
    else await expect(asked).rejects.toMatchObject({ code });
  });
});
